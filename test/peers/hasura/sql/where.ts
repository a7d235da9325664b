import { HasuraError, invalid, type Path } from '../failure.js';
import { toText } from '../json.js';
import type { Filter } from '../metadata.js';
import { type Column, isJson, type Table } from '../schema/catalog.js';
import type { Session } from '../session.js';

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The values of one statement, in the order of its `$1`, `$2`. */
export interface Values {
  readonly list: readonly (string | null)[];
  /** `$1::uuid` */
  add(value: unknown, column: Column): string;
}

export function createValues(): Values {
  const list: (string | null)[] = [];
  return {
    list,
    add: (value, column) => `$${list.push(toText(value, isJson(column)))}::${column.type}`,
  };
}

/** `{ text: { _eq: 'Milk' } }`, with the columns' own names and with operators in snake_case. */
export type Condition = Readonly<Record<string, unknown>>;

const comparisons: Readonly<Record<string, string>> = {
  _eq: '=',
  _neq: '<>',
  _gt: '>',
  _gte: '>=',
  _lt: '<',
  _lte: '<=',
  _like: 'like',
  _nlike: 'not like',
  _ilike: 'ilike',
  _nilike: 'not ilike',
  _regex: '~',
  _iregex: '~*',
  _contains: '@>',
};

export const operators = [...Object.keys(comparisons), '_in', '_nin', '_is_null'];

/** Operators that only some types have. */
export const textOperators = new Set(['_like', '_nlike', '_ilike', '_nilike', '_regex', '_iregex']);
export const jsonOperators = new Set(['_contains']);

interface Place {
  readonly table: Table;
  readonly values: Values;
  /** What the rows are called in the statement. */
  readonly alias: string;
  readonly path: Path;
}

function compare(column: Column, operator: string, value: unknown, { values, alias, path }: Place): string {
  const left = `${quoted(alias)}.${quoted(column.name)}`;
  // Hasura 2 refuses it, where it once meant: every row.
  if (value === null || value === undefined)
    throw invalid(`unexpected null value for type '${column.scalar}'`, `${path}.${column.name}.${operator}`);
  if (operator === '_is_null') return `${left} is ${value === true ? '' : 'not '}null`;
  if (operator === '_in' || operator === '_nin') {
    const list = (value as readonly unknown[]).map((each) => values.add(each, column));
    if (list.length === 0) return operator === '_in' ? 'false' : 'true';
    return `${left} ${operator === '_in' ? 'in' : 'not in'} (${list.join(', ')})`;
  }
  const sign = comparisons[operator];
  if (sign === undefined) throw new HasuraError('unexpected-payload', `unknown operator ${operator}`, path);
  return `${left} ${sign} ${values.add(value, column)}`;
}

const joined = (parts: readonly string[], word: 'and' | 'or', none: string): string =>
  parts.length === 0 ? none : `(${parts.join(` ${word} `)})`;

/** A condition as SQL. */
export function whereSql(condition: Condition, place: Place): string {
  const parts = Object.entries(condition).map(([key, value]) => {
    if (key === '_not') return `not ${whereSql(value as Condition, place)}`;
    if (key === '_and' || key === '_or') {
      const inner = (value as readonly Condition[]).map((each) => whereSql(each, place));
      return key === '_and' ? joined(inner, 'and', 'true') : joined(inner, 'or', 'false');
    }
    const column = place.table.columns.find(({ name }) => name === key);
    if (!column) throw new HasuraError('not-exists', `column "${key}" does not exist`, place.path);
    const tests = Object.entries(value as Condition);
    return joined(
      tests.map(([operator, operand]) => compare(column, operator, operand, place)),
      'and',
      'true',
    );
  });
  return joined(parts, 'and', 'true');
}

function fromSession(value: unknown, { variables, role }: Session): unknown {
  if (typeof value !== 'string' || !/^x-hasura-/i.test(value)) return value;
  const name = value.toLowerCase();
  const found = name === 'x-hasura-role' ? role : variables[name];
  if (found === undefined) throw new HasuraError('not-found', `missing session variable: "${name}"`);
  return found;
}

/** Column values that a permission sets: `{ owner: 'x-hasura-user-id' }`. */
export const presets = (set: Filter = {}, session: Session): Filter =>
  Object.fromEntries(Object.entries(set).map(([column, value]) => [column, fromSession(value, session)]));

/** A permission's filter with the session's own values in it. `{ owner: 'X-Hasura-User-Id' }` is short for `_eq`. */
export function filterOf(filter: Filter, session: Session): Condition {
  return Object.fromEntries(
    Object.entries(filter).map(([key, value]) => {
      const name = key.replace(/^\$/, '_');
      if (name === '_not') return [name, filterOf(value as Filter, session)];
      if (name === '_and' || name === '_or')
        return [name, (value as readonly Filter[]).map((each) => filterOf(each, session))];
      if (typeof value !== 'object' || value === null) return [name, { _eq: fromSession(value, session) }];
      const tests = Object.entries(value).map(([operator, operand]) => [
        operator.replace(/^\$/, '_'),
        Array.isArray(operand) ? operand.map((each) => fromSession(each, session)) : fromSession(operand, session),
      ]);
      return [name, Object.fromEntries(tests)];
    }),
  );
}
