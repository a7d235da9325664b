import { isObject } from '../base/is-object.js';
import type { Change, Row } from './kit.js';
import { hasLoneSurrogate } from './lone-surrogate.js';
import { noted } from './marks.js';
import { stampOf, timeOf, versionOf } from './postgres-time.js';

/** A row as the API in front of the database gives it. */
export type Columns = Readonly<Record<string, unknown>>;

/** Which columns say what a row is. */
export interface Housekeeping {
  readonly collection: string;
  readonly id: string;
  readonly updatedAt: string;
  readonly deletedAt: string | undefined;
  readonly opId?: string | undefined;
  readonly editedAt?: string | undefined;
  /** The row's own fields. */
  toRow(columns: Columns): Row;
}

/** A key as it came in JSON, where a large number has been rounded to another record's. */
export function keyOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Half of a surrogate pair and NUL are no text to PostgreSQL. */
export const isText = (text: string): boolean => !hasLoneSurrogate(text) && !text.includes('\0');

/** Asked for, any other id would match another row. */
export const isSendable = (id: string): boolean => id !== '' && isText(id);

/** What the notes of writes say of a row. */
export function notesOf({ opId, editedAt }: Pick<Housekeeping, 'opId' | 'editedAt'>, row: Columns, committed: number) {
  const edited = editedAt === undefined ? undefined : stampOf(row[editedAt]);
  return noted(
    opId === undefined ? undefined : row[opId],
    edited === undefined ? undefined : timeOf(edited),
    committed,
  );
}

/** A row that was read, as a change; undefined if its key or `updatedAt` says nothing. Throws what `toRow` throws. */
export function changeOf(table: Housekeeping, row: unknown): Exclude<Change, { type: 'insert' }> | undefined {
  if (!isObject(row)) return undefined;
  const { collection, id: key, updatedAt, deletedAt, toRow } = table;
  const recordId = keyOf(row[key]);
  const stamp = stampOf(row[updatedAt]);
  if (recordId === undefined || stamp === undefined) return undefined;
  const timestamp = timeOf(stamp);
  const base = { collection, recordId, version: versionOf(stamp), timestamp, ...notesOf(table, row, timestamp) };
  if (deletedAt !== undefined && (row[deletedAt] ?? null) !== null) return { type: 'delete', ...base };
  // Reads do not tell insert from update; core does, by what it has.
  return { type: 'update', ...base, data: { ...toRow(row), id: recordId } };
}
