import type { Row } from '../../src/adapter-kit/kit.js';
import type { MarkColumns } from '../../src/adapter-kit/marks.js';
import type { LossyType, ParsedOptions, SupabaseCollection } from './options.js';

/** Names that PostgREST takes for something else in a query string. */
const RESERVED = /^(and|or|not|select|order|limit|offset|columns|on_conflict)$/;

/** A column's name in a query string. Names with `"` cannot be written at all; the options refuse them. */
export const nameOf = (column: string): string =>
  /^[a-z_][a-z\d_]*$/i.test(column) && !RESERVED.test(column) ? column : `"${column}"`;

/**
 * A value inside `or=(...)` or `in.(...)`: unquoted, a `)` cuts the condition off, and the rest is ignored with status
 * 200. A value of its own (`id=eq.x`) is raw and must not be quoted.
 */
export const quote = (value: string): string => `"${value.replace(/[\\"]/g, '\\$&')}"`;

/** `in`'s value. */
export const listOf = (ids: readonly string[]): string => `(${ids.map(quote).join(',')})`;

/** `or`'s value for all rows behind (at, id), in the order of these two columns. */
export const behind = (
  columns: { readonly updatedAt: string; readonly id: string },
  at: string,
  id: string,
): string => {
  const [time, key] = [nameOf(columns.updatedAt), nameOf(columns.id)];
  return `${time}.gt.${quote(at)},and(${time}.eq.${quote(at)},${key}.gt.${quote(id)})`;
};

/** `or`'s value for these rows, each only while it is as it was: a compare-and-set of many in one request. */
export const unchanged = (
  columns: { readonly updatedAt: string; readonly id: string },
  rows: readonly { readonly id: string; readonly at: string }[],
): string => {
  const [time, key] = [nameOf(columns.updatedAt), nameOf(columns.id)];
  return rows.map(({ id, at }) => `and(${key}.eq.${quote(id)},${time}.eq.${quote(at)})`).join(',');
};

/** Most characters of one condition: Node takes no URL above 16 000, and proxies in between may take less. */
const MAX_CONDITION = 6000;
/** What surrounds an id in a condition, at most. */
const OVERHEAD = 120;

/** Splits rows so that the condition that names them fits into a URL. */
export function inUrls<T>(rows: readonly T[], idOf: (row: T) => string): T[][] {
  const parts: T[][] = [];
  let room = 0;
  for (const row of rows) {
    const length = encodeURIComponent(quote(idOf(row))).length + OVERHEAD;
    if (length > room) {
      parts.push([]);
      room = MAX_CONDITION;
    }
    room -= length;
    parts.at(-1)?.push(row);
  }
  return parts;
}

/** A condition in Realtime's own form, `column=operator.value`, taken apart for PostgREST, which writes it alike. */
export function conditionOf(where: string): { column: string; operator: string; value: string } | undefined {
  const [, column, operator, value] = /^([^=]+)=((?:not\.)?[a-z]+)\.(.*)$/s.exec(where) ?? [];
  return column && operator && value !== undefined ? { column, operator, value } : undefined;
}

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
  readonly where: string | undefined;
  readonly topic: string;
  /** What to read. */
  readonly select: string;
  readonly exact: readonly Exact[];
  /** A deleted row stays, with a mark. */
  readonly soft: boolean;
  /** A row's fields from its columns; without those that say what a row is, unless `fields` names them. */
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
  const { id = 'id', updatedAt = 'updated_at', deletedAt, opId, editedAt, fields: mapped = {} } = options;
  const columnByField = new Map([['id', id]]);
  const types = new Map<string, LossyType>();
  for (const [field, spec] of Object.entries(mapped)) {
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
    where: options.where,
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
