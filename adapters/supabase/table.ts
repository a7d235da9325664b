import type { Row } from '../../src/adapter-kit/kit.js';
import type { MarkColumns } from '../../src/adapter-kit/marks.js';
import type { LossyType, ParsedOptions, SupabaseCollection } from './options.js';
import { nameOf } from './query.js';

interface Exact {
  readonly column: string;
  readonly type: LossyType;
  /** Under which name its text is read. */
  readonly alias: string;
}

/** One collection's table, and how its columns and our fields become one another. */
export interface Table extends MarkColumns {
  readonly collection: string;
  /** Undefined: the client's. */
  readonly schema: string | undefined;
  readonly table: string;
  readonly id: string;
  readonly updatedAt: string;
  readonly deletedAt: string | undefined;
  readonly filter: string | undefined;
  readonly topic: string;
  /** What to read. */
  readonly select: string;
  readonly exact: readonly Exact[];
  /** A deleted row stays, with a mark. */
  readonly soft: boolean;
  /** A row's fields from its columns; without those that say what a row is, unless `columns` names them. */
  toRow(columns: Readonly<Record<string, unknown>>): Row;
  /** Columns to write from fields. The database sets `updatedAt`; `deletedAt` is written by deletes only. */
  toColumns(fields: Row): Record<string, unknown>;
  /** Of a row that was read: its columns without aliases. */
  resolve(read: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** A whole row: it shows which columns there are. */
  learn(row: Readonly<Record<string, unknown>>): void;
  /** Whether a row has every column; false as long as no whole row was seen. */
  hasAll(row: Readonly<Record<string, unknown>>): boolean;
}

function makeTable(collection: string, options: SupabaseCollection): Table {
  const { id = 'id', updatedAt = 'updated_at', deletedAt, opId, editedAt, columns = {} } = options;
  const columnByField = new Map([['id', id]]);
  const types = new Map<string, LossyType>();
  for (const [field, spec] of Object.entries(columns)) {
    const { column = field, type } = typeof spec === 'string' ? { column: spec } : spec;
    columnByField.set(field, column);
    if (type) types.set(column, type);
  }
  const fieldByColumn = new Map([...columnByField].map(([field, column]) => [column, field]));
  const housekeeping = [updatedAt, deletedAt, opId, editedAt];
  const exact = [...types].map(([column, type], index) => ({ column, type, alias: `sl_${index}` }));
  // The key too: a bigint above 2^53 would name another record.
  const casts = [...exact, { column: id, alias: 'sl_key' }];
  let known: readonly string[] | undefined;
  return {
    collection,
    schema: options.schema,
    id,
    updatedAt,
    deletedAt,
    opId,
    editedAt,
    soft: deletedAt !== undefined,
    filter: options.filter,
    table: options.table ?? collection,
    topic: options.topic ?? collection,
    select: ['*', ...casts.map(({ alias, column }) => `${alias}:${nameOf(column)}::text`)].join(','),
    exact,
    toRow(row) {
      const fields: Record<string, unknown> = {};
      for (const column of Object.keys(row)) {
        const field = fieldByColumn.get(column);
        if (field !== undefined || !housekeeping.includes(column)) fields[field ?? column] = row[column];
      }
      return fields;
    },
    toColumns: (fields) =>
      Object.fromEntries(
        Object.entries(fields).flatMap(([field, value]) => {
          const column = columnByField.get(field) ?? field;
          return housekeeping.includes(column) ? [] : [[column, value]];
        }),
      ),
    resolve(read) {
      const row = { ...read };
      for (const { alias, column } of casts) {
        row[column] = row[alias];
        delete row[alias];
      }
      return row;
    },
    learn(row) {
      known = Object.keys(row);
    },
    hasAll: (row) => known?.every((column) => Object.hasOwn(row, column)) ?? false,
  };
}

/** The tables of this transport, by collection. */
export function createTables(options: ParsedOptions) {
  const tables = new Map(
    Object.entries(options.collections).map(([name, collection]) => [name, makeTable(name, collection)]),
  );
  return {
    get(collection: string): Table {
      let table = tables.get(collection);
      if (!table) {
        table = makeTable(collection, {});
        tables.set(collection, table);
      }
      return table;
    },
    all: (): readonly Table[] => [...tables.values()],
  };
}

export type Tables = ReturnType<typeof createTables>;
