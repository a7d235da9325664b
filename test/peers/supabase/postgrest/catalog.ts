import type { Database } from '../database.js';
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

/**
 * A table as it is now. PostgREST keeps a cache, which Supabase's event trigger renews at each change of the schema: for
 * a client it comes to the same.
 */
export async function findTable(database: Database, schema: string, name: string): Promise<Table> {
  const rows = await database.query(COLUMNS, [`${quoted(schema)}.${quoted(name)}`]);
  if (rows.length === 0) {
    const names = await database.query(NAMES, [schema]);
    const close = names.find((each) => alike(name, String(each.name)))?.name;
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
}
