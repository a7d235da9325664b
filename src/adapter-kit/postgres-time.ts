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

/** A time of some clock, in ms, as a stamp. */
export const stampAt = (ms: number): string => `${new Date(ms).toISOString().slice(0, 23)}000`;

/** The version of a row with this stamp. What follows a stamp and its `Z` in a version makes it newer than this one. */
export const versionOf = (stamp: string): string => `${stamp}Z`;
