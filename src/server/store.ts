import type { Row } from '../base/change.js';

/** One record as it was last committed. `data: null`: a tombstone. */
export interface StoredRecord {
  readonly id: string;
  readonly data: Row | null;
  /** Its place in the collection's commit order: version and sequence number are the same. */
  readonly version: number;
  /** The server's time of the commit, ms since 1970. */
  readonly updatedAt: number;
  /** When its newest edit was made, ms since 1970, never later than the commit; absent where the writer did not say. */
  readonly editedAt?: number;
}

/** What became of a write that carried an `opId`. */
export interface StoredOp {
  readonly version: number;
  /** ms since 1970 */
  readonly at: number;
}

export interface PageQuery {
  /** Records whose version is above this. */
  readonly after: number;
  readonly limit: number;
  /** Only records committed at or after this time, ms since 1970. */
  readonly changedFrom?: number;
}

/**
 * Where the server keeps its records. Every call is synchronous: the check of a write, its commit and its broadcast are
 * one step, so no event can overtake another. One server at a time uses a store; after `close` it may be opened again.
 */
export interface ServerStore {
  /** `now` is the server's clock, ms since 1970. */
  open(now: () => number): void;
  close(): void;
  /** Commits all that `run` wrote, or, if it throws, nothing. */
  transaction<T>(run: () => T): T;
  /** The highest sequence number given out. It never goes back, not even if a store starts empty again. */
  seq(collection: string): number;
  /** Tombstones up to this sequence number may be gone: a cursor below it needs a snapshot. */
  oldestSeq(collection: string): number;
  /** How many live records there are. */
  count(collection: string): number;
  get(collection: string, id: string): StoredRecord | undefined;
  /** Ordered by version, tombstones among them. It is read in one go: nothing is written while it is open. */
  page(collection: string, query: PageQuery): Iterable<StoredRecord>;
  /** Adds or replaces a record; its version must be above `seq(collection)`. */
  put(collection: string, record: StoredRecord): void;
  op(collection: string, id: string, opId: string): StoredOp | undefined;
  putOp(collection: string, id: string, opId: string, op: StoredOp): void;
  /** Forgets tombstones and ops that are older than these times, ms since 1970. */
  purge(before: { readonly tombstones: number; readonly ops: number }): void;
}
