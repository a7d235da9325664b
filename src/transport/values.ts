import type { Row } from '../base/change.js';
import { deepEqual } from '../base/json.js';
import type { RealtimeTransport, TransportValues } from './transport.js';

/** What a transport does to the values of a collection. */
export const valuesOf = (transport: RealtimeTransport, collection: string): TransportValues =>
  transport.values?.(collection) ?? {};

/** What becomes of a value that may be written to any of several backends. */
export function combinedValues(all: readonly TransportValues[]): TransportValues {
  const [first, ...others] = all.map(({ tags = [] }) => tags);
  return {
    fields: all.some(({ fields }) => fields === 'columns') ? 'columns' : 'documents',
    nestedLists: all.every(({ nestedLists = true }) => nestedLists),
    anyShape: all.every(({ anyShape = true }) => anyShape),
    maxInteger: Math.min(...all.map(({ maxInteger = Number.MAX_SAFE_INTEGER }) => maxInteger)),
    tags: (first ?? []).filter((tag) => others.every((tags) => tags.includes(tag))),
  };
}

/** Whether a field that is null equals one that is missing: one of these backends cannot tell them apart. */
export const nullIsMissing = (...all: readonly TransportValues[]): boolean =>
  all.some(({ fields }) => fields === 'columns');

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

/** A value in one form, whichever way a backend writes it. */
export function canonical(value: unknown): unknown {
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

/** Whether rows of two backends are the same, as far as these two can keep them. */
export function sameRow(a: Row, b: Row, ...backends: readonly TransportValues[]): boolean {
  if (deepEqual(a, b)) return true;
  const loose = nullIsMissing(...backends);
  const has = (row: Row, field: string): boolean => row[field] !== undefined && !(loose && row[field] === null);
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(
    (field) => has(a, field) === has(b, field) && (!has(a, field) || sameValue(a[field], b[field])),
  );
}
