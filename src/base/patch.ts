import type { Row } from './change.js';
import { deepEqual, own } from './json.js';

/** What makes `next` of `base`: the fields that changed, and those that are gone, if any is. */
export function patchBetween(base: Row, next: Row): { readonly patch: Row; readonly unset?: readonly string[] } {
  const patch: Row = Object.fromEntries(
    Object.entries(next).filter(([field, value]) => !deepEqual(value, own(base, field))),
  );
  const unset = Object.keys(base).filter((field) => own(next, field) === undefined && base[field] !== undefined);
  return unset.length > 0 ? { patch, unset } : { patch };
}
