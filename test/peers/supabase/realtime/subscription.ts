import pg from 'pg';
import type { Database } from '../database.js';
import type { Claims } from '../tokens.js';

/** One entry of `postgres_changes` in a join. */
export interface Binding {
  readonly event?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly filter?: string;
  readonly select?: readonly string[];
}

export interface Filter {
  readonly column: string;
  readonly op: string;
  readonly value: string;
  readonly negate: boolean;
}

/** A binding that Realtime accepted. */
export interface Subscription {
  readonly id: number;
  readonly event: string;
  /** The oids of its tables, as they were in the publication when it was made. */
  readonly tables: ReadonlySet<number>;
  readonly filters: readonly Filter[];
  readonly select: readonly string[] | undefined;
  readonly role: string;
  /** JSON. */
  readonly claims: string;
}

const FILTER = /^([^=]+)=(not\.)?(eq|neq|lt|lte|gt|gte|in|like|ilike|is|match|imatch|isdistinct)\.(.*)$/s;
export const PUBLICATION = 'supabase_realtime';

/** The same binding has the same id on every channel. */
export function bindingId(binding: Binding): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(JSON.stringify(binding, Object.keys(binding).sort())))
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % 134_217_728;
}

/** As Elixir prints a list of strings, which is where these messages come from. */
const list = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`;

function describe(binding: Binding, filters: readonly Filter[]): string {
  const shown = filters.map(
    ({ column, op, value, negate }) =>
      `{${[column, op, value].map((part) => JSON.stringify(part)).join(', ')}, ${negate}}`,
  );
  const select = binding.select === undefined ? 'nil' : list(binding.select);
  const { event = '*', schema = 'public', table = '*' } = binding;
  return `[event: ${event}, schema: ${schema}, table: ${table}, filters: [${shown.join(', ')}], select: ${select}]`;
}

const CONDITION_NAMES: Record<string, string> = {
  P0001: 'raise_exception',
  '22P02': 'invalid_text_representation',
  '42704': 'undefined_object',
};

class Refused extends Error {}

const parameters = (text: string): string => `Unable to subscribe to changes with given parameters. ${text}`;

function parseFilter(text: string): Filter {
  const [, column, not, op, value] = FILTER.exec(text) ?? [];
  if (column !== undefined && op !== undefined && value !== undefined)
    return { column, op, value: op === 'in' ? value.replace(/^\((.*)\)$/s, '{$1}') : value, negate: not !== undefined };
  const [, rest] = text.split('=', 2);
  const dot = rest?.indexOf('.') ?? -1;
  const parts = rest === undefined ? [text] : dot < 0 ? [rest] : [rest.slice(0, dot), rest.slice(dot + 1)];
  throw new Refused(`Error parsing \`filter\` params: ${list(parts)}`);
}

const TABLES = `
select c.oid::int8 as oid from pg_publication_tables p
join pg_namespace n on n.nspname = p.schemaname join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = $1 and ($2 = '*' or p.schemaname = $2) and ($3 = '*' or p.tablename like $3)`;

/** The columns that the role may read, with the right type for a filter's value. */
const COLUMNS = `
select a.attname::text as name, format_type(a.atttypid, null) as type from pg_attribute a
where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
and has_column_privilege($2::text, a.attrelid, a.attnum, 'SELECT')`;

async function check(database: Database, table: number, role: string, filters: readonly Filter[], binding: Binding) {
  const columns = await database.query(COLUMNS, [table, role]);
  const typeOf = new Map(columns.map(({ name, type }) => [name, type]));
  const raise = (message: string): never => {
    throw Object.assign(new Error(message), { code: 'P0001' });
  };
  for (const { column, op, value } of filters) {
    const type = typeOf.get(column) ?? raise(`invalid column for filter ${column}`);
    if (op !== 'is') await database.query(`select $1::${type}${op === 'in' ? '[]' : ''}`, [value]);
  }
  for (const column of binding.select ?? []) if (!typeOf.has(column)) raise(`invalid column for select ${column}`);
}

async function subscribe(database: Database, binding: Binding, claims: Claims): Promise<Subscription> {
  if (binding.schema === undefined && binding.table === undefined) {
    const shown = Object.entries(binding).map(([key, value]) => `${JSON.stringify(key)} => ${JSON.stringify(value)}`);
    const needed = 'Please provide at least a `schema` or `table` to subscribe to';
    throw new Refused(`No subscription params provided. ${needed}: %{${shown.join(', ')}}`);
  }
  const filters = binding.filter === undefined ? [] : [parseFilter(binding.filter)];
  const { event = '*', schema = 'public', table = '*' } = binding;
  const found = await database.query(TABLES, [PUBLICATION, schema, table]);
  if (found.length === 0) {
    const enabled = 'Please check Realtime is enabled for the given connect parameters';
    throw new Refused(parameters(`${enabled}: ${describe(binding, filters)}`));
  }
  const tables = new Set(found.map(({ oid }) => Number(oid)));
  const role = claims.role ?? 'anon';
  try {
    for (const each of tables) await check(database, each, role, filters, binding);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    if (code === undefined || !(cause instanceof pg.DatabaseError || code === 'P0001')) throw cause;
    const exception = `ERROR ${code} (${CONDITION_NAMES[code] ?? 'error'}) ${(cause as Error).message}`;
    const happened = 'An exception happened so please check your connect parameters';
    throw new Refused(parameters(`${happened}: ${describe(binding, filters)}. Exception: ${exception}`));
  }
  const id = bindingId(binding);
  return { id, event, tables, filters, select: binding.select, role, claims: JSON.stringify(claims) };
}

export type Subscribed =
  | { readonly ok: true; readonly subscriptions: readonly Subscription[] }
  | { readonly ok: false; readonly message: string };

/** All of a channel's bindings, or none: one that Realtime refuses takes the others with it. */
export async function subscribeAll(
  database: Database,
  bindings: readonly Binding[],
  claims: Claims,
): Promise<Subscribed> {
  const subscriptions: Subscription[] = [];
  try {
    for (const binding of bindings) subscriptions.push(await subscribe(database, binding, claims));
    return { ok: true, subscriptions };
  } catch (cause) {
    if (cause instanceof Refused) return { ok: false, message: cause.message };
    throw cause;
  }
}
