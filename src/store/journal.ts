import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { checkWrites } from './check-writes.js';
import type { LocalStore, StoreWrite } from './store.js';

/** A commit is one blocking transaction in SQLite: this many small rows take it some 30 ms. */
const MAX_BATCH = 2_000;

/** How long a store may take for one commit, in ms. A slow disk takes seconds; what takes longer may never answer. */
const LIMIT = 20_000;

export interface JournalOptions {
  /** Called once when the store begins to fail, however often it is tried until it works again. */
  readonly onError: (error: SyncLayerError) => void;
  /**
   * Loads what gives everything that the store should hold, in the order in which it is to be written. Asked where the store
   * says that it came back empty: what changes alone would pass for the whole there.
   */
  readonly everything?: () => Promise<() => readonly StoreWrite[]>;
  /** Ms to wait before the next try, after `failures` (1, 2, ...) in a row. Default: 1 s, doubling up to 30 s. */
  readonly retryDelay?: (failures: number) => number;
}

/** Writes on their way to the disk. */
export interface Journal {
  /**
   * Adds writes, which land together in one commit. Throws VALIDATION_FAILED, and adds nothing, when a value is not
   * plain JSON; CLOSED after `close`.
   */
  append(writes: readonly StoreWrite[]): void;
  /**
   * Resolves when all that was appended so far is durable. Rejects when a commit fails first, or does not answer within
   * 20 s: the writes are kept and go again, with the next `append` or `flushed`, and by themselves after the retry delay.
   */
  flushed(): Promise<void>;
  /** Writes that are not yet durable. */
  readonly pending: number;
  /** Removes everything: what is pending and what is stored. Later appends come after it. */
  clear(): Promise<void>;
  /** Commits what is pending, and rejects if that failed. The store stays open. Idempotent. */
  close(): Promise<void>;
}

/** Appends that share one commit: the last write of each key, and who waits for it. `wipe`: what removes all that came before. */
interface Batch {
  readonly wipe?: true;
  readonly writes: Map<string, StoreWrite>;
  readonly waiting: { resolve(): void; reject(error: SyncLayerError): void }[];
}

const doubling = (failures: number) => Math.min(1_000 * 2 ** (failures - 1), 30_000);

/** The length says where the collection ends, so that no two keys look alike. */
const keyOf = ({ table, key }: StoreWrite) => `${table}${key[0].length}:${key[0]}${key[1]}`;

/**
 * A write-behind queue in front of an open store. One commit is in flight at a time; whatever is appended meanwhile
 * shares the next one, so that many small saves cost few trips to the disk.
 *
 * Batches are committed in order, and cut only between two appends. A write replaces an earlier one of the same key
 * only inside its own batch: taken out of an earlier batch, it would tear that batch's appends apart. While the store
 * fails all that waits becomes one batch, so that it is bounded by what there is to store.
 *
 * @example
 * const journal = createJournal(store, { onError: (error) => log.warn(error.message) });
 * journal.append([{ table: 'rows', key: ['todos', '1'], value: row }, { table: 'outbox', key: ['todos', 'op1'], value: op }]);
 * await journal.flushed();
 */
export function createJournal(
  store: LocalStore,
  { onError, everything, retryDelay = doubling }: JournalOptions,
): Journal {
  /** Oldest first: the first one is the one in flight. */
  const batches: Batch[] = [];
  let inFlight: Batch | undefined;
  let running: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let closed = false;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let lastError: SyncLayerError | undefined;
  /** The store has not answered within the limit. Nothing else can be asked of it until it does. */
  let stuck = false;
  /** The store came back empty: everything is to be written again. */
  let emptied = false;

  function batchFor(count: number): Batch {
    const last = batches.at(-1);
    if (last !== undefined && last !== inFlight && !last.wipe && last.writes.size + count <= MAX_BATCH) return last;
    const batch: Batch = { writes: new Map(), waiting: [] };
    batches.push(batch);
    return batch;
  }

  /** The store's own answer, however long it takes, since it is never asked twice at a time. Others wait no longer than the limit. */
  async function answer(work: Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      stuck = true;
      const message = `The ${store.name} store has not answered for ${LIMIT / 1000} s. Edits stay in memory and are sent; keep this open until sync.status.pending is 0.`;
      fail(new SyncLayerError('STORE_FAILED', message, { adapter: store.name }));
    }, LIMIT);
    try {
      await work;
    } finally {
      clearTimeout(timer);
      stuck = false;
    }
  }

  function report(error: SyncLayerError): void {
    lastError = error;
    failures += 1;
    if (failures === 1) onError(error);
  }

  function fail(error: SyncLayerError): void {
    // Order is kept, so what comes after the failed batch is not durable either.
    for (const { waiting } of batches) for (const { reject } of waiting.splice(0)) reject(error);
    report(error);
  }

  async function run(): Promise<void> {
    // Whatever the same synchronous burst still appends shares this commit.
    await null;
    clearTimeout(retryTimer);
    for (inFlight = batches[0]; inFlight !== undefined && !closed; inFlight = batches[0]) {
      try {
        if (emptied && everything) {
          const collect = await everything();
          beginAgain(collect());
          emptied = false;
          continue;
        }
        await answer(inFlight.wipe ? store.clear() : store.commit([...inFlight.writes.values()]));
        if (inFlight.wipe) emptied = false;
      } catch (thrown) {
        const message = `The ${store.name} store could not ${inFlight.wipe ? 'be cleared' : 'save'}; it is tried again.`;
        const error = toSyncLayerError(thrown, 'STORE_FAILED', message);
        if (error.details.emptied === true && !emptied) {
          emptied = true;
          report(error);
          continue;
        }
        inFlight = undefined;
        running = undefined;
        mergeBatches();
        if (closing === undefined) retryTimer = setTimeout(start, retryDelay(failures + 1));
        fail(error);
        return;
      }
      failures = 0;
      batches.shift();
      for (const { resolve } of inFlight.waiting) resolve();
    }
    inFlight = undefined;
    running = undefined;
  }

  /** Who waits for any of these batches waits for all. */
  function replaceBatches(next: readonly Batch[]): void {
    const waiting = batches.splice(0, batches.length, ...next).flatMap((batch) => batch.waiting);
    batches.at(-1)?.waiting.push(...waiting.splice(0));
    for (const { resolve } of waiting) resolve();
  }

  /** What is wiped need not be written. */
  function mergeBatches(): void {
    if (batches.length < 2) return;
    const wipe = batches.map((batch) => batch.wipe).lastIndexOf(true);
    const writes = new Map(batches.slice(wipe + 1).flatMap((batch) => [...batch.writes]));
    replaceBatches([...batches.slice(wipe, wipe + 1), ...(writes.size > 0 ? [{ writes, waiting: [] }] : [])]);
  }

  /** The store is empty: what waits is a part of what it must get. */
  function beginAgain(writes: readonly StoreWrite[]): void {
    const next: Batch[] = [];
    for (let from = 0; from < writes.length; from += MAX_BATCH) {
      const part = writes.slice(from, from + MAX_BATCH);
      next.push({ writes: new Map(part.map((write) => [keyOf(write), write])), waiting: [] });
    }
    replaceBatches(next);
  }

  function start() {
    running ??= run();
  }

  /** Resolves when all that waits now is durable; rejects with why it is not. */
  async function durable(): Promise<void> {
    const last = batches.at(-1);
    if (last === undefined) return;
    if (stuck) throw lastError;
    start();
    await new Promise<void>((resolve, reject) => last.waiting.push({ resolve, reject }));
  }

  async function drain() {
    clearTimeout(retryTimer);
    // Where the commit that is in flight fails there is one more try.
    if (running !== undefined) await durable().catch(() => undefined);
    try {
      await durable();
    } finally {
      closed = true;
    }
  }

  function assertOpen() {
    if (closing === undefined) return;
    throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.', {
      adapter: store.name,
    });
  }

  return {
    append(writes) {
      assertOpen();
      checkWrites(writes);
      if (writes.length === 0 || store.volatile) return;
      const batch = batchFor(writes.length);
      for (const write of writes) batch.writes.set(keyOf(write), write);
      start();
    },
    async flushed() {
      if (store.volatile) await store.commit([]);
      // After close there is no further try.
      if (closing !== undefined && running === undefined && batches.length > 0) throw lastError;
      await durable();
    },
    get pending() {
      return batches.reduce((sum, { writes }) => sum + writes.size, 0);
    },
    async clear() {
      assertOpen();
      // Kept, these would be written again into the empty store. Whoever waits for them has nothing to wait for now.
      for (const { waiting } of batches.splice(inFlight ? 1 : 0)) for (const { resolve } of waiting) resolve();
      batches.push({ wipe: true, writes: new Map(), waiting: [] });
      await durable();
    },
    close() {
      closing ??= drain();
      return closing;
    },
  };
}
