import type { Client } from 'pg';
import { type Check, toSyncLayerError } from '../kit.js';
import type { ProblemMaker } from '../problem.js';
import { ok, wrong } from './check.js';
import { marksSql } from './marks-sql.js';
import { ident, nameOf, type SqlPlace, sql } from './postgres-sql.js';
import { sets, type Trigger, touchFault } from './postgres-triggers.js';

/** What the catalog says of one table. */
export interface TableFacts {
  readonly exists: boolean;
  /** The type of `updatedAt`; null: there is no such column. */
  readonly stamp: string | null;
  readonly stampRequired: boolean;
  readonly stampDefault: string | null;
  readonly mark: string | null;
  readonly markRequired: boolean;
  /** Null: there is no such column. */
  readonly keyRequired: boolean | null;
  /** The columns of the table's own primary key. */
  readonly primaryKey: readonly string[] | null;
  /** An index by which the key alone is unique. */
  readonly unique: string | null;
  readonly indexed: boolean;
  /** The types of the columns in which writes leave a note. */
  readonly opId: string | null;
  readonly editedAt: string | null;
  readonly triggers: readonly Trigger[];
}

/** `tgtype`: 1 row, 2 before, 4 insert, 16 update. Names are ordered by bytes, as triggers are fired. */
const QUERY = `
with place as (select to_regclass(format('%I.%I', $1::text, $2::text)) as id),
columns as (
  select attname::text as name, attnum, format_type(atttypid, null) as type, attnotnull as required,
    pg_get_expr(adbin, adrelid) as fallback
  from place join pg_attribute on attrelid = id left join pg_attrdef on adrelid = id and adnum = attnum
  where attnum > 0 and not attisdropped
),
indexes as (
  select indexrelid::regclass::text as full_name, relname::text as name, indisunique, indisprimary,
    (select array_agg(name order by ord) from unnest(indkey::int2[]) with ordinality k(num, ord) join columns on attnum = num
      where ord <= indnkeyatts) as keys
  from place join pg_index on indrelid = id join pg_class c on c.oid = indexrelid
  where indisvalid and indpred is null and indexprs is null and indimmediate
)
select
  id is not null as exists,
  (select type from columns where name = $3) as stamp,
  coalesce((select required from columns where name = $3), false) as "stampRequired",
  (select fallback from columns where name = $3) as "stampDefault",
  (select type from columns where name = $5) as mark,
  coalesce((select required from columns where name = $5), false) as "markRequired",
  (select type from columns where name = $6) as "opId",
  (select type from columns where name = $7) as "editedAt",
  (select required from columns where name = $4) as "keyRequired",
  (select keys from indexes where indisprimary) as "primaryKey",
  (select name from indexes where indisunique and keys = array[$4::text] order by indisprimary desc limit 1) as "unique",
  exists (select from indexes where keys[1:2] = array[$3::text, $4::text]) as indexed,
  coalesce((
    select json_agg(json_build_object('name', tgname, 'insert', tgtype & 4 > 0, 'update', tgtype & 16 > 0,
      'narrow', tgattr::text <> '', 'function', proname, 'body', prosrc, 'args', encode(tgargs, 'escape')) order by tgname)
    from pg_trigger join pg_proc p on p.oid = tgfoid
    where tgrelid = id and not tgisinternal and tgenabled in ('O', 'A') and tgtype & 3 = 3
  ), '[]') as triggers
from place`;

/** Throws PEER_MISSING. */
export async function loadPg(problem: ProblemMaker): Promise<typeof import('pg')> {
  try {
    return await import('pg');
  } catch (cause) {
    const message = 'Reading the catalog needs the package "pg". Run: npm install --save-dev pg';
    throw problem('PEER_MISSING', message, { cause });
  }
}

/** Gives `use` a connection, and ends it. Throws PEER_MISSING and CONNECT_FAILED. */
export async function* withCatalog(
  databaseUrl: string,
  problem: ProblemMaker,
  use: (client: Client) => AsyncIterable<Check>,
): AsyncGenerator<Check> {
  const pg = await loadPg(problem);
  const client = new pg.default.Client({ connectionString: databaseUrl });
  try {
    await client.connect();
  } catch (cause) {
    // Its own message can quote the address, and with it the password.
    const code = (cause as { readonly code?: string }).code ?? 'no code';
    const message = `The database could not be reached (${code}). Is the database URL right?`;
    throw toSyncLayerError(undefined, 'CONNECT_FAILED', message);
  }
  try {
    yield* use(client);
  } finally {
    await client.end();
  }
}

export async function readTable(client: Client, place: SqlPlace): Promise<TableFacts> {
  const { schema, table, updatedAt, id, deletedAt, opId, editedAt } = place;
  const optional = [deletedAt, opId, editedAt].map((column) => column ?? null);
  const { rows } = await client.query<TableFacts>(QUERY, [schema, table, updatedAt, id, ...optional]);
  return rows[0] as TableFacts;
}

const TIME = 'timestamp with time zone';

/** Rows of a composite key that share one of its columns would silently be one record. */
function keyFault(place: SqlPlace, { keyRequired, primaryKey, unique }: TableFacts, primary: boolean): string[] {
  const key = ident(place.id);
  const table = nameOf(place);
  if (keyRequired === null)
    return [
      `-- There is no column ${key}. Name the one that is the key with the option id; if there is none:`,
      primaryKey
        ? sql.ownKey(place, place.id)
        : `alter table ${table} add column ${key} uuid primary key default gen_random_uuid();`,
    ];
  if (unique === null && primaryKey) {
    const own = place.id === 'synclayer_id' ? 'record_id' : 'synclayer_id';
    return [
      `-- The primary key is (${primaryKey.map(ident).join(', ')}), and ${key} alone does not name a row: rows that share it would be one record.`,
      '-- Give each row one column that names it, and name that in the configuration:',
      `--   collections: { ${place.collection}: { id: '${own}' } }`,
      sql.ownKey(place, own),
    ];
  }
  const faults = [];
  if (!keyRequired && unique !== null)
    faults.push(
      `-- Rows whose ${key} is null are never seen.`,
      `alter table ${table} alter column ${key} set not null;`,
    );
  if (unique === null || (primary && !primaryKey)) faults.push(sql.primaryKey(place));
  return faults;
}

/** A column whose values are times. */
function timeFault(place: SqlPlace, column: string, type: string | null, required: boolean): string[] {
  if (type === null) return [required ? sql.updatedAt(place) : sql.deletedAt(place)];
  const setting = required ? 'updatedAt' : 'deletedAt';
  const remark = `-- ${ident(column)} is ${type}.`;
  const fix = sql.toTime(place, column, type, required);
  if (fix !== undefined) return [remark, fix];
  const other = { ...place, [setting]: `synclayer_${column}` };
  return [
    `${remark} Its values are no times: give SyncLayer a column of its own, and name it in the configuration:`,
    `--   collections: { ${place.collection}: { ${setting}: 'synclayer_${column}' } }`,
    required ? sql.updatedAt(other) : sql.deletedAt(other),
  ];
}

/** The columns that the configuration names for the notes of writes, and the trigger that keeps them right. */
function markChecks(
  place: SqlPlace,
  facts: TableFacts,
  check: (what: string, faults: readonly string[]) => Check,
): Check[] {
  const { opId, editedAt } = place;
  const columns = [
    ...(opId === undefined ? [] : [{ name: opId, type: facts.opId, wanted: /^(text|character varying)$/ }]),
    ...(editedAt === undefined ? [] : [{ name: editedAt, type: facts.editedAt, wanted: /^timestamp with time zone$/ }]),
  ];
  const fix = marksSql(place);
  if (fix === undefined) return [];
  const names = columns.map(({ name }) => name).join(' and ');
  const odd = columns.filter(({ type, wanted }) => type !== null && !wanted.test(type));
  const kept = columns.every(({ name }) =>
    facts.triggers.some((each) => each.insert && each.update && sets(each, name)),
  );
  const remarks = odd.map(
    ({ name, type }) => `-- ${ident(name)} is ${type}: name another column in the configuration.`,
  );
  const right = odd.length === 0 && kept && columns.every(({ type }) => type !== null);
  return [check(`a trigger keeps ${names}`, right ? [] : [...remarks, fix])];
}

export interface TableCheckOptions {
  /** The table itself has to have a primary key. */
  readonly primary: boolean;
}

/** What every adapter on PostgreSQL needs of a table that is there. Each fix can be run as it is printed. */
export function tableChecks(place: SqlPlace, facts: TableFacts, { primary }: TableCheckOptions): Check[] {
  const { collection, updatedAt, id, deletedAt } = place;
  const check = (what: string, faults: readonly string[]): Check =>
    faults.length === 0 ? ok(`${collection}: ${what}`) : wrong(`${collection}: ${what}`, ...faults);
  const { stamp, stampRequired, stampDefault, mark, markRequired, triggers, indexed } = facts;
  const stamped = stamp === TIME && stampRequired;
  const touch = touchFault(place, triggers, /clock_timestamp/i.test(stampDefault ?? ''));
  return [
    check(`${id} is unique`, keyFault(place, facts, primary)),
    check(`${updatedAt} is timestamptz, never null`, stamped ? [] : timeFault(place, updatedAt, stamp, true)),
    check(`a trigger sets ${updatedAt} at each write`, touch === undefined ? [] : [touch]),
    ...(deletedAt === undefined
      ? []
      : [
          check(
            `${deletedAt} is timestamptz`,
            mark === TIME && !markRequired ? [] : timeFault(place, deletedAt, mark, false),
          ),
        ]),
    ...markChecks(place, facts, check),
    check(`an index serves the catch-up (${updatedAt}, ${id})`, indexed ? [] : [sql.otherIndex(place)]),
  ];
}
