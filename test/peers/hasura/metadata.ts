import { HasuraError } from './failure.js';
import type { TableConfiguration } from './schema/names.js';

/** `{ owner: { _eq: 'X-Hasura-User-Id' } }`; `{}` is every row. Keys are columns of the database. */
export type Filter = Readonly<Record<string, unknown>>;

type Columns = '*' | readonly string[];

/** What a role may do with a table, in the words of Hasura's metadata. */
export interface TablePermissions {
  readonly select?: {
    readonly columns: Columns;
    readonly filter: Filter;
    readonly limit?: number;
    readonly allow_aggregations?: boolean;
  };
  readonly insert?: { readonly columns: Columns; readonly check: Filter; readonly set?: Filter };
  readonly update?: {
    readonly columns: Columns;
    readonly filter: Filter;
    readonly check?: Filter | null;
    readonly set?: Filter;
  };
  readonly delete?: { readonly filter: Filter };
}

export type Operation = keyof TablePermissions;

/** By role, then by table. */
export type Permissions = Readonly<Record<string, Readonly<Record<string, TablePermissions>>>>;

/** What Hasura knows of the database: which tables it serves, and to whom. */
export interface Metadata {
  readonly tracked: ReadonlyMap<string, TableConfiguration>;
  /** Roles that may not ask for the schema. */
  readonly blind: ReadonlySet<string>;
  hideSchemaFrom(roles: readonly string[]): void;
  permissionsOf(role: string, table: string): TablePermissions;
  track(table: string, configuration?: TableConfiguration): void;
  untrack(table: string): void;
  permit<Kind extends Operation>(role: string, table: string, kind: Kind, to: TablePermissions[Kind] | undefined): void;
}

const everything: Required<TablePermissions> = {
  select: { columns: '*', filter: {}, allow_aggregations: true },
  insert: { columns: '*', check: {} },
  update: { columns: '*', filter: {}, check: null },
  delete: { filter: {} },
};

export function createMetadata(permissions: Permissions): Metadata {
  const tracked = new Map<string, TableConfiguration>();
  const permitted = new Map<string, TablePermissions>();
  const blind = new Set<string>();
  const key = (role: string, table: string): string => JSON.stringify([role, table]);
  for (const [role, tables] of Object.entries(permissions))
    for (const [table, each] of Object.entries(tables)) permitted.set(key(role, table), each);
  return {
    tracked,
    blind,
    hideSchemaFrom(roles) {
      blind.clear();
      for (const role of roles) blind.add(role);
    },
    permissionsOf: (role, table) => (role === 'admin' ? everything : (permitted.get(key(role, table)) ?? {})),
    track: (table, configuration = {}) => void tracked.set(table, configuration),
    untrack: (table) => void tracked.delete(table),
    permit: (role, table, kind, to) =>
      void permitted.set(key(role, table), { ...permitted.get(key(role, table)), [kind]: to }),
  };
}

interface Call {
  readonly type: string;
  readonly args?: unknown;
}

interface Args {
  readonly table?: string | { readonly name: string; readonly schema?: string };
  readonly configuration?: TableConfiguration;
  readonly role?: string;
  readonly permission?: never;
}

/** One call of `/v1/metadata`. `tables`: those of the database. Throws `HasuraError` as Hasura refuses it. */
export function applyMetadata(metadata: Metadata, tables: ReadonlySet<string>, call: Call): unknown {
  const { type } = call;
  if (type === 'bulk' || type === 'bulk_atomic')
    return (call.args as readonly Call[]).map((each) => applyMetadata(metadata, tables, each));
  if (type === 'bulk_keep_going')
    return (call.args as readonly Call[]).map((each) => {
      try {
        return applyMetadata(metadata, tables, each);
      } catch (cause) {
        if (!(cause instanceof HasuraError)) throw cause;
        return { code: cause.code, path: cause.path, error: cause.message };
      }
    });
  if (type === 'set_graphql_schema_introspection_options') {
    metadata.hideSchemaFrom(Object(call.args).disabled_for_roles ?? []);
    return { message: 'success' };
  }
  if (type === 'reload_metadata') return { message: 'success', is_consistent: true };
  const { table, configuration, role = '', permission } = (call.args ?? {}) as Args;
  const name = typeof table === 'string' ? table : (table?.name ?? '');
  if (type === 'pg_track_table') {
    if (!tables.has(name)) throw new HasuraError('not-exists', `no such table/view exists in source: "${name}"`);
    if (metadata.tracked.has(name)) throw new HasuraError('already-tracked', `view/table already tracked: "${name}"`);
    metadata.track(name, configuration);
    return { message: 'success' };
  }
  if (!metadata.tracked.has(name))
    throw new HasuraError('not-exists', `table "${name}" does not exist in source: default`);
  if (type === 'pg_untrack_table') {
    metadata.untrack(name);
    return { message: 'success' };
  }
  const [, verb, kind] = /^pg_(create|drop)_(select|insert|update|delete)_permission$/.exec(type) ?? [];
  if (kind === undefined) throw new HasuraError('parse-failed', `unknown metadata command ${type}`, '$.type');
  const operation = kind as Operation;
  const there = metadata.permissionsOf(role, name)[operation] !== undefined;
  if (verb === 'create' && there)
    throw new HasuraError(
      'already-exists',
      `${operation} permission already defined on table "${name}" with role "${role}"`,
      '$.args',
    );
  if (verb === 'drop' && !there)
    throw new HasuraError(
      'permission-denied',
      `${operation} permission on "${name}" for role "${role}" does not exist`,
      '$.args',
    );
  metadata.permit(role, name, operation, verb === 'create' ? permission : undefined);
  return { message: 'success' };
}
