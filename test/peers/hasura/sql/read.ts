import type { Statement } from '../database.js';
import { type Column, isJson, type Table } from '../schema/catalog.js';
import { type Condition, createValues, quoted, type Values, whereSql } from './where.js';

/** Each column as the text that its JSON would hold: times in ISO 8601 with their microseconds. */
export const asText = (columns: readonly Column[], alias: string): string =>
  columns
    .map((column) => {
      const value = `${quoted(alias)}.${quoted(column.name)}`;
      return `${isJson(column) ? `${value}::text` : `to_json(${value}) #>> '{}'`} as ${quoted(column.name)}`;
    })
    .join(', ');

export interface Order {
  readonly column: string;
  /** `asc`, `desc_nulls_last`. */
  readonly direction: string;
}

export interface Read {
  readonly table: Table;
  readonly columns: readonly Column[];
  /** All of them hold. */
  readonly where: readonly Condition[];
  readonly order?: readonly Order[];
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  /** Rows after this value of a column, in its order. */
  readonly after?: { readonly column: Column; readonly value: unknown; readonly descending: boolean };
  readonly path: string;
}

const rows = ({ table, where, after, path }: Read, values: Values): string => {
  const alias = table.name;
  const conditions = where.map((condition) => whereSql(condition, { table, values, alias, path }));
  if (after) {
    const { column, value, descending } = after;
    conditions.push(`${quoted(alias)}.${quoted(column.name)} ${descending ? '<' : '>'} ${values.add(value, column)}`);
  }
  return `from public.${quoted(alias)} where ${conditions.join(' and ') || 'true'}`;
};

/** `asc` has nulls last and `desc` has them first, as Postgres. */
const orderSql = (alias: string, { column, direction }: Order): string =>
  `${quoted(alias)}.${quoted(column)} ${direction.replace('_nulls_', ' nulls ')}`;

export function readStatement(read: Read): Statement {
  const { table, columns, order = [], limit, offset } = read;
  const values = createValues();
  const text = [
    `select ${asText(columns, table.name)} ${rows(read, values)}`,
    order.length > 0 ? `order by ${order.map((each) => orderSql(table.name, each)).join(', ')}` : '',
    limit === undefined ? '' : `limit ${limit}`,
    offset === undefined ? '' : `offset ${offset}`,
  ].join(' ');
  return { text, values: values.list };
}

/** The number of rows, and the greatest and the least value of each column. */
export function aggregateStatement(read: Read): Statement {
  const values = createValues();
  const { table, columns } = read;
  const ends = columns
    .filter((column) => !isJson(column) && column.scalar !== 'Boolean' && column.scalar !== 'uuid')
    .flatMap(({ name }) =>
      ['max', 'min'].map(
        (end) => `to_json(${end}(${quoted(table.name)}.${quoted(name)})) #>> '{}' as ${quoted(`${end}:${name}`)}`,
      ),
    );
  return {
    text: `select ${['count(*)::text as count', ...ends].join(', ')} ${rows(read, values)}`,
    values: values.list,
  };
}
