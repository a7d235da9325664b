/** A JSON value: what every store, every wire and every backend can carry without loss. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A record's fields. Rows are plain JSON, are never mutated once stored, and always hold their own id under `id`. */
export type Row = { readonly [field: string]: unknown };

/**
 * Orders the changes of one record: a number, or a string that sorts (compared by UTF-16 code unit). Versions of
 * different records are never compared. The adapter makes it so; a `Date` would drop a timestamptz's microseconds.
 */
export type Version = number | string;

interface ChangeBase {
  readonly collection: string;
  readonly recordId: string;
  readonly version: Version;
  /** When the change was committed, in ms since 1970, by the server's clock. */
  readonly timestamp?: number;
  /**
   * When the newest edit in the row was made, in ms since 1970, by the server's clock, where the backend keeps it. Last write
   * wins compares it with the time of the local edit; where it is missing it has only `timestamp`, which is later.
   */
  readonly editedAt?: number;
  /**
   * The backend shows it as what it holds, not as one step of many, and its versions can go back (writers set them by their own
   * clocks). Where it is older than what is known, and not the same, core reads the row by its id.
   */
  readonly current?: true;
  /** What the backend said beside the row. `opId` names the push that caused the change, where the backend tells. */
  readonly metadata?: { readonly opId?: string; readonly [key: string]: unknown };
}

/** A row that was created. `data` is the whole row. */
export interface InsertChange extends ChangeBase {
  readonly type: 'insert';
  readonly data: Row;
}

/** A row that was changed. `data` is the whole row, unless `partial` says that fields are missing from it. */
export interface UpdateChange extends ChangeBase {
  readonly type: 'update';
  readonly data: Row;
  /**
   * `data` lacks fields. It is merged only into the row of version `baseVersion`, since only there the lacking fields
   * are known; otherwise the row is fetched.
   */
  readonly partial?: true;
  /** With `partial`: the version that this patch follows directly. */
  readonly baseVersion?: Version;
}

/** A row that is gone, or that this client may no longer see. */
export interface DeleteChange extends ChangeBase {
  readonly type: 'delete';
  /**
   * Nobody said which version was deleted; `version` is only what that cannot be newer than (when it was committed). Where
   * such a row is created again, any version from the deleted one on is taken.
   */
  readonly inferred?: true;
  /** The row may well exist, but not for this user (rights, a condition). Needs `inferred`; edits of it are kept aside. */
  readonly hidden?: true;
}

/**
 * What every backend's events become.
 *
 * @example
 * const change: Change = { type: 'update', collection: 'todos', recordId: '1', version: 8, data: { text: 'Milk' } };
 */
export type Change = InsertChange | UpdateChange | DeleteChange;

/**
 * Below 0, 0 or above 0, as `a` is older than, the same as or newer than `b`. A number is older than a string: a
 * backend uses one kind, and a total order must not depend on luck.
 *
 * @example
 * compareVersions(3, 10) < 0; // numbers by value
 * compareVersions('2026-01-02T00:00:00.000001Z', '2026-01-02T00:00:00.000002Z') < 0; // strings as they sort
 */
export function compareVersions(a: Version, b: Version): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
