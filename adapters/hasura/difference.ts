import { type Change, isObject } from '../../src/adapter-kit/kit.js';
import { type Columns, keyOf } from '../../src/adapter-kit/postgres-rows.js';
import { stampAt, versionOf } from '../../src/adapter-kit/postgres-time.js';
import type { Table } from './table.js';

/** Newer than every version up to this time, and older than all that come later. */
export const boundOf = (stamp: string): string => `${versionOf(stamp)}~`;

/** A row is gone, and nobody said which version: `at` is the server's time when it was not there, in ms. */
export const gone = (collection: string, recordId: string, at: number): Change => ({
  type: 'delete',
  collection,
  recordId,
  version: boundOf(stampAt(at)),
  timestamp: at,
  inferred: true,
});

/** What differs between two results of a live query. */
export interface Difference {
  /** New rows, and those with another `updatedAt`. */
  readonly changed: readonly Columns[];
  /** Keys of rows that are in the old one only. */
  readonly missing: readonly string[];
  /** Rows without a usable key or time. */
  readonly malformed: number;
  /** The new result: each row's time, verbatim, by its key. */
  readonly times: ReadonlyMap<string, unknown>;
}

/** Compares by key and `updatedAt` alone: it has to be done for each change of any row. */
export function difference(
  { primaryKey, updatedAt }: Table,
  old: ReadonlyMap<string, unknown>,
  rows: readonly unknown[],
): Difference {
  const changed: Columns[] = [];
  const times = new Map<string, unknown>();
  let malformed = 0;
  let kept = 0;
  for (const row of rows) {
    const id = isObject(row) ? keyOf(row[primaryKey]) : undefined;
    if (id === undefined) {
      malformed += 1;
      continue;
    }
    const time = (row as Columns)[updatedAt];
    const before = old.get(id);
    if (before !== undefined) kept += 1;
    if (before !== time) changed.push(row as Columns);
    times.set(id, time);
  }
  const missing = kept < old.size ? [...old.keys()].filter((id) => !times.has(id)) : [];
  return { changed, missing, malformed, times };
}
