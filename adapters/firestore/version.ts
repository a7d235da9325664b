import type { Version } from '../../src/adapter-kit/kit.js';

/** What is used of Firestore's `Timestamp`. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/;

/** 0001-01-01, the first time that Firestore knows. */
export const FIRST: Time = { seconds: -62_135_596_800, nanoseconds: 0 };

/** A time as text that sorts: `2026-01-02T03:04:05.123456000Z`. Only whole seconds go through `Date`, which has no more than ms. */
export const stampOf = ({ seconds, nanoseconds }: Time): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, '0')}Z`;

/** The stamp of a time in ms since 1970. */
export const stampOfMs = (ms: number): string => {
  const seconds = Math.floor(ms / 1000);
  return stampOf({ seconds, nanoseconds: Math.floor(ms - seconds * 1000) * 1e6 });
};

/** The time of a stamp; undefined: it is none, such as a version that another backend made. */
export function timeOf(stamp: Version | null): Time | undefined {
  const [, second, nanoseconds] = (typeof stamp === 'string' && STAMP.exec(stamp)) || [];
  const ms = Date.parse(`${second}Z`);
  return Number.isNaN(ms) ? undefined : { seconds: ms / 1000, nanoseconds: Number(nanoseconds) };
}

/** Milliseconds since 1970. */
export const msOf = ({ seconds, nanoseconds }: Time): number => seconds * 1000 + Math.floor(nanoseconds / 1e6);

/** So many ms earlier, but never before the first time. */
export function earlier(time: Time, ms: number): Time {
  const at = time.seconds * 1000 - ms;
  const seconds = Math.floor(at / 1000);
  return seconds < FIRST.seconds ? FIRST : { seconds, nanoseconds: time.nanoseconds };
}

/**
 * Above every stamp. A listener does not say which version of a document was deleted, and the one it has seen may be older than
 * the one that a read has.
 */
export const DELETED = '~';
