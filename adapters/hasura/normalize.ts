import type { Change, Cursor } from '../../src/kit.js';
import type { Table } from './table.js';
import { stampAt, stampOf, timeOf, versionOf } from './version.js';

type Columns = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Columns =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A key as it came in JSON, where a large number has been rounded to another record's. */
export function keyOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/**
 * A row that was read, as a change; undefined if its key or `updatedAt` says nothing. Throws PROTOCOL_VIOLATION for a number
 * that JSON has rounded.
 */
export function fromRow(table: Table, row: unknown): Exclude<Change, { type: 'insert' }> | undefined {
  if (!isObject(row)) return undefined;
  const { collection, primaryKey, updatedAt, deletedAt } = table;
  const recordId = keyOf(row[primaryKey]);
  const stamp = stampOf(row[updatedAt]);
  if (recordId === undefined || stamp === undefined) return undefined;
  const base = { collection, recordId, version: versionOf(stamp), timestamp: timeOf(stamp) };
  if (deletedAt !== undefined && (row[deletedAt] ?? null) !== null) return { type: 'delete', ...base };
  // Nothing here tells insert from update; core does, by what it has.
  return { type: 'update', ...base, data: { ...table.toRow(row), id: recordId } };
}

/** Where a catch-up stands: behind the row (`at`, `id`). */
export interface TimeCursor {
  /** Verbatim. */
  readonly at: string;
  readonly id: string;
  /** The newest stamp so far: the next catch-up steps back from it, wherever this one was interrupted. */
  readonly max: string;
}

/** Undefined: from the beginning. */
export const cursorOf = (cursor: Cursor | null): TimeCursor | undefined =>
  isObject(cursor) && typeof cursor.at === 'string' && typeof cursor.id === 'string' && typeof cursor.max === 'string'
    ? (cursor as unknown as TimeCursor)
    : undefined;

const later = (a: string, b: string): string => (a > b ? a : b);

/** The cursor behind a page; undefined: the page is empty. A row from the future must not hide those of the present. */
export function cursorAfter(
  table: Table,
  rows: readonly Columns[],
  from: TimeCursor | undefined,
  serverTime: number | undefined,
): TimeCursor | undefined {
  const last = rows.at(-1);
  if (!last) return undefined;
  const now = serverTime === undefined ? undefined : stampAt(serverTime);
  const stamps = rows.flatMap((row) => {
    const stamp = stampOf(row[table.updatedAt]);
    return stamp === undefined || (now !== undefined && stamp > now) ? [] : stamp;
  });
  const max = [...stamps, from?.max ?? ''].reduce(later);
  return { at: String(last[table.updatedAt]), id: String(last[table.primaryKey]), max };
}
