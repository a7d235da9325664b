import type { Row } from '../base/change.js';
import { deepEqual } from '../base/json.js';
import type { StoredRecord } from './store.js';

/** A write that was parsed: its fields are known to be well formed. */
export interface Write {
  readonly type: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly recordId: string;
  /** Fields of an insert or update; empty for a delete. */
  readonly data: Row;
  /** Fields that an update removes. */
  readonly unset: readonly string[];
  readonly opId?: string;
  /** Compare-and-set; null: the record must not exist. Absent: unconditional. */
  readonly baseVersion?: number | null;
  /** When the edit was made, ms since 1970, as the writer says. */
  readonly editedAt?: number;
}

/** What a write would do to the record as it stands. */
export type Decision =
  | { readonly kind: 'change'; readonly type: 'insert' | 'update' | 'delete'; readonly data: Row | null }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'conflict' };

/** The row that a write asks for, were it applied to `current`; null for a delete. */
export function wantedRow(current: Row | null, { type, data, unset }: Write): Row | null {
  if (type === 'delete') return null;
  if (type === 'insert') return data;
  const row = { ...current, ...data };
  for (const field of unset) delete row[field];
  return row;
}

function isStale(current: StoredRecord | undefined, { type, baseVersion }: Write): boolean {
  if (baseVersion === undefined) return false;
  const live = Boolean(current?.data);
  if (baseVersion === null) return live;
  if (live) return current?.version !== baseVersion;
  // Deleted meanwhile. Only who deletes a tombstone that it knows finds nothing in the way.
  return type !== 'delete' || !current || baseVersion < current.version;
}

/** The rules of a write: replace, merge, compare-and-set. A write that changes nothing makes no new version. */
export function decide(current: StoredRecord | undefined, write: Write): Decision {
  if (isStale(current, write)) return { kind: 'conflict' };
  const before = current?.data ?? null;
  const data = wantedRow(before, write);
  if (deepEqual(before, data)) return { kind: 'unchanged' };
  return { kind: 'change', type: !data ? 'delete' : before ? 'update' : 'insert', data };
}
