import type { AppsyncCollection, ParsedOptions } from '../options.js';
import { createTables, type Table } from '../table.js';
import { type FieldType, fieldTypes } from './field-types.js';
import { type Uses, usesOf } from './uses.js';

/** A collection, and what it wants of the schema. */
export interface Place {
  readonly collection: string;
  readonly given: AppsyncCollection;
  readonly table: Table;
  readonly uses: Uses;
  /** Of the app, without the key and what the server sets. */
  readonly fields: readonly FieldType[];
}

export function placesOf(options: ParsedOptions, collections: readonly string[]): Place[] {
  const tables = createTables(options);
  return collections.map((collection) => {
    const table = tables.get(collection);
    const given = options.collections[collection] as AppsyncCollection;
    const server = ['createdAt', table.updatedAt, '_version', '_deleted', '_lastChangedAt'];
    const fields = fieldTypes(given).filter(({ name }) => !server.includes(name));
    return { collection, given, table, uses: usesOf(table), fields };
  });
}

/** What the server sets, and the transport reads. */
export const serverFields = ({ table }: Place): readonly string[] =>
  table.versioned ? ['_version', '_deleted', '_lastChangedAt'] : [table.updatedAt];
