import type { Query, QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import {
  type Change,
  type Cursor,
  isSyncLayerError,
  type PullPage,
  type PullRequest,
  type TransportHost,
  type VersionRange,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { answered, type Link, type Session } from './link.js';
import { earlier, FIRST, fromDocument, stampOf, stampOfMs, type Time, timeOf } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { collectionOf, idOf, nameOf, type Table } from './table.js';

/** What is used of a document: its `toJSON`, which the SDK has since 12.0, names when the server read it. */
export interface Dated {
  toJSON?(): object;
}

const READ_TIME = /"readTime":"([^"]+)"/;

/** When the server read a document, ms; undefined: the SDK does not tell. */
function readTimeOf(found: Dated): number | undefined {
  try {
    const { bundle } = Object(found.toJSON?.()) as { readonly bundle?: unknown };
    // A document that a transaction read has 1970.
    return Date.parse(READ_TIME.exec(String(bundle))?.[1] ?? '') || undefined;
  } catch {
    // Values that the SDK has no JSON for.
    return undefined;
  }
}

/** How long an estimate is good enough, ms: a document's `toJSON` costs time. */
const FRESH = 60_000;

/**
 * The server's clock, as its answers show it: never ahead of it, and behind by no more than an answer takes, or the device slept. The
 * device's own clock may be hours off. `local`: a clock that nobody sets, ms.
 */
export function createServerClock(local: () => number = () => performance.now()) {
  let ahead: number | undefined;
  let learned = Number.NEGATIVE_INFINITY;

  return {
    /** Reads the time off an answer, and gives it if it was made for that: the SDK shows an older one of a document that it has already. */
    learn([found]: readonly Dated[]): number | undefined {
      if (!found || local() - learned < FRESH) return undefined;
      const ms = readTimeOf(found);
      if (ms === undefined) return undefined;
      learned = local();
      if (ahead !== undefined && ms - local() <= ahead) return undefined;
      ahead = ms - local();
      return ms;
    },
    local,
    /** Ms since 1970 at a time of `local`; undefined: no answer has told yet. */
    at: (moment: number): number | undefined => (ahead === undefined ? undefined : moment + ahead),
  };
}

export type ServerClock = ReturnType<typeof createServerClock>;

/** Where a catch-up stands: behind a document, by its stamp (`at`) and its name (`id`). */
export interface TimeCursor {
  readonly at: string;
  readonly id: string;
  /** All that is stamped before was there when it was read: the next catch-up begins here, or at `at` if that is before. */
  readonly next: string;
}

/** Before the first document. */
const START: TimeCursor = { at: '', id: '', next: '' };

/** A stored cursor; undefined: from the beginning. `overlap`: for one of before `next` was noted. */
export function cursorOf(cursor: Cursor | null, overlap: number): TimeCursor | undefined {
  const { at, id, next, max } = Object(cursor) as Partial<Record<'at' | 'id' | 'next' | 'max', string>>;
  const begin = next ?? stepBack(max, overlap);
  const valid = typeof at === 'string' && timeOf(at) && typeof id === 'string' && typeof begin === 'string';
  return valid ? { at, id, next: begin } : undefined;
}

function stepBack(max: string | undefined, overlap: number): string | undefined {
  const time = timeOf(max ?? null);
  return time && stampOf(earlier(time, overlap));
}

const later = (a: string, b: string): string => (a > b ? a : b);

/** Where a page begins: behind a document, or with a stamp. */
export type Beginning = { readonly after: TimeCursor } | { readonly from: string } | undefined;

/**
 * Where to read on. A catch-up goes back only for what can have been committed late, so that documents that were written in one burst
 * are not read again for ever.
 */
export const beginningOf = (cursor: TimeCursor | undefined, start: boolean): Beginning =>
  cursor && (start && cursor.next <= cursor.at ? { from: cursor.next } : { after: cursor });

/** What a page tells of its documents. */
export interface PageFacts {
  /** The last document. */
  readonly last: { readonly at: string; readonly id: string } | undefined;
  readonly stamps: readonly string[];
  /** The server's clock when the page was asked for, ms; undefined: unknown. */
  readonly asked: number | undefined;
  /** The device's, for want of it. */
  readonly device: number;
}

/** The cursor behind a page. A stamp from the future hides none of the present. */
export function cursorAfter(
  cursor: TimeCursor | undefined,
  { last, stamps, asked, device }: PageFacts,
  start: boolean,
  overlap: number,
): TimeCursor | undefined {
  const { at, id, next } = { ...START, ...cursor, ...last };
  if (at === '') return undefined;
  // Only the first page counts: what is committed while the others are read may lie before them.
  if (asked !== undefined) return { at, id, next: start || next === '' ? stampOfMs(asked - overlap) : next };
  const present = stampOfMs(device);
  const newest = stamps
    .filter((stamp) => stamp <= present)
    .sort()
    .at(-1);
  const back = stepBack(newest, overlap) ?? '';
  return { at, id, next: later(back, next) };
}

/** How much longer a server may take to answer that took too long before. */
const MOST_PATIENCE = 8;

/** The collection's own conditions. */
export async function conditionsOf(session: Session, { where }: Table): Promise<readonly QueryConstraint[]> {
  if (where.length === 0) return [];
  const { fromJson, makerOf } = await loadPart(() => import('./values.js'));
  const make = makerOf(session);
  return where.map(([field, operator, value]) => session.sdk.where(field, operator, fromJson(value, make)));
}

const timestamp = ({ sdk }: Session, { seconds, nanoseconds }: Time) => new sdk.Timestamp(seconds, nanoseconds);

/** Only documents with a timestamp: without this one condition, those with a number would come first. */
export const since = (session: Session, { updatedAt }: Table, time: Time): QueryConstraint =>
  session.sdk.where(new session.sdk.FieldPath(updatedAt), '>=', timestamp(session, time));

/** Those of a range. A version of another backend is older than any. */
export function inRange(session: Session, table: Table, range: VersionRange): QueryConstraint[] {
  const operators = { from: '>=', after: '>', before: '<', upTo: '<=' } as const;
  const bounds = Object.entries(operators).flatMap(([bound, operator]) => {
    const version = range[bound as keyof VersionRange];
    if (version === undefined) return [];
    const time = timestamp(session, timeOf(version) ?? FIRST);
    return [session.sdk.where(new session.sdk.FieldPath(table.updatedAt), operator, time)];
  });
  // Without a lower bound documents with a number for a time would be among them.
  return range.from === undefined && range.after === undefined ? [since(session, table, FIRST), ...bounds] : bounds;
}

const anyOf = (session: Session, conditions: readonly QueryConstraint[], table: Table): Query =>
  session.sdk.query(collectionOf(session, table), ...conditions, session.sdk.limit(1));

/** A page that is wanted. */
export interface Reading {
  readonly cursor: TimeCursor | undefined;
  readonly start: boolean;
  readonly most: number;
  readonly range?: VersionRange | undefined;
}

/** Documents in the order of their time. `range`: only those of it. */
const ordered = (
  session: Session,
  conditions: readonly QueryConstraint[],
  table: Table,
  { cursor, start, most, range = {} }: Reading,
): Query => {
  const { sdk } = session;
  const begin = beginningOf(cursor, start);
  const at = begin && timeOf('after' in begin ? begin.after.at : begin.from);
  const [first, ...others] = inRange(session, table, range);
  return sdk.query(
    collectionOf(session, table),
    ...conditions,
    ...(at ? [since(session, table, at)] : first ? [first] : []),
    ...others,
    sdk.orderBy(new sdk.FieldPath(table.updatedAt)),
    sdk.orderBy(sdk.documentId()),
    ...(at && begin && 'after' in begin ? [sdk.startAfter(timestamp(session, at), begin.after.id)] : []),
    sdk.limit(most),
  );
};

/** All that is read. */
export function createReads(link: Link, options: ParsedOptions, host: () => TransportHost, heard: () => void) {
  const { overlap } = options;
  const clock = createServerClock();
  /** How many times longer the next read of a kind may take. */
  const patience = new Map<string, number>();
  /** Those in which nothing was found. */
  const empty = new WeakSet<Table>();
  /** Collections of which a document without a timestamp was reported. */
  const reported = new Set<string>();

  /**
   * Asks once. An answer waits behind all that is on its way to the listeners, which begin anew with each link: each time that none
   * came, the next may take twice as long, else a large first load over a slow line never ends.
   */
  async function ask<T>(what: string, signal: AbortSignal, question: (session: Session) => Promise<T>): Promise<T> {
    const session = await link.session();
    const times = patience.get(what) ?? 1;
    const most = times * options.requestTimeout;
    const since = performance.now();
    try {
      const answer = await answered(session, question(session), what, most, signal);
      host().alive?.(signal);
      if (performance.now() - since < options.requestTimeout / 2) patience.delete(what);
      link.check?.();
      return answer;
    } catch (error) {
      // A timer may fire a little early.
      if (performance.now() - since > most - 5) patience.set(what, Math.min(2 * times, MOST_PATIENCE));
      if (isSyncLayerError(error)) throw error;
      // In a chunk of its own: most requests work.
      const { failure } = await loadPart(() => import('./errors.js'));
      throw failure(session, what, error);
    }
  }

  async function get(
    what: string,
    table: Table,
    build: (session: Session, conditions: readonly QueryConstraint[]) => Query,
    signal: AbortSignal,
  ): Promise<readonly QueryDocumentSnapshot[]> {
    const sentAt = Date.now();
    const { docs } = await ask(what, signal, async (session) =>
      session.sdk.getDocsFromServer(build(session, await conditionsOf(session, table))),
    );
    // It came over the stream of the listeners.
    heard();
    // A query that finds nothing counts as one read.
    host().reads?.(Math.max(1, docs.length));
    const time = clock.learn(docs);
    // A cache of the app's own may hold documents of long ago.
    if (time !== undefined && !options.firestore) host().serverTime?.(time, sentAt, 1);
    return docs;
  }

  /** Says once of a collection that it has documents that cannot be synchronised. `count`: how many, where that is known. */
  async function unstamped(table: Table, count?: number): Promise<void> {
    if (reported.has(table.collection)) return;
    reported.add(table.collection);
    try {
      // Rare, and long.
      const { unstampedError } = await loadPart(() => import('./errors.js'));
      host().report(unstampedError(table, count));
    } catch {
      reported.delete(table.collection);
    }
  }

  function toChange(table: Table, found: QueryDocumentSnapshot): Change[] {
    const change = fromDocument(table, found);
    if (change) return [change];
    void unstamped(table);
    return [];
  }

  /** A page, and the cursor behind it. */
  async function page(what: string, table: Table, reading: Reading, signal: AbortSignal) {
    const moment = clock.local();
    const docs = await get(what, table, (...given) => ordered(...given, table, reading), signal);
    const last = docs.at(-1);
    const stamps = docs.map((found) => stampOf(found.data()[table.updatedAt] as Time));
    const facts = {
      last: last && { at: stamps.at(-1) ?? '', id: nameOf(table, idOf(table, last)) },
      stamps,
      asked: clock.at(moment),
      device: Date.now(),
    };
    return { docs, cursor: cursorAfter(reading.cursor, facts, reading.start, overlap) };
  }

  return {
    ask,
    get,
    toChange,
    unstamped,
    clock,
    count: (documents: number): void => host().reads?.(documents),

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      const from = cursorOf(cursor, overlap);
      const what = `Reading "${table.collection}"`;
      const { docs, cursor: next } = await page(what, table, { cursor: from, start, most: limit }, signal);
      // Nothing at all: maybe since none has a timestamp, which no query in their order finds.
      if (!next && !empty.has(table)) {
        empty.add(table);
        await get(what, table, (session, own) => anyOf(session, own, table), signal).then(
          (found) => found.flatMap((each) => toChange(table, each)),
          () => undefined,
        );
      }
      // Every document of the query has a timestamp, so an empty page is the end.
      return { changes: docs.flatMap((found) => toChange(table, found)), cursor: (next ?? null) as Cursor };
    },

    page,
  };
}

export type Reads = ReturnType<typeof createReads>;
