import type { MarkColumns } from '../../src/adapter-kit/marks.js';
import { createMapping, type Field, type Mapping } from './normalize.js';
import {
  type HasuraCollection,
  type HasuraFields,
  type InputType,
  type NamingConvention,
  type ParsedOptions,
  problem,
  type RootField,
} from './options.js';

/** One collection's table. All names are those in GraphQL. */
export interface Table extends MarkColumns, Mapping {
  readonly collection: string;
  readonly fields: readonly Field[];
  readonly id: string;
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
}

/** `order_by` as the source writes it. A leading underscore stays: `_is_null` is `_isNull`. */
const camel = (name: string): string => name.replace(/(?!^)_(\w)/g, (_, letter) => letter.toUpperCase());
const pascal = (name: string): string => name.charAt(0).toUpperCase() + camel(name).slice(1);
const same = (name: string): string => name;

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

function makeTable(collection: string, options: HasuraCollection, naming: NamingConvention): Table {
  const [word, type] = naming === 'hasura-default' ? [same, same] : [camel, pascal];
  const {
    table = collection,
    id = 'id',
    updatedAt = word('updated_at'),
    deletedAt,
    opId,
    editedAt,
    where,
    mode = 'stream',
    watchCount = false,
  } = options;
  const all = fieldsOf(options);
  const housekeeping = [updatedAt, deletedAt, opId, editedAt];
  const columns = [
    id,
    ...housekeeping.filter((column) => column !== undefined),
    ...all.flatMap(({ field, column }) => (field === 'id' ? [] : column)),
  ];
  return {
    ...createMapping(collection, id, all, housekeeping),
    collection,
    fields: all,
    id,
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
export const pageDocument = (table: Table): Document => rowsBy(table, [table.updatedAt, table.id], table.selection);

/** Keys and times, in the order of the key. */
export const keysDocument = (table: Table): Document => rowsBy(table, [table.id], `${table.id} ${table.updatedAt}`);

/** Only rows with a time: the others have no place in any order. */
export const dated = ({ updatedAt, word }: Table): Where => ({ [updatedAt]: { [word('_is_null')]: false } });

/** Whether the row is there, and not marked as deleted. */
export const notDeleted = ({ deletedAt, word }: Table): Where | undefined =>
  deletedAt === undefined ? undefined : { [deletedAt]: { [word('_is_null')]: true } };

/** Rows behind (at, id), in the order of these two columns. The first condition says less; it lets an index be used. */
export const behind = ({ updatedAt, id: key, keyValue }: Table, at: string, id: string): Where =>
  allOf(
    { [updatedAt]: { _gte: at } },
    { _or: [{ [updatedAt]: { _gt: at } }, { [updatedAt]: { _eq: at }, [key]: { _gt: keyValue(id) } }] },
  );
