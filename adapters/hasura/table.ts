import type { Row } from '../../src/adapter-kit/kit.js';
import type { MarkColumns } from '../../src/adapter-kit/marks.js';
import { holdsRounded } from '../../src/adapter-kit/rounded.js';
import type {
  ColumnType,
  HasuraCollection,
  HasuraFields,
  InputType,
  NamingConvention,
  ParsedOptions,
  RootField,
} from './options.js';
import { problem } from './problem.js';

type Columns = Readonly<Record<string, unknown>>;

/** One collection's table, and how its columns and our fields become one another. */
export interface Table extends MarkColumns {
  readonly collection: string;
  readonly fields: readonly Field[];
  readonly primaryKey: string;
  readonly updatedAt: string;
  readonly deletedAt: string | undefined;
  /** A deleted row stays, with a mark. */
  readonly soft: boolean;
  readonly where: object | undefined;
  readonly mode: 'stream' | 'live';
  readonly watchCount: boolean;
  readonly roots: Readonly<Record<RootField, string>>;
  readonly types: Readonly<Record<InputType, string>>;
  /** An argument or an operator in this source's convention. */
  readonly word: (name: string) => string;
  readonly direction: (name: 'asc' | 'desc') => string;
  /** What to read: all columns that are needed, once each. */
  readonly selection: string;
  /** A row's fields from its columns. Throws PROTOCOL_VIOLATION for a number that JSON has rounded. */
  toRow(columns: Columns): Row;
  /** Columns to write from fields. The database sets `updatedAt`; `deletedAt` is written by deletes only. */
  toColumns(fields: Row): Record<string, unknown>;
  /** Whether an id is a value of its column's type. */
  takesKey(id: string): boolean;
  /** An id as its column takes it. */
  keyValue(id: string): unknown;
}

/** `order_by` as the source writes it. A leading underscore stays: `_is_null` is `_isNull`. */
const camel = (name: string): string => name.replace(/(?!^)_(\w)/g, (_, letter) => letter.toUpperCase());
const pascal = (name: string): string => name.charAt(0).toUpperCase() + camel(name).slice(1);
const same = (name: string): string => name;

interface Field {
  readonly field: string;
  readonly column: string;
  readonly type: ColumnType | undefined;
}

type Specs = Exclude<HasuraFields, readonly string[]>;
const plain = (fields: readonly string[]): Specs => Object.fromEntries(fields.map((field) => [field, {}]));

function fieldsOf({ fields = [], schema }: HasuraCollection): Field[] {
  const shape = schema ? ('shape' in schema ? schema.shape : schema.entries) : {};
  const all = { ...plain(Object.keys(shape)), ...(Array.isArray(fields) ? plain(fields) : (fields as Specs)) };
  return Object.entries(all).map(([field, spec]) => {
    const { column = field, type } = typeof spec === 'string' ? { column: spec } : spec;
    return { field, column, type };
  });
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

function makeTable(collection: string, options: HasuraCollection, naming: NamingConvention): Table {
  const [word, type] = naming === 'hasura-default' ? [same, same] : [camel, pascal];
  const {
    table = collection,
    primaryKey = 'id',
    updatedAt = word('updated_at'),
    deletedAt,
    opId,
    editedAt,
    where,
    mode = 'stream',
    watchCount = false,
  } = options;
  const all = fieldsOf(options);
  const keyType = all.find(({ field }) => field === 'id')?.type;
  const fields = all.filter(({ field }) => field !== 'id');
  const columnByField = new Map(fields.map(({ field, column }) => [field, column]));
  columnByField.set('id', primaryKey);
  const housekeeping = [updatedAt, deletedAt, opId, editedAt];
  const columns = [
    primaryKey,
    ...housekeeping.filter((column) => column !== undefined),
    fields.map(({ column }) => column),
  ].flat();
  const keyValue = (id: string): unknown => (keyType === 'Int' ? Number(id) : id);
  return {
    collection,
    fields: all,
    primaryKey,
    updatedAt,
    deletedAt,
    opId,
    editedAt,
    soft: deletedAt !== undefined,
    where,
    mode,
    watchCount,
    roots: {
      select: table,
      stream: word(`${table}_stream`),
      aggregate: word(`${table}_aggregate`),
      insert: word(`insert_${table}`),
      update: word(`update_${table}`),
      delete: word(`delete_${table}`),
      ...options.roots,
    },
    types: {
      where: type(`${table}_bool_exp`),
      insert: type(`${table}_insert_input`),
      set: type(`${table}_set_input`),
      ...options.types,
    },
    word,
    direction: (name) => (word === same ? name : name.toUpperCase()),
    selection: [...new Set(columns)].join(' '),
    toRow: (row) =>
      Object.fromEntries(
        fields.map(({ field, column, type }) => {
          const value = exact(type, row[column] ?? null);
          if (value !== undefined) return [field, value];
          const what = `${collection}/${String(row[primaryKey])}: JSON may have rounded the number in "${column}"; the row was skipped.`;
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
    takesKey: (id) => keyType !== 'Int' || /^-?\d+$/.test(id),
    keyValue,
  };
}

/** The tables of this transport, by collection. */
export function createTables({ collections, naming }: ParsedOptions) {
  const tables = new Map(
    Object.entries(collections).map(([name, collection]) => [name, makeTable(name, collection, naming)]),
  );
  return {
    find: (collection: string): Table | undefined => tables.get(collection),
    /** Throws CONFIG_INVALID. */
    get(collection: string): Table {
      const table = tables.get(collection);
      if (table) return table;
      throw problem('CONFIG_INVALID', `hasuraTransport needs collections: { ${collection}: { fields: [...] } }.`);
    },
    all: (): readonly Table[] => [...tables.values()],
  };
}

export type Tables = ReturnType<typeof createTables>;
