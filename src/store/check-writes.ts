import { SyncLayerError } from '../errors.js';
import type { StoreWrite } from './store.js';

/** Deep enough for any data, and far below where JSON.stringify overflows the stack. It ends circular values too. */
const MAX_DEPTH = 500;

/** Where in `value` something is not JSON, and what it is; undefined if all of it is. */
function fault(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : ` is ${value}`;
    case 'object':
      return value === null ? undefined : faultInside(value, depth);
    default:
      return ` is of type ${typeof value}`;
  }
}

function faultInside(value: object, depth: number): string | undefined {
  if (depth === MAX_DEPTH) return ` is circular or deeper than ${MAX_DEPTH} levels`;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = fault(value[index], depth + 1);
      if (found !== undefined) return `[${index}]${found}`;
    }
    return undefined;
  }
  // A plain object's prototype is the root of its realm, or absent; a Date's or a Map's has one above it.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return ` is a ${value.constructor.name}`;
  for (const key in value) {
    // As an own key it comes from JSON.parse. Whoever copies it with an assignment sets a prototype.
    if (key === '__proto__') return ' has a field named __proto__';
    const field: unknown = (value as Record<string, unknown>)[key];
    // A field that is undefined is one that is absent, as in JSON.stringify.
    const found = field === undefined ? undefined : fault(field, depth + 1);
    if (found !== undefined && Object.hasOwn(value, key)) return `.${key}${found}`;
  }
  return undefined;
}

/** Why a value is not plain JSON, as the end of a sentence that begins with its name: `.at is a Date`; undefined if it is. */
export const jsonFault = (value: unknown): string | undefined => fault(value, 0);

/**
 * Throws VALIDATION_FAILED unless every value is plain JSON. Without this a Date or a NaN would come back as itself
 * from one store, as a string or null from another, and a bad value would be found only when half of a batch is done.
 */
export function checkWrites(writes: readonly StoreWrite[]): void {
  for (const { table, key, value } of writes) {
    const found = value === undefined ? undefined : jsonFault(value);
    if (found === undefined) continue;
    throw new SyncLayerError(
      'VALIDATION_FAILED',
      `Nothing was saved: ${table} ${JSON.stringify(key)}${found}, and only plain JSON can be stored. ` +
        'Convert it first, e.g. a Date with toISOString().',
      { adapter: 'store', details: { table, key } },
    );
  }
}
