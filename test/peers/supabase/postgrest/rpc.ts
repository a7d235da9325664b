import pg from 'pg';
import type { Database } from '../database.js';
import { PostgrestError } from './errors.js';
import type { Statement } from './sql.js';

const FUNCTION = `
select p.proretset as many, coalesce(p.proargnames, '{}')::text[] as names, p.pronargdefaults::int as optional,
  array(select format_type(t, null) from unnest(p.proargtypes) t)::text[] as types,
  exists (select 1 from pg_type t where t.oid = p.prorettype and t.typtype = 'c') as composite
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1 and p.proname = $2`;

const missing = (schema: string, name: string, keys: readonly string[]): PostgrestError => {
  const given =
    keys.length === 0 ? 'without parameters' : `with parameter${keys.length > 1 ? 's' : ''} ${keys.join(', ')}`;
  const shown = `${schema}.${name}${keys.length === 0 ? ' without parameters' : `(${keys.join(', ')})`}`;
  return new PostgrestError(404, 'PGRST202', `Could not find the function ${shown} in the schema cache`, {
    details: `Searched for the function ${schema}.${name} ${given} or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.`,
  });
};

/** A call of a function with named arguments, given as a JSON object. */
export async function callFunction(database: Database, schema: string, name: string, args: string): Promise<Statement> {
  const given: unknown = JSON.parse(args === '' ? '{}' : args);
  const keys = typeof given === 'object' && given !== null ? Object.keys(given).sort() : [];
  for (const row of await database.query(FUNCTION, [schema, name])) {
    const types = row.types as string[];
    const names = (row.names as string[]).slice(0, types.length);
    const required = names.slice(0, names.length - Number(row.optional));
    if (keys.some((key) => !names.includes(key)) || required.some((each) => !keys.includes(each))) continue;
    const definitions = keys.map((key) => `${pg.escapeIdentifier(key)} ${types[names.indexOf(key)]}`);
    const values = keys.map((key) => `${pg.escapeIdentifier(key)} => pgrst_args.${pg.escapeIdentifier(key)}`);
    const from = keys.length === 0 ? '' : `json_to_record($1::json) AS pgrst_args (${definitions.join(', ')}), `;
    const call = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}(${values.join(', ')})`;
    const result = row.composite === true ? 'pgrst_call' : 'pgrst_call.pgrst_scalar';
    const rows = row.many === true ? `coalesce(json_agg(${result}), '[]')` : `coalesce(json_agg(${result})->0, 'null')`;
    const alias = row.composite === true ? 'pgrst_call' : 'pgrst_call (pgrst_scalar)';
    const text = `SELECT ${rows}::text AS body, count(*)::int AS page_total FROM ${from}LATERAL ${call} ${alias}`;
    return { text, values: keys.length === 0 ? [] : [args] };
  }
  throw missing(schema, name, keys);
}
