import type { Version } from '../../src/adapter-kit/kit.js';

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** An AWSDateTime as text in UTC with nine digits, so that it sorts. Only whole seconds go through `Date`. */
export function stampOf(value: unknown): string | undefined {
  const [, time, fraction = '', zone] = (typeof value === 'string' && TIMESTAMP.exec(value)) || [];
  const ms = Date.parse(`${time}${zone}`);
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}`;
}

/** As AppSync writes it itself. */
const usual = (stamp: string): string => `${stamp.slice(0, 23)}Z`;

/** Milliseconds since 1970. */
export const timeOf = (stamp: string): number => Date.parse(usual(stamp));

/**
 * The version of a row without conflict detection: its time, and how often one of that time was seen before, since a
 * millisecond can hold two. A time that was written in an unusual way is kept, since a condition compares texts.
 */
export function versionOf(updatedAt: unknown, rank = '0000'): string | undefined {
  const stamp = stampOf(updatedAt);
  return stamp && `${stamp}/${rank}${updatedAt === usual(stamp) ? '' : `=${updatedAt}`}`;
}

/** Of a row that was read to complete an event: newer than any event of that time, whichever that was. */
export const COMPLETE = '~';
/** Of the delete of the row that had this time. */
export const GONE = '~~';

/** The value of `updatedAt` that a version stands for; undefined: another backend made it. */
export function updatedAtOf(version: Version | null): string | undefined {
  const [, stamp, odd] = /^(\d{4}-\S{24})\/[\d~]+(?:=(.*))?$/.exec(String(version)) ?? [];
  return stamp && (odd ?? usual(stamp));
}
