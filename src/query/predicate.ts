import type { Row } from '../base/change.js';
import { deepEqual, pathReader } from '../base/json.js';
import { invalid } from './invalid.js';
import type { Condition, Operator } from './types.js';

type Test = (field: unknown) => boolean;

/** What an operator asks of its value, in words and as a check, and the test it makes of it. */
type Definition = readonly [needs: string, accepts: (value: unknown) => boolean, test: (value: never) => Test];

// What types alone let through: a forgotten value, and a Date, which no row holds.
const isJson = (value: unknown): boolean => value !== undefined && !(value instanceof Date);

const any = (test: (value: unknown) => Test): Definition => ['a JSON value (an ISO string for a date)', isJson, test];

const ordered = (test: (field: number, value: number) => boolean): Definition => [
  'a number, a string or a boolean (an ISO string for a date)',
  (value) => value === null || (isJson(value) && typeof value !== 'object'),
  (value) => (field) => typeof field === typeof value && field !== null && test(field as number, value),
];

const text = (test: (field: string, value: string) => boolean): Definition => [
  'a string',
  (value) => typeof value === 'string',
  (value) => (field) => typeof field === 'string' && test(field, value),
];

const list = (test: (values: readonly unknown[]) => Test): Definition => [
  "an array such as ['a', 'b']",
  (value) => Array.isArray(value) && value.every(isJson),
  test,
];

const equals =
  (value: unknown): Test =>
  (field) =>
    deepEqual(field, value);

const oneOf = (values: readonly unknown[]): Test => {
  // A list can hold thousands of ids; only objects need to be compared one by one.
  const set = new Set(values);
  return (field) => set.has(field) || (typeof field === 'object' && values.some(equals(field)));
};

const holds =
  (test: Test): Test =>
  (field) =>
    Array.isArray(field) && field.some(test);

const not =
  (test: Test): Test =>
  (field) =>
    !test(field);

const operators: Readonly<Record<Operator, Definition>> = {
  '==': any(equals),
  '!=': any((value) => not(equals(value))),
  '>': ordered((field, value) => field > value),
  '>=': ordered((field, value) => field >= value),
  '<': ordered((field, value) => field < value),
  '<=': ordered((field, value) => field <= value),
  startsWith: text((field, value) => field.startsWith(value)),
  endsWith: text((field, value) => field.endsWith(value)),
  contains: text((field, value) => field.includes(value)),
  arrayContains: any((value) => holds(equals(value))),
  arrayContainsAny: list((values) => holds(oneOf(values))),
  in: list(oneOf),
  notIn: list((values) => not(oneOf(values))),
  isNull: [
    'true, false or nothing',
    (value) => value === undefined || typeof value === 'boolean',
    (value = true) =>
      (field) =>
        (field === null) === value,
  ],
};

/**
 * Compiles conditions into one test of a row; all must hold.
 *
 * - A missing field and `null` are the same: `== null` and `isNull` match both.
 * - `==`, `!=`, `in`, `notIn` and the array operators compare deeply. `!=` and `notIn` match rows that lack the field,
 *   unlike SQL.
 * - `>`, `>=`, `<`, `<=` match only values of the same type: nothing is converted, and null never matches. Strings are
 *   compared by UTF-16 code unit.
 * - `startsWith`, `endsWith`, `contains` look at strings, with case; `arrayContains` and `arrayContainsAny` at arrays.
 *
 * @throws SyncLayerError VALIDATION_FAILED for an unknown operator or a value that it cannot use.
 * @example
 * const open = compilePredicate([{ path: 'done', operator: '==', value: false }]);
 * open({ id: '1', done: false }); // true
 */
export function compilePredicate(conditions: readonly Condition[]): (row: Row) => boolean {
  const tests = conditions.map(({ path, operator, value }) => {
    const call = `where('${path}', '${operator}')`;
    if (!Object.hasOwn(operators, operator)) throw invalid(call, `needs one of ${Object.keys(operators).join(' ')}`);
    const [needs, accepts, test] = operators[operator];
    if (!accepts(value)) {
      // The kind of value, not the value: it may be private.
      throw invalid(call, `needs ${needs}, not ${Object.prototype.toString.call(value).slice(8, -1).toLowerCase()}`);
    }
    const read = pathReader(path);
    const matches = test(value as never);
    return (row: Row) => matches(read(row) ?? null);
  });
  return (row) => tests.every((test) => test(row));
}
