/** `hasura-default`: snake_case as in the database. `graphql-default`: camelCase fields and PascalCase types. */
export type NamingConvention = 'hasura-default' | 'graphql-default';

/** The fields of the roots that one table gets. */
export type RootField =
  | 'select'
  | 'select_by_pk'
  | 'select_aggregate'
  | 'select_stream'
  | 'insert'
  | 'insert_one'
  | 'update'
  | 'update_by_pk'
  | 'update_many'
  | 'delete'
  | 'delete_by_pk';

/** How a table is named in GraphQL, as `pg_track_table` takes it. */
export interface TableConfiguration {
  readonly custom_name?: string;
  readonly custom_root_fields?: Partial<Readonly<Record<RootField, string>>>;
  readonly column_config?: Readonly<Record<string, { readonly custom_name?: string }>>;
}

export interface Names {
  /** Of a field, an argument or an operator: `order_by`, `_is_null`. */
  field(name: string): string;
  /** Of a generated type: `todos_bool_exp`. */
  type(name: string): string;
  /** Of a direction: `asc_nulls_last`. */
  order(name: string): string;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** A leading underscore stays: `_is_null` is `_isNull`. */
const camel = (name: string): string => name.replace(/(?<=[^_])_+([^_])/g, (_, letter: string) => letter.toUpperCase());

const same = (name: string): string => name;

export const namesOf = (convention: NamingConvention): Names =>
  convention === 'hasura-default'
    ? { field: same, type: same, order: same }
    : { field: camel, type: (name) => capital(camel(name)), order: (name) => name.toUpperCase() };

const pattern: Readonly<Record<RootField, (table: string) => string>> = {
  select: (table) => table,
  select_by_pk: (table) => `${table}_by_pk`,
  select_aggregate: (table) => `${table}_aggregate`,
  select_stream: (table) => `${table}_stream`,
  insert: (table) => `insert_${table}`,
  insert_one: (table) => `insert_${table}_one`,
  update: (table) => `update_${table}`,
  update_by_pk: (table) => `update_${table}_by_pk`,
  update_many: (table) => `update_${table}_many`,
  delete: (table) => `delete_${table}`,
  delete_by_pk: (table) => `delete_${table}_by_pk`,
};

/** The names of one table. What its configuration says goes before the convention. */
export interface TableNames {
  readonly base: string;
  root(field: RootField): string;
  column(column: string): string;
}

export function tableNames(names: Names, table: string, configuration: TableConfiguration = {}): TableNames {
  const { custom_name: custom, custom_root_fields: roots = {}, column_config: columns = {} } = configuration;
  const base = custom ?? table;
  return {
    base,
    root: (field) => roots[field] ?? names.field(pattern[field](base)),
    column: (column) => columns[column]?.custom_name ?? names.field(column),
  };
}
