import type { Table } from './table.js';

/** A request's text. Every root field is called `rows`, so that answers read alike. */
export type Document = string;

/** A Hasura condition. It goes into a variable whose type Hasura made: so no column's own type need be known. */
export type Where = object;

export const given = ({ types }: Table): string => `$where: ${types.where}!`;

/** All of these; undefined ones are left out. */
export const allOf = (...conditions: readonly (Where | undefined)[]): Where => ({
  _and: conditions.filter((condition) => condition !== undefined),
});

/** One entry for each column: in one object, Hasura sorts by the columns' names. */
export const order = (table: Table, columns: readonly string[], direction: 'asc' | 'desc' = 'asc'): string =>
  `${table.word('order_by')}: [${columns.map((column) => `{${column}: ${table.direction(direction)}}`).join(', ')}]`;

const rowsBy = (table: Table, columns: readonly string[], selection: string): Document =>
  `query (${given(table)}, $limit: Int!) { rows: ${table.roots.select}(where: $where, ${order(table, columns)}, limit: $limit) { ${selection} } }`;

/** Rows in the order of (`updatedAt`, key). */
export const pageDocument = (table: Table): Document =>
  rowsBy(table, [table.updatedAt, table.primaryKey], table.selection);

/** Keys and times, in the order of the key. */
export const keysDocument = (table: Table): Document =>
  rowsBy(table, [table.primaryKey], `${table.primaryKey} ${table.updatedAt}`);

/** Only rows with a time: the others have no place in any order. */
export const dated = ({ updatedAt, word }: Table): Where => ({ [updatedAt]: { [word('_is_null')]: false } });

/** Whether the row is there, and not marked as deleted. */
export const notDeleted = ({ deletedAt, word }: Table): Where | undefined =>
  deletedAt === undefined ? undefined : { [deletedAt]: { [word('_is_null')]: true } };

/** Rows behind (at, id), in the order of these two columns. The first condition says less; it lets an index be used. */
export const behind = ({ updatedAt, primaryKey, keyValue }: Table, at: string, id: string): Where =>
  allOf(
    { [updatedAt]: { _gte: at } },
    { _or: [{ [updatedAt]: { _gt: at } }, { [updatedAt]: { _eq: at }, [primaryKey]: { _gt: keyValue(id) } }] },
  );

/** These rows, each only while it is as it was: a compare-and-set of many. */
export const unchanged = (
  { updatedAt, primaryKey, keyValue }: Table,
  rows: readonly { readonly id: string; readonly at: string }[],
): Where => ({ _or: rows.map(({ id, at }) => ({ [primaryKey]: { _eq: keyValue(id) }, [updatedAt]: { _eq: at } })) });
