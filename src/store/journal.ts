import { SyncLayerError, toSyncLayerError } from '../errors.js';
import { checkWrites } from './check-writes.js';
import type { LocalStore, StoreWrite } from './store.js';

/** A commit is one blocking transaction in SQLite: this many small rows take it some 30 ms. */
const MAX_BATCH = 2_000;

export interface JournalOptions {
  /** Called once for each commit that failed. Its writes are kept, and go again. */
  readonly onError: (error: SyncLayerError) => void;
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
   * Resolves when all that was appended so far is durable. Rejects when a commit fails first: the writes are kept and
   * go again, with the next `append` or `flushed`, and by themselves after the retry delay.
   */
  flushed(): Promise<void>;
  /** Writes that are not yet durable. */
  readonly pending: number;
  /** Removes everything: what is pending and what is stored. Later appends come after it. */
  clear(): Promise<void>;
  /** Commits what is pending, and rejects if that failed. The store stays open. Idempotent. */
  close(): Promise<void>;
}

/** Appends that share one commit: the last write of each key, and who waits for it. */
interface Batch {
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
 * only inside its own batch: taken out of an earlier batch, it would tear that batch's appends apart.
 *
 * @example
 * const journal = createJournal(store, { onError: (error) => log.warn(error.message) });
 * journal.append([{ table: 'rows', key: ['todos', '1'], value: row }, { table: 'outbox', key: ['todos', 'op1'], value: op }]);
 * await journal.flushed();
 */
export function createJournal(store: LocalStore, { onError, retryDelay = doubling }: JournalOptions): Journal {
  /** Oldest first: the first one is the one in flight. */
  const batches: Batch[] = [];
  let inFlight: Batch | undefined;
  let running: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let lastError: SyncLayerError | undefined;

  function batchFor(count: number): Batch {
    const last = batches.at(-1);
    if (last !== undefined && last !== inFlight && last.writes.size + count <= MAX_BATCH) return last;
    const batch: Batch = { writes: new Map(), waiting: [] };
    batches.push(batch);
    return batch;
  }

  async function run(): Promise<void> {
    // Whatever the same synchronous burst still appends shares this commit.
    await null;
    clearTimeout(retryTimer);
    for (inFlight = batches[0]; inFlight !== undefined; inFlight = batches[0]) {
      try {
        await store.commit([...inFlight.writes.values()]);
      } catch (thrown) {
        fail(toSyncLayerError(thrown, 'STORE_FAILED', `The ${store.name} store could not save; it is tried again.`));
        return;
      }
      failures = 0;
      batches.shift();
      for (const { resolve } of inFlight.waiting) resolve();
    }
    running = undefined;
  }

  function fail(error: SyncLayerError) {
    inFlight = undefined;
    running = undefined;
    lastError = error;
    failures++;
    if (closing === undefined) retryTimer = setTimeout(start, retryDelay(failures));
    // Order is kept, so what comes after the failed batch is not durable either.
    for (const { waiting } of batches) for (const { reject } of waiting.splice(0)) reject(error);
    onError(error);
  }

  function start() {
    running ??= run();
  }

  async function wipe() {
    clearTimeout(retryTimer);
    // Kept, these would be written again into the empty store. Whoever waits for them has nothing to wait for now.
    for (const { waiting } of batches.splice(0)) for (const { resolve } of waiting) resolve();
    await null;
    try {
      await store.clear();
    } finally {
      running = undefined;
      if (batches.length > 0) start();
    }
  }

  async function drain() {
    clearTimeout(retryTimer);
    await running;
    // Also where the commit that was in flight has just failed: one more try.
    if (batches.length > 0) start();
    await running;
    if (batches.length > 0) throw lastError;
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
      const last = batches.at(-1);
      if (last === undefined) return;
      // After close there is no further try.
      if (closing !== undefined && running === undefined) throw lastError;
      start();
      await new Promise<void>((resolve, reject) => last.waiting.push({ resolve, reject }));
    },
    get pending() {
      return batches.reduce((sum, { writes }) => sum + writes.size, 0);
    },
    async clear() {
      assertOpen();
      while (running !== undefined) await running;
      assertOpen();
      const wiping = wipe();
      running = wiping.catch(() => {});
      await wiping;
    },
    close() {
      closing ??= drain();
      return closing;
    },
  };
}
