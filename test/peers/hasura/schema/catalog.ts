import type { Database } from '../database.js';

export interface Column {
  readonly name: string;
  /** As a cast needs it: `timestamp with time zone`, `character varying(20)`. */
  readonly type: string;
  /** The GraphQL scalar. */
  readonly scalar: string;
  readonly nullable: boolean;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key, in its order; none without. */
  readonly primaryKey: readonly string[];
  /** Names of primary key and unique constraints. */
  readonly constraints: readonly string[];
}

/** Hasura's names for these; every other type keeps the name that Postgres has for it. */
const scalars: Readonly<Record<string, string>> = {
  int4: 'Int',
  int2: 'smallint',
  int8: 'bigint',
  float4: 'Float',
  bool: 'Boolean',
  text: 'String',
  varchar: 'String',
};

/** The tables of `public`, as Postgres's catalog tells them now. */
export async function readCatalog(database: Database): Promise<ReadonlyMap<string, Table>> {
  const columns = await database.sql(`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, t.typname as base,
      not a.attnotnull as nullable
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')
    order by c.relname, a.attnum`);
  const constraints = await database.sql(`
    select c.relname as table, o.conname as name, o.contype = 'p' as primary,
      (select json_agg(a.attname order by k.place) from unnest(o.conkey) with ordinality as k (number, place)
        join pg_attribute a on a.attrelid = o.conrelid and a.attnum = k.number) as columns
    from pg_constraint o join pg_class c on c.oid = o.conrelid
    where o.contype in ('p', 'u') and c.relnamespace = 'public'::regnamespace
    order by o.conname`);
  const names = [...new Set(columns.map(({ table }) => String(table)))];
  return new Map(
    names.map((name) => {
      const own = constraints.filter(({ table }) => table === name);
      const primaryKey = (own.find(({ primary }) => primary)?.columns ?? []) as string[];
      const table: Table = {
        name,
        primaryKey,
        constraints: own.map((each) => String(each.name)),
        columns: columns
          .filter(({ table }) => table === name)
          .map((column) => ({
            name: String(column.name),
            type: String(column.type),
            scalar: scalars[String(column.base)] ?? String(column.base),
            nullable: Boolean(column.nullable),
          })),
      };
      return [name, table];
    }),
  );
}

export const isJson = ({ scalar }: Column): boolean => scalar === 'json' || scalar === 'jsonb';
