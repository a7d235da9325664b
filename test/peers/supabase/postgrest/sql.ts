import pg from 'pg';
import { PostgrestError } from './errors.js';
import type { Condition, Field, Query, SelectItem, Value } from './query.js';

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  /** SQL, or null. */
  readonly fallback: string | null;
  readonly primary: boolean;
}

export interface Table {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly TableColumn[];
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

const id = pg.escapeIdentifier;
export const qualified = (table: Table): string => `${id(table.schema)}.${id(table.name)}`;

/** Collects the values of a statement. */
export function createParameters() {
  const values: unknown[] = [];
  return {
    values,
    /** A string goes as C does: a NUL ends it. */
    add: (value: unknown): string => {
      values.push(typeof value === 'string' ? (value.split('\0', 1)[0] ?? '') : value);
      return `$${values.length}`;
    },
  };
}

export type Parameters = ReturnType<typeof createParameters>;

const OPERATORS: { readonly [op: string]: string } = {
  eq: '=',
  neq: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  like: 'LIKE',
  ilike: 'ILIKE',
  match: '~',
  imatch: '~*',
  cs: '@>',
  cd: '<@',
  ov: '&&',
  isdistinct: 'IS DISTINCT FROM',
  fts: '@@ to_tsquery',
  plfts: '@@ plainto_tsquery',
  phfts: '@@ phraseto_tsquery',
  wfts: '@@ websearch_to_tsquery',
};

function fieldSql(table: Table, { column, path }: Field): string {
  const base = `${id(table.name)}.${id(column)}`;
  if (path.length === 0) return base;
  const steps = path.map(({ key, text }) => {
    const step = /^-?\d+$/.test(key) ? key : pg.escapeLiteral(key);
    return `${text ? '->>' : '->'}${step}`;
  });
  return `to_jsonb(${base})${steps.join('')}`;
}

const arrayLiteral = (elements: readonly string[]): string =>
  `{${elements.map((element) => `"${element.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`;

function isSql(value: Value): string {
  const word = String(value).toLowerCase();
  if (!['null', 'not_null', 'true', 'false', 'unknown'].includes(word))
    throw new PostgrestError(400, 'PGRST100', `"failed to parse filter (is.${value})" (line 1, column 4)`, {
      details: `unexpected "${String(value)[0] ?? ''}" expecting isVal: (null, not_null, true, false, unknown)`,
    });
  return word === 'not_null' ? 'IS NOT NULL' : `IS ${word.toUpperCase()}`;
}

function conditionSql(table: Table, condition: Condition, parameters: Parameters): string {
  const not = condition.negate ? 'NOT ' : '';
  if (condition.kind === 'tree') {
    const parts = condition.of.map((each) => conditionSql(table, each, parameters));
    return `${not}(${parts.join(condition.op === 'and' ? ' AND ' : ' OR ')})`;
  }
  const { field, op, value } = condition;
  const left = fieldSql(table, field);
  if (op === 'is') return `${not}${left} ${isSql(value)}`;
  if (op === 'in' && typeof value !== 'string') return `${not}${left} = ANY (${parameters.add(arrayLiteral(value))})`;
  if (op.endsWith('fts')) return `${not}${left} ${OPERATORS[op]}(${parameters.add(value)})`;
  const text = op === 'like' || op === 'ilike' ? String(value).replaceAll('*', '%') : value;
  return `${not}${left} ${OPERATORS[op]} ${parameters.add(text)}`;
}

export function whereSql(table: Table, where: readonly Condition[], parameters: Parameters): string {
  if (where.length === 0) return '';
  return ` WHERE ${where.map((condition) => conditionSql(table, condition, parameters)).join(' AND ')}`;
}

/** What a row shows. */
export function selectSql(table: Table, select: readonly SelectItem[]): string {
  const items = select.map((item) => {
    if (item.kind === 'all') return `${id(table.name)}.*`;
    const { field, alias, cast } = item;
    const sql = fieldSql(table, field);
    const name = alias ?? field.path.at(-1)?.key ?? field.column;
    return `${cast === undefined ? sql : `CAST(${sql} AS ${cast.trim()})`} AS ${id(name)}`;
  });
  return items.join(', ');
}

function orderSql(table: Table, { order }: Query): string {
  if (order.length === 0) return '';
  const terms = order.map(({ field, descending, nulls }) => {
    const where = nulls === undefined ? '' : ` NULLS ${nulls.toUpperCase()}`;
    return `${fieldSql(table, field)}${descending ? ' DESC' : ''}${where}`;
  });
  return ` ORDER BY ${terms.join(', ')}`;
}

const BODY = "coalesce(json_agg(_postgrest_t), '[]')::text AS body, count(_postgrest_t)::int AS page_total";

export function readStatement(table: Table, query: Query, limit: number, count: boolean): Statement {
  const parameters = createParameters();
  const where = whereSql(table, query.where, parameters);
  const page = ` LIMIT ${parameters.add(limit)}::int OFFSET ${parameters.add(query.offset)}::int`;
  const from = `FROM ${qualified(table)}${where}`;
  const source = `SELECT ${selectSql(table, query.select)} ${from}${orderSql(table, query)}${page}`;
  const total = count ? `(SELECT count(*) ${from})::int` : 'NULL::int';
  const text = `WITH pgrst_source AS (${source}) SELECT ${total} AS total, ${BODY}
    FROM (SELECT * FROM pgrst_source) _postgrest_t`;
  return { text, values: parameters.values };
}

export interface Write {
  readonly kind: 'insert' | 'update' | 'delete';
  /** JSON: an array or an object. */
  readonly body: string;
  readonly columns: readonly string[];
  readonly returning: boolean;
  readonly missingDefault: boolean;
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | undefined;
}

function columnsOf(table: Table, names: readonly string[]): TableColumn[] {
  return names.map((name) => {
    const column = table.columns.find((each) => each.name === name);
    if (column === undefined)
      throw new PostgrestError(
        400,
        'PGRST204',
        `Could not find the '${name}' column of '${table.name}' in the schema cache`,
      );
    return column;
  });
}

/** The rows of a request's body, typed as the table's columns. */
function bodySql(columns: readonly TableColumn[], { body, missingDefault }: Write, parameters: Parameters): string {
  const json = `${parameters.add(body.trimStart().startsWith('[') ? body : `[${body}]`)}`;
  const definitions = columns.map(({ name, type }) => `${id(name)} ${type}`).join(', ');
  const fallbacks = columns.flatMap(({ name, fallback }) =>
    fallback === null ? [] : [`${pg.escapeLiteral(name)}, ${fallback}`],
  );
  const source = missingDefault
    ? `(SELECT coalesce(jsonb_agg(jsonb_build_object(${fallbacks.join(', ')}) || elem), '[]')
        FROM jsonb_array_elements(${json}::jsonb) elem)::json`
    : `${json}::json`;
  return `json_to_recordset(${source}) AS pgrst_body (${definitions})`;
}

function conflictSql(table: Table, query: Query, write: Write): string {
  if (write.resolution === undefined) return '';
  const primary = table.columns.filter((column) => column.primary).map(({ name }) => name);
  const target = query.onConflict ?? primary;
  if (target.length === 0) return '';
  const on = ` ON CONFLICT (${target.map(id).join(', ')})`;
  if (write.resolution === 'ignore-duplicates' || write.columns.length === 0) return `${on} DO NOTHING`;
  const set = write.columns.map((name) => `${id(name)} = EXCLUDED.${id(name)}`).join(', ');
  // Counts the rows that were there before: 201 is for those that were not.
  const counted = `set_config('pgrst.updated', (coalesce(nullif(current_setting('pgrst.updated', true), ''), '0')::int + 1)::text, true) <> ''`;
  return `${on} DO UPDATE SET ${set} WHERE ${counted}`;
}

export function writeStatement(table: Table, query: Query, write: Write): Statement {
  const parameters = createParameters();
  const columns = columnsOf(table, write.columns);
  const names = columns.map(({ name }) => id(name));
  const returning = ` RETURNING ${write.returning ? selectSql(table, query.select) : '1'}`;
  const name = qualified(table);
  const mutation = (): string => {
    if (write.kind === 'delete') return `DELETE FROM ${name}${whereSql(table, query.where, parameters)}${returning}`;
    if (write.kind === 'update') {
      const body = bodySql(columns, write, parameters);
      const set = names.map((column) => `${column} = pgrst_body.${column}`).join(', ');
      const where = whereSql(table, query.where, parameters);
      return `UPDATE ${name} SET ${set} FROM (SELECT * FROM ${body} LIMIT 1) pgrst_body${where}${returning}`;
    }
    const conflict = conflictSql(table, query, write);
    if (names.length === 0) return `INSERT INTO ${name} DEFAULT VALUES${conflict}${returning}`;
    const rows = `SELECT ${names.map((column) => `pgrst_body.${column}`).join(', ')} FROM ${bodySql(columns, write, parameters)}`;
    return `INSERT INTO ${name} (${names.join(', ')}) ${rows}${conflict}${returning}`;
  };
  const text = `WITH pgrst_source AS (${mutation()}) SELECT ${BODY},
    coalesce(nullif(current_setting('pgrst.updated', true), ''), '0')::int AS updated
    FROM (SELECT * FROM pgrst_source${orderSql({ ...table, name: 'pgrst_source' }, query)}) _postgrest_t`;
  return { text, values: parameters.values };
}
