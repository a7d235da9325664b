import { abortable, throwIfAborted } from '../base/abort.js';
import { isSyncLayerError, SyncLayerError, toSyncLayerError } from '../base/errors.js';
import type { Log } from '../observe/logger.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import { storedId, usualSpelling } from '../transport/key-spelling.js';
import type { PushResult, RealtimeTransport } from '../transport/transport.js';
import { beforeSignIn, type PushCircumstances, verdictOn } from './answer.js';
import { afterAnswer, FIRST_LIMITS, type SentBatch, sizeOf } from './batch-limits.js';
import type { Remote } from './collection/remote.js';
import { outgoing } from './outgoing.js';
import { type Remedy, remedyFor } from './push-trouble.js';
import type { OutboxEntry } from './replica-state.js';
import { takeBatch } from './take-batch.js';
import { msSince, tally } from './tally.js';

/** Conflicts of one record in one run. Somebody else may be first a few times, but not for ever. */
const MAX_CONFLICTS = 10;

export interface PusherOptions {
  readonly transport: RealtimeTransport;
  /** `mayPush`: false while edits must wait (the first pull from this backend is not done). */
  readonly collections: ReadonlyMap<string, { readonly replica: Remote; readonly mayPush: () => boolean }>;
  readonly clockOffset: () => number;
  /** Resolves once everything handed to the store so far is durable; rejects where it cannot be. */
  readonly flushed: () => Promise<void>;
  /** Called after each batch. */
  readonly settled: () => void;
  /** Nobody is signed in, and somebody may yet. */
  readonly awaitsSignIn: () => boolean;
  readonly log: Log;
}

interface Run {
  readonly signal: AbortSignal;
  done: Promise<void>;
  /** Edits and records that wait for the next run. */
  readonly tried: Set<string>;
  /** Of edits that wait for another row: how many edits had been taken before their last push. */
  readonly waiting: Map<string, number>;
  readonly conflicts: Map<string, number>;
  /** Edits that failed alone, without a reason: to blame if the backend takes others. */
  readonly suspects: (readonly [OutboxEntry, SyncLayerError])[];
  /** Edits that the backend has taken. */
  taken: number;
  /** A batch met a lock: from here on each batch is of one collection. */
  isApart: boolean;
  /** Collections that met one, and wait for the next run. */
  readonly blocked: Set<string>;
  failure: SyncLayerError | undefined;
}

interface Batch extends SentBatch {
  readonly entries: readonly OutboxEntry[];
}

/** How the push of one edit went, where nothing else is known. */
const ALONE: PushCircumstances = { touched: false, repeated: true };

/** An answer that was lost is asked for where sending the edits again takes more bytes than this. */
const WORTH_ASKING = 4096;

const recordOf = ({ collection, recordId }: OutboxEntry): string => JSON.stringify([collection, recordId]);

/** Sends the outbox, oldest edit first, one push at a time, until nothing is left that may go. */
export function createPusher({
  transport,
  collections,
  clockOffset,
  flushed,
  settled,
  awaitsSignIn,
  log,
}: PusherOptions) {
  const adapter = transport.name;
  let running: Run | undefined;
  let limits = FIRST_LIMITS;
  /** Batches in a row over which the backend failed without a reason. */
  let unclear = 0;
  /** Edits whose answer was lost: the backend may have them. */
  const lost = new Set<string>();
  /** Edits that failed alone. */
  const suspected = new Set<string>();
  /** Collections whose edits met a lock the last time: they go after the others, which it does not concern. */
  const locked = new Set<string>();

  /** Refused before: it goes after the others and apart from them, since it may spoil the whole batch. */
  const isDoubtful = ({ attempts, waiting, opId }: OutboxEntry): boolean =>
    attempts > 0 || waiting !== undefined || suspected.has(opId);

  const rankOf = (entry: OutboxEntry): number => (locked.has(entry.collection) ? 2 : isDoubtful(entry) ? 1 : 0);

  const inWords = (error: unknown): SyncLayerError =>
    toSyncLayerError(error, 'CONNECTION_LOST', `Pushing through ${adapter} failed; it is tried again.`);

  /** Every record's head edit, oldest first: a second edit of a record waits for the answer to its first. */
  const heads = (): OutboxEntry[] =>
    [...collections.values()]
      .flatMap(({ replica, mayPush }) => (mayPush() ? [...replica.pending.values()] : []))
      .map(({ entries }) => entries[0])
      .sort((a, b) => rankOf(a) - rankOf(b) || a.order - b.order);

  /** Those that may go now. */
  const open = ({ tried, blocked, waiting, taken }: Run): OutboxEntry[] =>
    heads().filter((entry) => {
      const record = recordOf(entry);
      return (
        !blocked.has(entry.collection) &&
        !tried.has(entry.opId) &&
        !tried.has(record) &&
        (waiting.get(entry.opId) ?? -1) < taken
      );
    });

  /** Takes as much from the front of the queue as goes into one push. */
  function take(queue: OutboxEntry[], { isApart }: Run): Batch {
    const sizeOfEntry = (entry: OutboxEntry): number => sizeOf(outgoing(entry, 0));
    const apart = (collection: string): boolean => isApart || locked.has(collection);
    const { entries, bytes } = takeBatch(queue, { limits, sizeOf: sizeOfEntry, isDoubtful, isApart: apart });
    return { entries, edits: entries.length, bytes, ms: 0 };
  }

  /** Edits may have been merged, settled or replaced since the queue was made. */
  const stillHead = ({ collection, recordId, opId }: OutboxEntry): OutboxEntry[] => {
    const head = collections.get(collection)?.replica.pending.get(recordId)?.entries[0];
    return head?.opId === opId ? [head] : [];
  };

  /** Those that the backend takes; edits of a collection that is read-only there keep no others back. */
  const writable = (batch: readonly OutboxEntry[], run: Run): OutboxEntry[] =>
    batch.filter(({ collection, opId }) => {
      if (capabilitiesOf(transport, collection).push) return true;
      run.tried.add(opId);
      const message = `The ${adapter} transport is read-only for "${collection}"; its edits stay in the outbox.`;
      run.failure = new SyncLayerError('UNSUPPORTED', message, { adapter });
      return false;
    });

  async function pushBatch(heads: readonly OutboxEntry[], run: Run): Promise<void> {
    const { signal } = run;
    const batch = writable(heads, run);
    if (batch.length === 0) return;
    // On the disk before it leaves, so that it is known again after a crash. A store that fails keeps nothing back: the backend is
    // then the only place where the edit is safe.
    for (const [collection, { replica }] of collections)
      replica.markSent(batch.filter((entry) => entry.collection === collection));
    await flushed().catch(() => undefined);
    throwIfAborted(signal);
    const changes = batch.map((entry) => outgoing(entry, clockOffset()));
    const touched = new Map([...collections].map(([collection, { replica }]) => [collection, replica.track()]));
    let results: PushResult[];
    const startedAt = performance.now();
    try {
      results = await abortable(transport.push(changes, { signal }), signal);
    } finally {
      for (const { stop } of touched.values()) stop();
    }
    throwIfAborted(signal);
    if (results.filter(Boolean).length !== batch.length) {
      const message = `The ${adapter} transport answered ${results.length} of ${batch.length} pushed changes.`;
      throw new SyncLayerError('PROTOCOL_VIOLATION', message, { adapter });
    }
    for (const collection of new Set(batch.map((entry) => entry.collection)))
      log('debug', 'push', () => {
        const own = results.filter((_, index) => batch[index]?.collection === collection);
        return { collection, edits: own.length, ...tally(own.map(({ type }) => type)), ms: msSince(startedAt) };
      });
    const before = run.taken;
    // One commit and one notification for the whole batch.
    for (const [collection, { replica }] of collections) {
      replica.batch(() => {
        for (const [index, entry] of batch.entries()) {
          const answer = results[index];
          if (entry.collection !== collection || !answer) continue;
          const ids = touched.get(collection)?.ids;
          const how = {
            touched: [entry.recordId, storedId(entry.recordId, answer)].some((id) => id !== undefined && ids?.has(id)),
            repeated: entry.sent,
          };
          const result = beforeSignIn(answer, awaitsSignIn());
          defer(entry, result, settle(entry, result, how), run, before);
        }
      });
    }
    settled();
  }

  /** False: the same edit is sent again. */
  function settle({ collection, recordId, opId }: OutboxEntry, answer: PushResult, how = ALONE): boolean {
    const result = beforeSignIn(answer, awaitsSignIn());
    const replica = collections.get(collection)?.replica;
    const keys = { usual: usualSpelling(recordId), stored: storedId(recordId, result) };
    return replica?.settle(recordId, opId, keys, (edits, rules) => verdictOn(edits, result, how, rules)) ?? true;
  }

  /** Leaves an edit to a later run, after its backoff, if the backend wants that or will not let it through. */
  function defer(entry: OutboxEntry, result: PushResult, settled: boolean, run: Run, before: number): void {
    const record = recordOf(entry);
    if (result.type === 'applied') run.taken += 1;
    else if (result.type === 'waiting') run.waiting.set(entry.opId, before);
    else if (result.type === 'retry') {
      run.tried.add(entry.opId);
      run.failure = result.error;
    } else if (result.type === 'conflict') {
      const count = (run.conflicts.get(record) ?? 0) + 1;
      run.conflicts.set(record, count);
      // Sent again at once it would meet the same: a read that lags behind is asked again later.
      if (count < MAX_CONFLICTS && settled) return;
      run.tried.add(record);
      const message = `An edit of "${entry.collection}" met ${count} conflicts in a row; it is tried again.`;
      run.failure = new SyncLayerError('CONFLICT', message, { adapter });
    }
  }

  /** The backend takes others: what failed alone is to blame, this once, unless it was a lock or a timeout. */
  function blame(run: Run): void {
    if (run.taken === 0) return;
    for (const [entry, error] of run.suspects.splice(0))
      if (error.details.passing !== true) settle(entry, { type: 'retry', error });
  }

  /** Pushes a batch. Returns those of its edits that have to go at once, in smaller batches. Throws what ends the run. */
  async function attempt({ entries, bytes }: Batch, run: Run): Promise<OutboxEntry[]> {
    const startedAt = performance.now();
    const sent = (): SentBatch => ({ edits: entries.length, bytes, ms: performance.now() - startedAt });
    try {
      await pushBatch(entries, run);
      limits = afterAnswer(limits, sent());
      unclear = 0;
      for (const { opId } of entries) for (const noted of [lost, suspected]) noted.delete(opId);
      for (const { collection } of entries) locked.delete(collection);
      blame(run);
      return [];
    } catch (thrown) {
      for (const { opId, local } of entries) if (local && bytes > WORTH_ASKING) lost.add(opId);
      throwIfAborted(run.signal);
      const error = inWords(thrown);
      const took = sent();
      const known = { taken: run.taken > 0, doubtful: entries.some(isDoubtful) };
      const state = { error, batch: entries, sent: took, limits, unclear, ...known };
      const found = remedyFor(state);
      limits = found.limits;
      if (error.details.unclear) unclear += 1;
      return apply(found.remedy, entries, error, run);
    }
  }

  function apply(remedy: Remedy, entries: readonly OutboxEntry[], error: SyncLayerError, run: Run): OutboxEntry[] {
    const [first] = entries;
    if (first && remedy.type === 'wait' && error.details.passing === true) return apart(entries, first, error, run);
    // A second one that fails alone, and none that is taken: it is not the edits.
    if (!first || remedy.type === 'wait' || (remedy.type === 'suspect' && run.suspects.length > 0)) throw error;
    if (remedy.type === 'halve') return [...entries];
    if (remedy.type === 'reject') settle(first, { type: 'rejected', error: remedy.error });
    else {
      suspected.add(first.opId);
      run.suspects.push([first, error]);
      run.tried.add(first.opId);
      run.failure = error;
      blame(run);
    }
    return [];
  }

  /** A lock is of one table, as a rule: the edits of other collections need not wait for it. */
  function apart(
    entries: readonly OutboxEntry[],
    { collection }: OutboxEntry,
    error: SyncLayerError,
    run: Run,
  ): OutboxEntry[] {
    run.isApart = true;
    if (entries.some((entry) => entry.collection !== collection)) return [...entries];
    run.failure = error;
    locked.add(collection);
    run.blocked.add(collection);
    return [];
  }

  /** Asks for the rows of edits whose answer was lost: those that are in need not be sent again. */
  async function recall(run: Run): Promise<void> {
    const { signal } = run;
    const queue = heads().filter(({ opId }) => lost.has(opId));
    // Once: where this gets no answer either they are sent.
    lost.clear();
    if (!transport.fetch) return;
    try {
      while (queue.length > 0) {
        const { entries } = take(queue, run);
        for (const [collection, { replica }] of collections) {
          const ids = entries.filter((entry) => entry.collection === collection).map(({ recordId }) => recordId);
          if (ids.length === 0) continue;
          const rows = await abortable(transport.fetch(collection, ids, { signal }), signal);
          throwIfAborted(signal);
          replica.apply(rows);
        }
      }
    } catch (error) {
      // A user who may write need not be allowed to read.
      if (!isSyncLayerError(error) || error.kind !== 'fatal') throw error;
    }
  }

  async function pushAll(run: Run): Promise<void> {
    try {
      if (lost.size > 0) await recall(run);
      for (let queue = open(run); queue.length > 0; queue = open(run)) {
        while (queue.length > 0) {
          const batch = take(queue, run);
          const entries = batch.entries.flatMap(stillHead).filter(({ collection }) => !run.blocked.has(collection));
          if (entries.length > 0) queue.unshift(...(await attempt({ ...batch, entries, edits: entries.length }, run)));
        }
      }
      if (run.failure) throw run.failure;
    } catch (error) {
      throw inWords(error);
    } finally {
      // In the same breath as the last look at the outbox: an edit made later must not join a run that has ended.
      if (running === run) running = undefined;
    }
  }

  return {
    /** Resolves when the outbox is empty or waits; rejects with why it could not be emptied. Joins a run under way. */
    push(signal: AbortSignal): Promise<void> {
      if (running && !running.signal.aborted) return running.done;
      const run: Run = {
        signal,
        done: Promise.resolve(),
        tried: new Set(),
        waiting: new Map(),
        conflicts: new Map(),
        suspects: [],
        taken: 0,
        isApart: false,
        blocked: new Set(),
        failure: undefined,
      };
      running = run;
      run.done = pushAll(run);
      return run.done;
    },
    /** Edits that wait for another row to be there. */
    waiting: (): OutboxEntry[] => heads().filter(({ waiting }) => waiting),
  };
}

export type Pusher = ReturnType<typeof createPusher>;
