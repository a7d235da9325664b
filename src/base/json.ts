import type { Row } from './change.js';
import { isObject, jsonFault, notJson } from './json-fault.js';

/** Rows come from outside: a field such as `constructor` must not reach what objects inherit. */
export const own = (value: unknown, key: string): unknown =>
  isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;

/**
 * Compiles a path into a function that reads it from a row. Dots reach into objects and arrays (`address.city`,
 * `tags.0`); a top-level field whose own name is the whole path wins. Gives `undefined` where there is nothing.
 *
 * @example
 * const city = pathReader('address.city');
 * city({ id: '1', address: { city: 'Oslo' } }); // 'Oslo'
 */
export function pathReader(path: string): (row: Row) => unknown {
  if (!path.includes('.')) {
    // This runs for every comparison of a sort; only names that objects or arrays inherit need the slower look.
    return path in [] ? (row) => own(row, path) : (row) => row[path];
  }
  const keys = path.split('.');
  return (row) => (Object.hasOwn(row, path) ? row[path] : keys.reduce<unknown>(own, row));
}

/**
 * What a row holds at a path, as `pathReader` reads it. For many rows compile the path once with `pathReader`.
 *
 * @example
 * getPath({ id: '1', tags: ['a', 'b'] }, 'tags.1'); // 'b'
 */
export const getPath = (row: Row, path: string): unknown => pathReader(path)(row);

/**
 * Whether two JSON values are equal. The order of keys does not matter, a field that is `undefined` equals a missing
 * one, 0 equals -0 and NaN equals NaN. `null` and missing are not equal.
 *
 * @example
 * deepEqual({ a: 1, b: [2] }, { b: [2], a: 1 }); // true
 */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((value, i) => deepEqual(value, b[i]))
    );
  }
  return (
    Object.keys(a).every((key) => deepEqual(a[key], own(b, key))) &&
    Object.keys(b).every((key) => b[key] === undefined || Object.hasOwn(a, key))
  );
}

/**
 * The same value, deeply frozen, for code that is not ours: what an app does to a row it was given must not reach the
 * stored one. A value that is frozen already was handed out before, and costs one look.
 *
 * @example
 * callback(rows.map(handOut));
 */
export function handOut<T>(value: T): T {
  if (isObject(value) && !Object.isFrozen(value)) {
    // Children first: a frozen parent says that all of it is frozen.
    for (const child of Object.values(value)) handOut(child);
    Object.freeze(value);
  }
  return value;
}

/**
 * A copy of a JSON value that shares nothing with it. Fields that are `undefined` are left out. Throws VALIDATION_FAILED
 * for what JSON would drop or change without a word (a Date, NaN, a bigint, a function, a cycle), with the path to it.
 *
 * @example
 * cloneJson({ at: new Date() }, 'todos/1'); // throws: todos/1.at is a Date ...
 */
export function cloneJson<T>(value: T, path: string): T {
  const fault = jsonFault(value);
  if (fault) throw notJson(path + fault);
  return JSON.parse(JSON.stringify(value)) as T;
}
