import { hash } from 'node:crypto';
import type { Row } from '../change.js';
import { deepEqual } from '../kit.js';

/** When two rows of different backends are the same. */
export interface Sameness {
  /** A field that is null equals one that is missing: one of the backends cannot tell them apart. */
  readonly nullIsMissing: boolean;
  /** Fields that are not compared. */
  readonly ignored: ReadonlySet<string>;
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/;

/**
 * A time with its zone as one text for each instant: backends write the same one as `...05Z` and `...05.000+00:00`. Only whole
 * seconds go through `Date`, which has no more than milliseconds. Undefined: it is no such text.
 */
export function instantOf(text: string): string | undefined {
  const [, second, fraction = '', zone] = TIME.exec(text) ?? [];
  const ms = second === undefined ? Number.NaN : Date.parse(second + zone);
  if (Number.isNaN(ms)) return undefined;
  const rest = fraction.replace(/0+$/, '');
  return `${new Date(ms).toISOString().slice(0, 19)}${rest && `.${rest}`}Z`;
}

function canonical(value: unknown): unknown {
  if (typeof value === 'string') return instantOf(value) ?? value;
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  // As an array: keys that look like numbers would be put first by an object, whatever their order here.
  return { fields: fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, canonical(inner)]) };
}

/** One value of two backends, whichever way each of them writes it. */
export const sameValue = (a: unknown, b: unknown): boolean =>
  deepEqual(a, b) || JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));

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
