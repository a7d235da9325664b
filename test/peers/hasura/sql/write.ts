import type { Statement } from '../database.js';
import type { Column, Table } from '../schema/catalog.js';
import { asText } from './read.js';
import { type Condition, createValues, quoted, type Values, whereSql } from './where.js';

/** Values by column. */
export type Assignment = Readonly<Record<string, unknown>>;

interface Write {
  readonly table: Table;
  /** What is read of the rows that were written. */
  readonly columns: readonly Column[];
  readonly path: string;
}

export interface Insert extends Write {
  readonly rows: readonly Assignment[];
  readonly conflict?:
    | { readonly constraint: string; readonly update: readonly string[]; readonly where: readonly Condition[] }
    | undefined;
  /** What rows that are new, and rows that are changed, have to fulfil. */
  readonly check: { readonly inserted: Condition; readonly updated: Condition };
}

export interface Update extends Write {
  readonly set: Assignment;
  readonly where: readonly Condition[];
  readonly check: Condition;
}

export interface Delete extends Write {
  readonly where: readonly Condition[];
}

/** The column of an answer that says whether the row keeps its permission's check. */
export const CHECK = '~check';
const INSERTED = '~inserted';

const conditionsSql = (conditions: readonly Condition[], table: Table, values: Values, path: string): string =>
  conditions.map((each) => whereSql(each, { table, values, alias: table.name, path })).join(' and ') || 'true';

const columnOf = (table: Table, name: string): Column => {
  const column = table.columns.find((each) => each.name === name);
  if (!column) throw new Error(`${table.name} has no column ${name}.`);
  return column;
};

function valuesSql({ table, rows }: Insert, values: Values): string {
  const given = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  // A row of defaults only has to name a column too.
  const columns = (given.length > 0 ? given : [table.columns[0]?.name ?? '']).map((name) => columnOf(table, name));
  const tuples = rows.map(
    (row) =>
      `(${columns.map((column) => (Object.hasOwn(row, column.name) ? values.add(row[column.name], column) : 'default')).join(', ')})`,
  );
  return `(${columns.map(({ name }) => quoted(name)).join(', ')}) values ${tuples.join(', ')}`;
}

export function insertStatement(insert: Insert): Statement {
  const { table, columns, conflict, check, path } = insert;
  const values = createValues();
  const name = quoted(table.name);
  const body = valuesSql(insert, values);
  const sets = conflict?.update.map((column) => `${quoted(column)} = excluded.${quoted(column)}`).join(', ');
  const resolution =
    conflict &&
    `on conflict on constraint ${quoted(conflict.constraint)} do ${
      sets ? `update set ${sets} where ${conditionsSql(conflict.where, table, values, path)}` : 'nothing'
    }`;
  const of = (condition: Condition): string => conditionsSql([condition], table, values, path);
  const text = `
    with written as (
      insert into public.${name} as ${name} ${body} ${resolution ?? ''}
      returning ${name}.*, ${name}.xmax = 0 as ${quoted(INSERTED)}
    )
    select ${[asText(columns, table.name), `(case when ${quoted(INSERTED)} then ${of(check.inserted)} else ${of(check.updated)} end)::text as ${quoted(CHECK)}`].filter(Boolean).join(', ')}
    from written as ${name}`;
  return { text, values: values.list };
}

export function updateStatement({ table, columns, set, where, check, path }: Update): Statement {
  const values = createValues();
  const name = quoted(table.name);
  const sets = Object.entries(set).map(
    ([column, value]) => `${quoted(column)} = ${values.add(value, columnOf(table, column))}`,
  );
  const text = `
    with written as (
      update public.${name} as ${name} set ${sets.join(', ')} where ${conditionsSql(where, table, values, path)}
      returning ${name}.*
    )
    select ${[asText(columns, table.name), `(${conditionsSql([check], table, values, path)})::text as ${quoted(CHECK)}`].filter(Boolean).join(', ')}
    from written as ${name}`;
  return { text, values: values.list };
}

export function deleteStatement({ table, columns, where, path }: Delete): Statement {
  const values = createValues();
  const name = quoted(table.name);
  const text = `
    with written as (
      delete from public.${name} as ${name} where ${conditionsSql(where, table, values, path)} returning ${name}.*
    )
    select ${[asText(columns, table.name), `'true' as ${quoted(CHECK)}`].filter(Boolean).join(', ')} from written as ${name}`;
  return { text, values: values.list };
}
