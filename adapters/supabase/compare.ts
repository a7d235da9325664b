import { isSyncLayerError, type Row } from '../../src/adapter-kit/kit.js';
import { arrayLiteral, isRounded } from '../../src/adapter-kit/rewritten.js';
import { nameOf } from './query.js';
import type { Rest } from './rest.js';
import type { Table } from './table.js';

/** Whether a row has these values by the database's own comparison, which knows their types, or as it rounds them. */
export async function isThere(
  rest: Rest,
  table: Table,
  id: string,
  fields: Row,
  signal: AbortSignal,
): Promise<boolean> {
  const columns = Object.entries(table.toColumns(fields));
  // As text a number keeps its places.
  const texts = columns.map(([column], index) => `sl_${index}:${nameOf(column)}::text`).join(',');
  const ask = (conditions: typeof columns) =>
    rest.request(
      `Comparing a row of "${table.collection}"`,
      'read',
      table,
      (from) =>
        conditions.reduce(
          (query, [column, value]) =>
            query.filter(nameOf(column), 'eq', Array.isArray(value) ? arrayLiteral(value) : String(value)),
          from.select(texts).filter(nameOf(table.id), 'eq', id),
        ),
      signal,
    );
  try {
    const [row] = (await ask([])).rows;
    const others = columns.filter(([, value], index) => !isRounded(value, row?.[`sl_${index}`]));
    return row !== undefined && (others.length === 0 || (await ask(others)).rows.length > 0);
  } catch (error) {
    // A type has no such comparison (json), or the value is none of it.
    if (isSyncLayerError(error) && error.kind === 'fatal') return false;
    throw error;
  }
}
