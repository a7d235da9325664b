import pg from 'pg';
import type { RowEvent, Tuple } from '../../postgres/pgoutput.js';
import type { Database } from '../database.js';
import type { Filter, Subscription } from './subscription.js';

/** One `postgres_changes` message: its `data` as JSON, and the bindings that it is for. */
export interface Delivery<Target> {
  readonly target: Target;
  readonly data: string;
  readonly ids: readonly number[];
}

export interface Subscriber<Target> {
  readonly target: Target;
  readonly subscription: Subscription;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly selectable: boolean;
  readonly primary: boolean;
}

interface Table {
  readonly columns: readonly Column[];
  readonly rls: boolean;
}

/** JSON of each value, by column. */
type Record = ReadonlyMap<string, string>;

interface Change {
  readonly event: RowEvent;
  readonly record: Record | undefined;
  readonly old: Record;
  readonly raw: Tuple;
  readonly tooLarge: boolean;
}

/** Bytes of one change in wal2json's format, above which Realtime leaves the large columns out. */
const MAX_RECORD_BYTES = 1_048_576;
const SMALL = 64;

const TABLE = `
select a.attname::text as name, t.typname::text as type, c.relrowsecurity as rls,
  has_column_privilege($2::text, c.oid, a.attnum, 'SELECT') as selectable,
  coalesce(a.attnum = any (i.indkey), false) as primary
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid left join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.oid = $1::oid order by a.attnum`;

const quoteJson = (text: string): string => JSON.stringify(text);
/** What JSON makes of the common types is known here; for the others Postgres is asked. */
const plain = new Map<number, (text: string) => string>([
  [16, (text) => (text === 't' ? 'true' : 'false')],
  [20, (text) => text],
  [21, (text) => text],
  [23, (text) => text],
  [25, quoteJson],
  [1043, quoteJson],
]);

/** jsonb orders keys by their length in bytes, then by their bytes. */
function byJsonb(left: string, right: string): number {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length - b.length || Buffer.compare(a, b);
}

const objectOf = (record: Record): string => {
  const names = [...record.keys()].sort(byJsonb);
  return `{${names.map((name) => `${quoteJson(name)}: ${record.get(name)}`).join(', ')}}`;
};

const pick = (record: Record, keep: (name: string, json: string) => boolean): Record =>
  new Map([...record].filter(([name, json]) => keep(name, json)));

/** The key as wal2json gives it, even where Postgres leaves it out since it did not change. */
function identity(event: RowEvent): Tuple {
  if (event.type === 'INSERT') return new Map();
  if (event.old !== undefined) return event.old;
  const { columns } = event.relation;
  const keys = new Set(columns.filter(({ key }) => key).map(({ name }) => name));
  return new Map([...(event.type === 'UPDATE' ? event.row : [])].filter(([name]) => keys.has(name)));
}

async function decodeValues(database: Database, events: readonly RowEvent[]): Promise<Change[]> {
  const asked: { readonly text: string; readonly type: number; readonly put: (json: string) => void }[] = [];
  const recordOf = ({ relation }: RowEvent, tuple: Tuple): Map<string, string> => {
    const record = new Map<string, string>();
    for (const { name, type } of relation.columns) {
      const text = tuple.get(name);
      if (text === undefined) continue;
      const known = plain.get(type);
      record.set(name, text === null ? 'null' : known === undefined ? 'null' : known(text));
      if (text !== null && known === undefined) asked.push({ text, type, put: (json) => record.set(name, json) });
    }
    return record;
  };
  const changes = events.map((event): Change => {
    const raw = event.type === 'DELETE' ? event.old : event.row;
    const old = recordOf(event, identity(event));
    const record = event.type === 'DELETE' ? undefined : recordOf(event, event.row);
    return { event, record, old, raw, tooLarge: false };
  });
  const answers = await database.query(
    'select realtime.json_of(value, type::regtype)::text as json from unnest($1::text[], $2::int8[]) u (value, type)',
    [asked.map(({ text }) => text), asked.map(({ type }) => type)],
  );
  for (const [index, { put }] of asked.entries()) put(String(answers[index]?.json));
  return changes.map((change) => ({ ...change, tooLarge: walBytes(change) > MAX_RECORD_BYTES }));
}

/** About what wal2json writes: a value, a name and a type for each column. */
function walBytes({ record, old }: Change): number {
  const sizes = [...(record ?? []), ...old].map(([name, json]) => name.length + Buffer.byteLength(json) + 60);
  return sizes.reduce((sum, size) => sum + size, 100);
}

const isoMilliseconds = (micros: bigint): string => new Date(Number(micros / 1000n)).toISOString();

function dataOf(change: Change, table: Table, select: readonly string[] | undefined): string {
  const { event, record, old, tooLarge } = change;
  const { type, relation } = event;
  const head = `"table":${quoteJson(relation.table)},"type":"${type}"`;
  const primary = table.columns.filter((column) => column.primary);
  const refusal =
    type === 'DELETE'
      ? undefined
      : primary.length === 0
        ? 'Error 400: Bad Request, no primary key'
        : primary.some(({ selectable }) => !selectable)
          ? 'Error 401: Unauthorized'
          : undefined;
  const where = `"schema":${quoteJson(relation.schema)}`;
  if (refusal !== undefined) {
    const tail = type === 'UPDATE' ? ',"old_record":{}' : '';
    return `{${head},"record":{},"columns":[],"errors":[${quoteJson(refusal)}],${where},"commit_timestamp":null${tail}}`;
  }
  const chosen = table.columns.filter(
    ({ name, selectable, primary }) => selectable && (select === undefined || select.includes(name) || primary),
  );
  const names = new Set(chosen.map(({ name }) => name));
  const keys = new Set(primary.map(({ name }) => name));
  // A NULL has no size, so it is not small either.
  const fits = (name: string, json: string): boolean =>
    names.has(name) && (!tooLarge || (json !== 'null' && Buffer.byteLength(json) <= SMALL));
  const columns = chosen.map(({ name, type }) => `{"name": ${quoteJson(name)}, "type": ${quoteJson(type)}}`);
  // A TOASTed value that did not change comes from the old row, where there is a whole one.
  const whole = record === undefined ? undefined : new Map([...old, ...record]);
  const parts = [
    head,
    ...(whole === undefined ? [] : [`"record":${objectOf(pick(whole, fits))}`]),
    `"columns":[${columns.join(', ')}]`,
    `"errors":${tooLarge ? '["Error 413: Payload Too Large"]' : 'null'}`,
    where,
    `"commit_timestamp":"${isoMilliseconds(event.committedAt)}"`,
  ];
  const secret = (name: string): boolean => type === 'DELETE' && table.rls && !keys.has(name);
  if (type !== 'INSERT')
    parts.push(`"old_record":${objectOf(pick(old, (name, json) => fits(name, json) && !secret(name)))}`);
  return `{${parts.join(',')}}`;
}

const OPERATORS: { readonly [op: string]: string } = {
  eq: '=',
  neq: '<>',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  like: 'like',
  ilike: 'ilike',
  match: '~',
  imatch: '~*',
};

function condition({ op, value, negate }: Filter, actual: string, type: string): string {
  const left = `${actual}::${type}`;
  const literal = pg.escapeLiteral(value);
  const text =
    op === 'in'
      ? `${left} = any (${literal}::${type}[])`
      : op === 'is'
        ? `${left} is ${/^(null|true|false|unknown)$/i.test(value) ? value : 'unknown'}`
        : op === 'isdistinct'
          ? `${left} is distinct from ${literal}::${type}`
          : `${left} ${OPERATORS[op] ?? '='} ${literal}::${type}`;
  return negate ? `not (${text})` : text;
}

/** Whether all filters hold. A column that the tuple lacks fails its filter, and so does NULL. */
async function passes(database: Database, filters: readonly Filter[], { relation }: RowEvent, tuple: Tuple) {
  const conditions: string[] = [];
  for (const filter of filters) {
    const text = tuple.get(filter.column);
    const column = relation.columns.find(({ name }) => name === filter.column);
    if (text === undefined || column === undefined) return false;
    const [row] = await database.query('select format_type($1::oid, null) as type', [column.type]);
    const actual = text === null ? 'null' : pg.escapeLiteral(text);
    conditions.push(condition(filter, actual, String(row?.type)));
  }
  const [row] = await database.query(`select coalesce((${conditions.join(') and (')}), false) as passes`);
  return row?.passes === true;
}

/** Whether the row, as it is in the table now, may be seen with these claims. */
async function visible(database: Database, { event, raw }: Change, table: Table, role: string, claims: string) {
  const { schema, table: name } = event.relation;
  const keys = table.columns.filter(({ primary }) => primary);
  const where = keys.map((key) => `${pg.escapeIdentifier(key.name)} = ${pg.escapeLiteral(raw.get(key.name) ?? '')}`);
  const from = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
  const query = `select exists (select 1 from ${from} where ${where.join(' and ')})`;
  const [row] = await database.query('select realtime.visible($1, $2, $3) as visible', [role, claims, query]);
  return row?.visible === true;
}

/** Reads each thing once for one batch. */
function once<Value>(): (key: string, load: () => Promise<Value>) => Promise<Value> {
  const known = new Map<string, Promise<Value>>();
  return (key, load) => {
    const value = known.get(key) ?? load();
    known.set(key, value);
    return value;
  };
}

async function readTable(database: Database, id: number, role: string): Promise<Table> {
  const rows = await database.query(TABLE, [id, role]);
  const columns = rows.map(({ name, type, selectable, primary }) => ({
    name: String(name),
    type: String(type),
    selectable: selectable === true,
    primary: primary === true,
  }));
  return { columns, rls: rows[0]?.rls === true };
}

/** What each subscriber gets of a batch of changes, in commit order. */
export async function deliveriesOf<Target>(
  database: Database,
  events: readonly RowEvent[],
  subscribers: readonly Subscriber<Target>[],
): Promise<Delivery<Target>[]> {
  const interested = ({ type, relation }: RowEvent) =>
    subscribers.filter(
      ({ subscription: { event, tables } }) => tables.has(relation.id) && (event === '*' || event === type),
    );
  const wanted = events.filter((event) => interested(event).length > 0);
  if (wanted.length === 0) return [];
  const tables = once<Table>();
  const deliveries: Delivery<Target>[] = [];
  for (const change of await decodeValues(database, wanted)) {
    const { event } = change;
    const allowed = once<boolean>();
    /** Bindings of one channel that want the same columns share one message. */
    const grouped = new Map<Target, Map<string, { data: string; ids: number[] }>>();
    for (const { target, subscription } of interested(event)) {
      const { id, role, claims, filters, select } = subscription;
      const table = await tables(`${event.relation.id} ${role}`, () => readTable(database, event.relation.id, role));
      // Dropped since: nobody can say any more who may see it.
      if (table.columns.length === 0) continue;
      if (filters.length > 0 && !(await passes(database, filters, event, change.raw))) continue;
      const primary = table.columns.filter((column) => column.primary);
      const checked =
        table.rls && event.type !== 'DELETE' && primary.length > 0 && primary.every((key) => key.selectable);
      const sees = (): Promise<boolean> => visible(database, change, table, role, claims);
      if (checked && !(await allowed(`${role} ${claims}`, sees))) continue;
      const groups = grouped.get(target) ?? new Map<string, { data: string; ids: number[] }>();
      grouped.set(target, groups);
      const key = JSON.stringify([role, select ?? null]);
      const group = groups.get(key) ?? { data: dataOf(change, table, select), ids: [] };
      groups.set(key, group);
      group.ids.push(id);
    }
    for (const [target, groups] of grouped)
      for (const { data, ids } of groups.values()) deliveries.push({ target, data, ids });
  }
  return deliveries;
}
