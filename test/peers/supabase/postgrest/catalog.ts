import type { Database, SqlRow } from '../database.js';
import { PostgrestError } from './errors.js';
import type { Table } from './sql.js';

const COLUMNS = `
select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
  pg_get_expr(d.adbin, d.adrelid) as fallback, coalesce(a.attnum = any (i.indkey), false) as primary
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`;

const NAMES = `select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relkind in ('r', 'v', 'm', 'p', 'f')`;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** PostgREST hints at a table whose name has the asked one's letters, or the other way round. */
const alike = (asked: string, name: string): boolean => name.startsWith(asked) || asked.startsWith(name);

interface Schema {
  /** The rows of `COLUMNS`, by table; a table that is not there has none. */
  readonly tables: Map<string, readonly SqlRow[]>;
}

/**
 * PostgREST's schema cache. Supabase's event trigger renews it a moment after each change of the schema, so tables are read as they
 * are, unless the cache is held: then it knows nothing that was made since.
 */
export function createCatalog(database: Database) {
  let held: Schema | undefined;

  async function columnsOf(schema: string, name: string): Promise<readonly SqlRow[]> {
    const place = `${quoted(schema)}.${quoted(name)}`;
    return held?.tables.get(place) ?? (held ? [] : database.query(COLUMNS, [place]));
  }

  return {
    /** From now on nothing that is new in the schemas is seen. */
    async hold(schemas: readonly string[]): Promise<void> {
      const tables = new Map<string, readonly SqlRow[]>();
      for (const schema of schemas)
        for (const { name } of await database.query(NAMES, [schema])) {
          const place = `${quoted(schema)}.${quoted(String(name))}`;
          tables.set(place, await database.query(COLUMNS, [place]));
        }
      held = { tables };
    },
    /** `notify pgrst, 'reload schema'`. */
    reload(): void {
      held = undefined;
    },

    async table(schema: string, name: string): Promise<Table> {
      const rows = await columnsOf(schema, name);
      if (rows.length === 0) {
        const names = await database.query(NAMES, [schema]);
        const close = names.find((each) => alike(name, String(each.name)) && each.name !== name)?.name;
        throw new PostgrestError(404, 'PGRST205', `Could not find the table '${schema}.${name}' in the schema cache`, {
          hint: close === undefined ? null : `Perhaps you meant the table '${schema}.${close}'`,
        });
      }
      const columns = rows.map(({ name: column, type, fallback, primary }) => ({
        name: String(column),
        type: String(type),
        fallback: typeof fallback === 'string' ? fallback : null,
        primary: primary === true,
      }));
      return { schema, name, columns };
    },
  };
}

export type Catalog = ReturnType<typeof createCatalog>;
