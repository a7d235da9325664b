import { disposition, isObject, isSyncLayerError, type OutgoingChange } from '../../src/adapter-kit/kit.js';
import { arrayLiteral } from '../../src/adapter-kit/rewritten.js';
import type { Rest } from './rest.js';
import type { Table } from './table.js';

/** Columns of each table that are PostgreSQL arrays. */
const known = new WeakMap<Table, Promise<ReadonlySet<string>>>();

/** What Hasura calls such a type: `_text`. */
const isArrayType = (type: unknown): boolean => {
  const { name, ofType } = Object(type) as { readonly name?: unknown; readonly ofType?: unknown };
  return typeof name === 'string' ? name.startsWith('_') : isObject(ofType) && isArrayType(ofType);
};

async function ask(rest: Rest, table: Table, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const declared = table.fields.filter(({ type }) => type === 'array').map(({ column }) => column);
  const query = 'query ($name: String!) { __type(name: $name) { inputFields { name type { name ofType { name } } } } }';
  const what = `Asking for the types of "${table.collection}"`;
  try {
    const { data } = await rest.request(what, 'read', query, { name: table.types.insert }, signal);
    const { inputFields } = Object(data.__type) as { readonly inputFields?: readonly unknown[] };
    const found = (inputFields ?? []).flatMap((field) => {
      const { name, type } = Object(field) as { readonly name?: unknown; readonly type?: unknown };
      return typeof name === 'string' && isArrayType(type) ? name : [];
    });
    return new Set([...declared, ...found]);
  } catch (error) {
    // Introspection is disabled for this role: then the configuration has to say it.
    if (isSyncLayerError(error) && disposition(error.code) === 'fatal') return new Set(declared);
    throw error;
  }
}

/** The columns of a table that want a list as an array literal. Asked once, and only where a list is written. */
export async function arraysOf(
  rest: Rest,
  table: Table,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (!changes.some(({ data }) => Object.values(data ?? {}).some(Array.isArray))) return new Set();
  const asked = known.get(table) ?? ask(rest, table, signal);
  known.set(table, asked);
  try {
    return await asked;
  } catch (error) {
    known.delete(table);
    throw error;
  }
}

/** Values as their columns take them. */
export const asColumns = (
  columns: Readonly<Record<string, unknown>>,
  arrays: ReadonlySet<string>,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(columns).map(([column, value]) => [
      column,
      Array.isArray(value) && arrays.has(column) ? arrayLiteral(value) : value,
    ]),
  );
