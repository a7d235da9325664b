import type { Cursor } from '../../src/adapter-kit/kit.js';

/** Where a catch-up stands. Times are the server's, ms, but for `begun`. */
export interface Place {
  /** What was changed since then is to be read; left out: everything. */
  readonly since?: number | undefined;
  /** All rows are read, so that those which are not among them are gone. */
  readonly snapshot?: true | undefined;
  /** The reading has ended: an empty page is to say so. */
  readonly done?: boolean | undefined;
  /** While the pages of one reading are on their way: the next one. */
  readonly token?: string | undefined;
  /** What the reading began with, `overlap` included; left out: everything. */
  readonly from?: number | undefined;
  /** When it began, by our clock; only differences of it are used. */
  readonly begun?: number | undefined;
  /** With conflict detection: when it began, by the server's. */
  readonly startedAt?: number | undefined;
  /** Without: the newest change that it saw. */
  readonly newest?: number | undefined;
  /** It was interrupted: what has changed meanwhile in the part that was read is still to be read. */
  readonly again?: boolean | undefined;
}

/** A stored cursor. Anything strange is the beginning. */
export function placeOf(cursor: Cursor | null): Place {
  const place = Object(cursor) as Place;
  return typeof place.since === 'number' || place.token ? place : {};
}

/** What a catch-up begins with: a new reading, or the rest of one that was interrupted. */
export const begin = ({ since, ...reading }: Place): Place =>
  reading.token ? { since, ...reading, again: true } : { since };

export interface PageFacts {
  readonly token: string | undefined;
  readonly startedAt: number | undefined;
  /** The newest change on the page; 0: there is none. */
  readonly newest: number;
}

/** Where it stands after a page. */
export function advance(place: Place, page: PageFacts, now: number): Place {
  const { since, from, begun = now } = place;
  const { token } = page;
  const startedAt = place.startedAt ?? page.startedAt;
  const newest = Math.max(place.newest ?? 0, page.newest);
  const snapshot = place.snapshot ?? (from === undefined || undefined);
  if (token) return { ...place, snapshot, token, startedAt, newest };
  // A scan has no order: a row can change behind it, before the newest that it saw. That row's change is no older than the
  // scan's beginning, and the newest no younger than its end.
  const next = startedAt ?? (newest && newest - Math.max(0, now - begun));
  // 0 for an empty table: the next reading must not be taken for a snapshot, since a scan may lag behind the first rows.
  return { since: Math.max(next, since ?? 0), snapshot, done: !place.again };
}
