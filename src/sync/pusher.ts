import { SyncLayerError, toSyncLayerError } from '../errors.js';
import { patchBetween } from '../patch.js';
import { abortable } from '../transport/abortable.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import type { OutgoingChange, PushResult, RealtimeTransport } from '../transport/transport.js';
import type { Replica } from './replica.js';
import { type OutboxEntry, operationType } from './replica-state.js';

/** Edits per push. Large enough to hide the round trip, small enough that one bad answer repeats little. */
const BATCH = 250;

/** Conflicts of one record in one run. Somebody else may be first a few times, but not for ever. */
const MAX_CONFLICTS = 10;

/** An outbox entry as the transport gets it. */
export function outgoing(entry: OutboxEntry, clockOffset: number): OutgoingChange {
  const { base, local } = entry;
  const change = {
    type: operationType(entry),
    collection: entry.collection,
    recordId: entry.recordId,
    opId: entry.opId,
    data: local,
    base,
    baseVersion: entry.baseVersion,
    // The row holds the edits that this one was merged with, too.
    timestamp: Math.max(entry.editedAt + clockOffset, (entry.mergedAt ?? Number.NEGATIVE_INFINITY) + 1),
  };
  return base && local ? { ...change, ...patchBetween(base, local) } : change;
}

export interface PusherOptions {
  readonly transport: RealtimeTransport;
  /** `mayPush`: false while edits must wait (the first pull from this backend is not done). */
  readonly collections: ReadonlyMap<string, { readonly replica: Replica; readonly mayPush: () => boolean }>;
  readonly clockOffset: () => number;
  /** Resolves once everything handed to the store so far is durable. */
  readonly flushed: () => Promise<void>;
  /** Called after each batch. */
  readonly settled: () => void;
}

interface Run {
  readonly signal: AbortSignal;
  done: Promise<void>;
  /** Edits and records that wait for the next run. */
  readonly tried: Set<string>;
  readonly conflicts: Map<string, number>;
  failure: SyncLayerError | undefined;
}

const recordOf = ({ collection, recordId }: OutboxEntry): string => JSON.stringify([collection, recordId]);

/** Sends the outbox, oldest edit first, one push at a time, until nothing is left that may go. */
export function createPusher({ transport, collections, clockOffset, flushed, settled }: PusherOptions) {
  let running: Run | undefined;

  /** Every record's head edit, oldest first: a second edit of a record waits for the answer to its first. */
  const heads = (): OutboxEntry[] =>
    [...collections.values()]
      .flatMap(({ replica, mayPush }) => (mayPush() ? [...replica.pending.values()] : []))
      .map(({ entries }) => entries[0])
      .sort((a, b) => a.order - b.order);

  /** Those that the backend takes; edits of a collection that is read-only there keep no others back. */
  const writable = (batch: readonly OutboxEntry[], run: Run): OutboxEntry[] =>
    batch.filter(({ collection, opId }) => {
      if (capabilitiesOf(transport, collection).push) return true;
      run.tried.add(opId);
      const message = `The ${transport.name} transport is read-only for "${collection}"; its edits stay in the outbox.`;
      run.failure = new SyncLayerError('UNSUPPORTED', message, { adapter: transport.name });
      return false;
    });

  async function pushBatch(heads: readonly OutboxEntry[], run: Run): Promise<void> {
    const { signal } = run;
    const batch = writable(heads, run);
    if (batch.length === 0) return;
    // Marked durably before it leaves: after a crash the same push is repeated, never another under its opId.
    for (const [collection, { replica }] of collections)
      replica.markSent(batch.filter((entry) => entry.collection === collection));
    await flushed();
    signal.throwIfAborted();
    const changes = batch.map((entry) => outgoing(entry, clockOffset()));
    const results = await abortable(transport.push(changes, { signal }), signal);
    signal.throwIfAborted();
    if (results.filter(Boolean).length !== batch.length) {
      const message = `The ${transport.name} transport answered ${results.length} of ${batch.length} pushed changes.`;
      throw new SyncLayerError('PROTOCOL_VIOLATION', message, { adapter: transport.name });
    }
    // One commit and one notification for the whole batch.
    for (const [collection, { replica }] of collections) {
      replica.batch(() => {
        for (const [index, entry] of batch.entries()) {
          const result = results[index];
          if (entry.collection !== collection || !result) continue;
          defer(entry, result, run);
          replica.settle(entry.recordId, entry.opId, result);
        }
      });
    }
    settled();
  }

  /** Leaves an edit to a later run, after its backoff, if the backend wants that or will not let it through. */
  function defer(entry: OutboxEntry, result: PushResult, run: Run): void {
    const record = recordOf(entry);
    if (result.type === 'retry') {
      run.tried.add(entry.opId);
      run.failure = result.error;
    } else if (result.type === 'conflict') {
      const count = (run.conflicts.get(record) ?? 0) + 1;
      run.conflicts.set(record, count);
      if (count < MAX_CONFLICTS) return;
      run.tried.add(record);
      const message = `An edit of "${entry.collection}" met ${count} conflicts in a row; it is tried again.`;
      run.failure = new SyncLayerError('CONFLICT', message, { adapter: transport.name });
    }
  }

  async function pushAll(run: Run): Promise<void> {
    try {
      const open = (): OutboxEntry[] =>
        heads().filter((entry) => !run.tried.has(entry.opId) && !run.tried.has(recordOf(entry)));
      for (let queue = open(); queue.length > 0; queue = open()) {
        while (queue.length > 0) {
          // Edits may have been merged, settled or replaced since the queue was made.
          const batch = queue.splice(0, BATCH).flatMap(({ collection, recordId, opId }) => {
            const head = collections.get(collection)?.replica.pending.get(recordId)?.entries[0];
            return head?.opId === opId ? [head] : [];
          });
          if (batch.length > 0) await pushBatch(batch, run);
        }
      }
      if (run.failure) throw run.failure;
    } catch (error) {
      throw toSyncLayerError(error, 'CONNECTION_LOST', `Pushing through ${transport.name} failed; it is tried again.`);
    } finally {
      // In the same breath as the last look at the outbox: an edit made later must not join a run that has ended.
      if (running === run) running = undefined;
    }
  }

  return {
    /** Resolves when the outbox is empty or waits; rejects with why it could not be emptied. Joins a run under way. */
    push(signal: AbortSignal): Promise<void> {
      if (running && !running.signal.aborted) return running.done;
      const run: Run = { signal, done: Promise.resolve(), tried: new Set(), conflicts: new Map(), failure: undefined };
      running = run;
      run.done = pushAll(run);
      return run.done;
    },
  };
}
