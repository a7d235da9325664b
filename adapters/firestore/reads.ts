import type { Query, QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import type { Change, Cursor, PullPage, PullRequest, TransportHost, VersionRange } from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { beginningOf, cursorAfter, cursorOf, type TimeCursor } from './cursor.js';
import { failure, type Link, type Session, within } from './link.js';
import { fromDocument } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { collectionOf, idOf, nameOf } from './place.js';
import { createServerClock } from './server-clock.js';
import type { Table } from './table.js';
import { FIRST, stampOf, type Time, timeOf } from './version.js';

/** How much longer a server may take to answer that took too long before. */
const MOST_PATIENCE = 8;

/** The collection's own conditions. */
export async function conditionsOf(session: Session, { where }: Table): Promise<readonly QueryConstraint[]> {
  if (where.length === 0) return [];
  const { fromJson, makerOf } = await loadPart(() => import('./write-values.js'));
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
      const answer = await within(session, question(session), what, most, signal);
      host().alive?.(signal);
      if (performance.now() - since < options.requestTimeout / 2) patience.delete(what);
      link.check?.();
      return answer;
    } catch (error) {
      // A timer may fire a little early.
      if (performance.now() - since > most - 5) patience.set(what, Math.min(2 * times, MOST_PATIENCE));
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
      const { unstampedError } = await loadPart(() => import('./unstamped.js'));
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
