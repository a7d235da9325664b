import { invalid, type Path } from '../failure.js';
import type { Order } from '../sql/read.js';
import { type Condition, operators } from '../sql/where.js';
import type { Assignment } from '../sql/write.js';
import type { Names } from './names.js';
import type { RoleTable } from './role.js';

/** Arguments by their GraphQL names. */
export type Arguments = Readonly<Record<string, unknown>>;

/** Reads what a request brings for one table, and gives it back in the words of the database. */
export interface Reader {
  /** An argument by its name in snake_case. */
  argument<Type>(args: Arguments, name: string): Type | undefined;
  condition(where: unknown): Condition;
  orders(orderBy: unknown): Order[];
  /** Values by column, of an object with fields by column. */
  assignment(input: unknown): Assignment;
  /** The one column and value of a stream's `initial_value`. */
  single(input: unknown, path: Path): readonly [column: string, value: unknown];
}

export function createReader({ table, names }: RoleTable, { field }: Names): Reader {
  const columns = new Map(table.columns.map(({ name }) => [names.column(name), name]));
  const logic = new Map(['_and', '_or', '_not', ...operators].map((name) => [field(name), name]));
  const columnOf = (name: string): string => columns.get(name) ?? name;

  const condition = (where: unknown): Condition =>
    Object.fromEntries(
      Object.entries(where ?? {}).map(([key, value]) => {
        const name = logic.get(key);
        if (name === '_not') return [name, condition(value)];
        // One condition stands for a list of it, and null for none.
        if (name !== undefined) return [name, [value ?? []].flat().map(condition)];
        const tests = Object.entries(value ?? {}).map(([operator, operand]) => [logic.get(operator), operand]);
        return [columnOf(key), Object.fromEntries(tests)];
      }),
    );

  const entries = (input: unknown): (readonly [string, unknown])[] =>
    Object.entries(input ?? {}).map(([key, value]) => [columnOf(key), value]);

  return {
    argument: <Type>(args: Arguments, name: string) => (args[field(name)] ?? undefined) as Type | undefined,
    condition,
    orders: (orderBy) =>
      [orderBy ?? []].flat().flatMap((each) =>
        entries(each).flatMap(([column, direction]) =>
          // A null leaves the column out.
          typeof direction === 'string' ? { column, direction } : [],
        ),
      ),
    assignment: (input) => Object.fromEntries(entries(input)),
    single(input, path) {
      const [first, ...rest] = entries(input);
      if (rest.length > 0) throw invalid('multiple column cursors are not supported yet', path);
      if (!first) throw invalid('one streaming column field is expected', path);
      return first;
    },
  };
}
