/** The three tables of a local store. Keys are unique within a table. */
export type StoreTable = 'rows' | 'outbox' | 'meta';

/** One write. `value: undefined` removes the key. Values are plain JSON. */
export interface StoreWrite {
  readonly table: StoreTable;
  /** Rows: `[collection, recordId]`; outbox: `[collection, opId]`; meta: `[collection, name]`, or `['', name]`. */
  readonly key: readonly [collection: string, id: string];
  readonly value: unknown;
  /** Somebody has seen that the value is plain JSON: nobody need look again. */
  readonly checked?: true;
}

/** A stored entry as it is read back. */
export interface StoreEntry {
  readonly id: string;
  readonly value: unknown;
}

/**
 * Where local data lives. Core reads it once, at opening, and from then on only writes: reads come from memory.
 *
 * @example
 * const store: LocalStore = memoryStore();
 * await store.commit([{ table: 'rows', key: ['todos', '1'], value: { data: { id: '1' }, version: 1 } }]);
 */
export interface LocalStore {
  readonly name: string;
  /** It keeps nothing, and no write is worth the way to it. */
  readonly volatile?: true;
  /**
   * Opens it, exclusively. Throws STORE_FAILED with what to do when it is open elsewhere, then with `details: { busy: true }`: it is
   * tried again for some seconds, since who has it may be closing it.
   */
  open(): Promise<void>;
  /** Every entry of one table and collection, in pages of any size, in no promised order. */
  read(table: StoreTable, collection: string): AsyncIterable<readonly StoreEntry[]>;
  /**
   * All of these writes, durably, or none. Never called again before it has settled. Where the store finds that it was emptied
   * since it was opened (its file or database was deleted) it throws STORE_FAILED with `details: { emptied: true }`, once: what
   * comes next begins with everything. A part, written into the empty store, would pass for the whole.
   */
  commit(writes: readonly StoreWrite[]): Promise<void>;
  /** Removes everything. */
  clear(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
