import type { Row } from '../../src/adapter-kit/kit.js';
import type { Columns } from '../../src/adapter-kit/postgres-rows.js';
import { holdsRounded } from '../../src/adapter-kit/rounded.js';
import { type ColumnType, problem } from './options.js';

/** A field of our rows, and its column. */
export interface Field {
  readonly field: string;
  readonly column: string;
  readonly type: ColumnType | undefined;
}

/** How a table's columns and our fields become one another. */
export interface Mapping {
  /** A row's fields from its columns. Throws PROTOCOL_VIOLATION for a number that JSON has rounded. */
  toRow(columns: Columns): Row;
  /** Columns to write from fields. The database sets `updatedAt`; `deletedAt` is written by deletes only. */
  toColumns(fields: Row): Record<string, unknown>;
  /** Whether an id is a value of its column's type. */
  takesKey(id: string): boolean;
  /** An id as its column takes it. */
  keyValue(id: string): unknown;
}

/** A value as it is to be in the row. Undefined: a number whose digits are lost. */
function exact(type: ColumnType | undefined, value: unknown): unknown {
  // With stringified numbers it is a text; NaN and the infinities stay one.
  if (type === 'float8') return typeof value === 'string' && Number.isFinite(Number(value)) ? Number(value) : value;
  if (holdsRounded(value)) return undefined;
  if (typeof value !== 'number') return value;
  if (type === 'numeric') return undefined;
  return type === 'bigint' ? String(value) : value;
}

/** `housekeeping`: columns that are written by no edit. */
export function createMapping(
  collection: string,
  key: string,
  all: readonly Field[],
  housekeeping: readonly (string | undefined)[],
): Mapping {
  const isInt = all.some(({ field, type }) => field === 'id' && type === 'Int');
  const fields = all.filter(({ field }) => field !== 'id');
  const columnByField = new Map([['id', key], ...fields.map(({ field, column }) => [field, column] as const)]);
  const keyValue = (id: string): unknown => (isInt ? Number(id) : id);
  return {
    toRow: (row) =>
      Object.fromEntries(
        fields.map(({ field, column, type }) => {
          const value = exact(type, row[column] ?? null);
          if (value !== undefined) return [field, value];
          const what = `${collection}/${String(row[key])}: JSON may have rounded the number in "${column}"; the row was skipped.`;
          const fix = 'Set HASURA_GRAPHQL_STRINGIFY_NUMERIC_TYPES=true, or give the field the type "float8".';
          throw problem('PROTOCOL_VIOLATION', `${what} ${fix}`);
        }),
      ),
    toColumns: (given) =>
      Object.fromEntries(
        Object.entries(given).flatMap(([field, value]) => {
          const column = columnByField.get(field) ?? field;
          if (housekeeping.includes(column)) return [];
          return [[column, field === 'id' ? keyValue(String(value)) : value]];
        }),
      ),
    takesKey: (id) => !isInt || /^-?\d+$/.test(id),
    keyValue,
  };
}
