import { disposition, isSyncLayerError, type Row } from '../../src/adapter-kit/kit.js';
import { isRounded } from '../../src/adapter-kit/rewritten.js';
import { asColumns } from './arrays.js';
import { allOf, keysDocument } from './documents.js';
import type { Rest } from './rest.js';
import type { Table } from './table.js';

/** Whether a row has these values by the database's own comparison, which knows their types, or as it rounds them. */
export async function isThere(
  rest: Rest,
  table: Table,
  there: Row & { readonly id?: unknown },
  fields: Row,
  arrays: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<boolean> {
  const { primaryKey, word, keyValue } = table;
  const others = Object.fromEntries(Object.entries(fields).filter(([field, value]) => !isRounded(value, there[field])));
  const conditions = Object.entries(asColumns(table.toColumns(others), arrays)).map(([column, value]) => ({
    [column]: { [word('_eq')]: value },
  }));
  if (conditions.length === 0) return true;
  const where = allOf({ [primaryKey]: { [word('_eq')]: keyValue(String(there.id)) } }, ...conditions);
  const what = `Comparing a row of "${table.collection}"`;
  try {
    return (await rest.rows(what, keysDocument(table), { where, limit: 1 }, signal)).rows.length > 0;
  } catch (error) {
    // A type has no such comparison (json), or the value is none of it.
    if (isSyncLayerError(error) && disposition(error.code) === 'fatal') return false;
    throw error;
  }
}
