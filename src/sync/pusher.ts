import type { Row } from '../change.js';
import { isSyncLayerError, SyncLayerError, toSyncLayerError } from '../errors.js';
import { deepEqual } from '../json.js';
import type { OutgoingChange, RealtimeTransport } from '../transport/transport.js';
import type { Replica } from './replica.js';
import { type OutboxEntry, operationType } from './replica-state.js';

/** Edits per push. Large enough to hide the round trip, small enough that one bad answer repeats little. */
const BATCH = 250;

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
    timestamp: entry.editedAt + clockOffset,
  };
  if (!base || !local) return change;
  const patch: Row = Object.fromEntries(
    Object.entries(local).filter(([field, value]) => !deepEqual(value, base[field])),
  );
  const unset = Object.keys(base).filter((field) => local[field] === undefined && base[field] !== undefined);
  return unset.length > 0 ? { ...change, patch, unset } : { ...change, patch };
}

export interface PusherOptions {
  readonly transport: RealtimeTransport;
  readonly replicas: ReadonlyMap<string, { readonly replica: Replica }>;
  readonly clockOffset: () => number;
  /** Resolves once everything handed to the store so far is durable. */
  readonly flushed: () => Promise<void>;
  /** False for a collection whose edits must wait (its first pull from this backend is not done). */
  readonly mayPush: (collection: string) => boolean;
  /** Called after each batch. */
  readonly settled: () => void;
}

/** Sends the outbox, oldest edit first, one push at a time, until nothing is left that may go. */
export function createPusher({ transport, replicas, clockOffset, flushed, mayPush, settled }: PusherOptions) {
  let running: Promise<void> | undefined;

  /** Every record's head edit, oldest first: a second edit of a record waits for the answer to its first. */
  const heads = (): OutboxEntry[] =>
    [...replicas]
      .flatMap(([collection, { replica }]) => (mayPush(collection) ? replica.heads() : []))
      .sort((a, b) => a.order - b.order);

  /** Returns the edits that the backend wants again later. */
  async function pushBatch(batch: readonly OutboxEntry[], signal: AbortSignal): Promise<Map<string, SyncLayerError>> {
    if (!transport.capabilities.push) {
      const message = `The ${transport.name} transport is read-only; local edits stay in the outbox.`;
      throw new SyncLayerError('UNSUPPORTED', message, { adapter: transport.name });
    }
    const later = new Map<string, SyncLayerError>();
    // Marked durably before it leaves: after a crash the same push is repeated, never another under its opId.
    for (const [collection, { replica }] of replicas)
      replica.markSent(batch.filter((entry) => entry.collection === collection));
    await flushed();
    const results = await transport.push(
      batch.map((entry) => outgoing(entry, clockOffset())),
      { signal },
    );
    if (signal.aborted) return later;
    if (results.length !== batch.length) {
      const message = `The ${transport.name} transport answered ${results.length} of ${batch.length} pushed changes.`;
      throw new SyncLayerError('PROTOCOL_VIOLATION', message, { adapter: transport.name });
    }
    // One commit and one notification for the whole batch.
    for (const [collection, { replica }] of replicas) {
      replica.batch(() => {
        for (const [index, entry] of batch.entries()) {
          const result = results[index];
          if (entry.collection !== collection || !result) continue;
          if (result.type === 'retry') later.set(entry.opId, result.error);
          replica.settle(entry.recordId, entry.opId, result);
        }
      });
    }
    settled();
    return later;
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failure: SyncLayerError | undefined;
    /** Answered with "retry" in this run: again in the next one, after its backoff. */
    const tried = new Set<string>();
    const open = (): OutboxEntry[] => heads().filter(({ opId }) => !tried.has(opId));
    for (let queue = open(); queue.length > 0 && !signal.aborted; queue = open()) {
      while (queue.length > 0 && !signal.aborted) {
        // Edits may have been merged, settled or replaced since the queue was made.
        const batch = queue.splice(0, BATCH).flatMap(({ collection, recordId, opId }) => {
          const head = replicas.get(collection)?.replica.head(recordId);
          return head?.opId === opId ? [head] : [];
        });
        if (batch.length > 0)
          for (const [opId, error] of await pushBatch(batch, signal)) {
            tried.add(opId);
            failure = error;
          }
      }
    }
    if (failure) throw failure;
  }

  return {
    /** Resolves when the outbox is empty or waits; rejects with why it could not be emptied. Joins a run under way. */
    push(signal: AbortSignal): Promise<void> {
      running ??= run(signal)
        .catch((error: unknown) => {
          if (isSyncLayerError(error)) throw error;
          throw toSyncLayerError(
            error,
            'CONNECTION_LOST',
            `Pushing through ${transport.name} failed; it is tried again.`,
          );
        })
        .finally(() => {
          running = undefined;
        });
      return running;
    },
  };
}
