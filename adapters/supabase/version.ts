import type { Version } from '../../src/kit.js';

const TIMESTAMP = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/**
 * A timestamptz as text, in UTC with six digits, so that it sorts: `2026-01-02T03:04:05.120000`. Undefined for what has no
 * place in that order (null, infinity, BC). Only whole seconds go through `Date`: it drops microseconds.
 */
export function stampOf(value: unknown): string | undefined {
  const [, day, time, fraction = '', zone = 'Z'] = (typeof value === 'string' && TIMESTAMP.exec(value)) || [];
  const micros = fraction.padEnd(6, '0');
  // As the server writes it, for every row that comes.
  if (zone === '+00:00' || zone === 'Z') return day && `${day}T${time}.${micros}`;
  const ms = Date.parse(`${day}T${time}${/^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone}`);
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19)}.${micros}`;
}

/** Milliseconds since 1970. */
export const timeOf = (stamp: string): number => Date.parse(`${stamp.slice(0, 23)}Z`);

/**
 * The version of a row with this stamp. `repeat`: how many events of the same row had it before. With `updated_at = now()`
 * all changes of one transaction share a stamp, and each is newer than the one before.
 */
export const versionOf = (stamp: string, repeat = 0): string =>
  repeat === 0 ? `${stamp}Z` : `${stamp}Z#${String(repeat).padStart(6, '0')}`;

/** The version of a row that was read to complete an event: newer than any event of that stamp, whichever that was. */
export const completeVersion = (stamp: string): string => `${stamp}Z~`;

/**
 * Newer than any version of the row that a delete ends: `commit_timestamp` has milliseconds only, so the rest of that one
 * counts too, and a version of its last microsecond must not be its equal.
 */
export const commitBound = (stamp: string): string => `${stamp.slice(0, 23)}999Z~~`;

/** The value of `updated_at` that a version stands for; undefined: another backend made it. */
export const updatedAtOf = (version: Version | null): string | undefined => {
  const stamp = typeof version === 'string' ? stampOf(version.slice(0, 26)) : undefined;
  return stamp && `${stamp}Z`;
};
