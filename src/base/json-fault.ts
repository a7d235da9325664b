import { type ErrorOptions, SyncLayerError } from './errors.js';

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** An object literal, or what JSON.parse makes: no array, no Date, no Promise, no instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  const proto: unknown = isObject(value) ? Object.getPrototypeOf(value) : undefined;
  return proto === null || (proto !== undefined && Object.getPrototypeOf(proto) === null);
}

/** Deep enough for any data, and far below where JSON.stringify overflows the stack. It ends circular values too. */
const MAX_DEPTH = 500;
const TOO_DEEP = ` is circular, or deeper than ${MAX_DEPTH} levels`;

/** Why a value is not plain JSON, as the end of a sentence that begins with its name: `.at is a Date`; undefined if it is. */
export function jsonFault(value: unknown, depth = 0): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))
    return undefined;
  if (!isObject(value)) return typeof value === 'number' ? ` is ${value}` : ` is of type ${typeof value}`;
  if (depth === MAX_DEPTH) return TOO_DEEP;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const fault = jsonFault(value[index], depth + 1);
      if (fault) return inside(`[${index}]`, fault);
    }
    return undefined;
  }
  if (!isPlainObject(value)) return ` is a ${(value as object).constructor.name || 'class instance'}`;
  // Rows come by the thousand: this loop makes no list of keys, and asks whose a field is only once it is at fault.
  for (const key in value) {
    // As an own key it comes from JSON.parse. Whoever copies it with an assignment sets a prototype.
    if (key === '__proto__') return ' has a field named __proto__';
    const inner = value[key];
    // A field that is undefined is one that is absent, as in JSON.stringify.
    const fault = inner === undefined ? undefined : jsonFault(inner, depth + 1);
    if (fault && Object.hasOwn(value, key)) return inside(`.${key}`, fault);
  }
  return undefined;
}

/** The way to what is too deep would say nothing, at length. */
const inside = (path: string, fault: string): string => (fault === TOO_DEEP ? fault : path + fault);

/** The error for what `jsonFault` found. */
export const notJson = (what: string, options?: ErrorOptions): SyncLayerError =>
  new SyncLayerError(
    'VALIDATION_FAILED',
    `${what}, and only plain JSON can be stored. Convert it first: a Date with toISOString(), a bigint with String(), NaN to null, a Map with Object.fromEntries().`,
    options,
  );
