import type { SqlPlace } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import type { HasuraCollection, ParsedOptions } from '../options.js';
import type { Table } from '../table.js';

/** Where a collection lies in PostgreSQL, and which role reaches it. All names are the database's. */
export interface Place extends SqlPlace {
  /** Other schemas are not looked at. */
  readonly schema: 'public';
  /** All other columns that are read and written. */
  readonly columns: readonly string[];
  /** Rows are counted. */
  readonly counted: boolean;
  readonly role: string;
}

/** What `graphql-default` makes `updatedAt` of. A column that is camelCase in the database too cannot be distinguished from it. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The role that the headers choose, or the one that most apps have. */
export function roleOf({ headers }: ParsedOptions): string {
  const given = typeof headers === 'object' ? Object.entries(headers) : [];
  return given.find(([name]) => name.toLowerCase() === 'x-hasura-role')?.[1] ?? 'user';
}

/** All columns that a table reads, by their GraphQL names. */
export const columnsOf = ({ selection }: Table): string[] => selection.split(' ');

export function placeOf(table: Table, { table: name }: HasuraCollection, options: ParsedOptions): Place {
  const real = options.naming === 'graphql-default' ? snake : (given: string): string => given;
  const { id: key, updatedAt, deletedAt, opId, editedAt } = table;
  const housekeeping = [key, updatedAt, deletedAt];
  return {
    collection: table.collection,
    schema: 'public',
    table: real(name ?? table.collection),
    id: real(key),
    updatedAt: real(updatedAt),
    deletedAt: deletedAt && real(deletedAt),
    opId: opId && real(opId),
    editedAt: editedAt && real(editedAt),
    columns: columnsOf(table)
      .filter((column) => !housekeeping.includes(column))
      .map(real),
    counted: table.watchCount,
    role: roleOf(options),
  };
}
