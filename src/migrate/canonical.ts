import { hash } from 'node:crypto';
import type { Row } from '../base/change.js';
import { deepEqual } from '../base/json.js';
import { canonical, sameValue } from '../transport/values.js';

/** When two rows of different backends are the same. */
export interface Sameness {
  /** A field that is null equals one that is missing: one of the backends cannot tell them apart. */
  readonly nullIsMissing: boolean;
  /** Fields that are not compared. */
  readonly ignored: ReadonlySet<string>;
}

const compared = (row: Row, { nullIsMissing, ignored }: Sameness): Row =>
  Object.fromEntries(
    Object.entries(row).filter(
      ([field, value]) => !ignored.has(field) && value !== undefined && !(nullIsMissing && value === null),
    ),
  );

/** 128 bits of a row, the same for rows that are the same. */
export const digestOf = (row: Row, sameness: Sameness): string =>
  hash('sha256', JSON.stringify(canonical(compared(row, sameness))), 'hex').slice(0, 32);

/** The fields in which two rows are not the same. */
export function differingFields(a: Row, b: Row, sameness: Sameness): string[] {
  const [one, other] = [compared(a, sameness), compared(b, sameness)];
  const fields = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...fields].filter((field) => field in one !== field in other || !sameValue(one[field], other[field])).sort();
}

/** What makes `after` of `before`: fields with their new values, and fields to remove. */
export interface Delta {
  readonly patch: Row;
  readonly unset: readonly string[];
}

/** The exact difference of two rows of one backend. */
export function deltaOf(before: Row, after: Row): Delta {
  const changed = Object.entries(after).filter(
    ([field, value]) => value !== undefined && !(Object.hasOwn(before, field) && deepEqual(before[field], value)),
  );
  const unset = Object.keys(before).filter((field) => before[field] !== undefined && after[field] === undefined);
  return { patch: Object.fromEntries(changed), unset };
}

/** Only the fields in which the rows of two backends are not the same. */
export function deltaBetween(theirs: Row, ours: Row, sameness: Sameness): Delta {
  const fields = new Set(differingFields(theirs, ours, { ...sameness, ignored: new Set() }));
  const { patch, unset } = deltaOf(theirs, ours);
  return {
    patch: Object.fromEntries(Object.entries(patch).filter(([field]) => fields.has(field))),
    unset: unset.filter((field) => fields.has(field)),
  };
}

export const isEmpty = ({ patch, unset }: Delta): boolean => Object.keys(patch).length === 0 && unset.length === 0;

/** A row with a delta applied. */
export function withDelta(row: Row, { patch, unset }: Delta): Row {
  const gone = new Set(unset);
  return { ...Object.fromEntries(Object.entries(row).filter(([field]) => !gone.has(field))), ...patch };
}
