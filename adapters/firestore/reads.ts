import type { Query, QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import { loadPart } from '../../src/backends/load-part.js';
import type { Change, Cursor, PullPage, PullRequest, RecordKey, TransportHost } from '../../src/kit.js';
import { failure, type Link, type Session, within } from './link.js';
import { cursorAfter, cursorOf, fromDocument, type TimeCursor } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { collectionOf } from './place.js';
import { problem } from './problem.js';
import type { Table } from './table.js';
import { earlier, FIRST, type Time, timeOf } from './version.js';

/** How much longer a server may take to answer that took too long before. */
const MOST_PATIENCE = 8;
/** Keys per page. The SDK cannot read ids without their documents. */
const KEYS = 1000;

/** The collection's own conditions. */
export async function conditionsOf(session: Session, { where }: Table): Promise<readonly QueryConstraint[]> {
  if (where.length === 0) return [];
  const { fromJson, makerOf } = await loadPart(() => import('./write-values.js'));
  const make = makerOf(session);
  return where.map(([field, operator, value]) => session.sdk.where(field, operator, fromJson(value, make)));
}

/** Only documents with a timestamp: without this one condition, those with a number would come first. */
export const since = ({ sdk }: Session, { updatedAt }: Table, time: Time): QueryConstraint =>
  sdk.where(new sdk.FieldPath(updatedAt), '>=', new sdk.Timestamp(time.seconds, time.nanoseconds));

/** All that is read. */
export function createReads(link: Link, options: ParsedOptions, host: () => TransportHost) {
  /** How many times longer the next read of a kind may take. */
  const patience = new Map<string, number>();

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
    const { docs } = await ask(what, signal, async (session) =>
      session.sdk.getDocsFromServer(build(session, await conditionsOf(session, table))),
    );
    // A query that finds nothing counts as one read.
    host().reads?.(Math.max(1, docs.length));
    return docs;
  }

  function toChange(table: Table, found: QueryDocumentSnapshot): Change[] {
    const change = fromDocument(table, found);
    if (change) return [change];
    const what = `A document of "${table.collection}" has no timestamp in ${table.updatedAt}; it was skipped.`;
    host().report(problem('PROTOCOL_VIOLATION', `${what} Every writer must set it to serverTimestamp().`));
    return [];
  }

  /** Behind the last document, or at the start of a catch-up back in time for what was committed late. */
  function beginning(session: Session, table: Table, from: TimeCursor | undefined, start: boolean): QueryConstraint[] {
    const { sdk } = session;
    const at = timeOf(from?.at ?? null);
    if (from && at && !start)
      return [since(session, table, at), sdk.startAfter(new sdk.Timestamp(at.seconds, at.nanoseconds), from.id)];
    const max = timeOf(from?.max ?? null);
    return [since(session, table, max ? earlier(max, options.overlap) : FIRST)];
  }

  const ordered = (
    session: Session,
    conditions: readonly QueryConstraint[],
    table: Table,
    from: TimeCursor | undefined,
    start: boolean,
    most: number,
  ): Query => {
    const { sdk } = session;
    const [first, ...after] = beginning(session, table, from, start);
    return sdk.query(
      collectionOf(session, table),
      ...conditions,
      ...(first ? [first] : []),
      sdk.orderBy(new sdk.FieldPath(table.updatedAt)),
      sdk.orderBy(sdk.documentId()),
      ...after,
      sdk.limit(most),
    );
  };

  return {
    ask,
    get,
    toChange,
    count: (documents: number): void => host().reads?.(documents),

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      const from = cursorOf(cursor);
      const what = `Reading "${table.collection}"`;
      const docs = await get(what, table, (...given) => ordered(...given, table, from, start, limit), signal);
      const next = cursorAfter(table, docs, from, Date.now());
      // Every document of the query has a timestamp, so an empty page is the end.
      return { changes: docs.flatMap((found) => toChange(table, found)), cursor: (next ?? null) as Cursor };
    },

    async *keys(table: Table, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      for (let from: TimeCursor | undefined, start = true; ; start = false) {
        const what = `Reading the keys of "${table.collection}"`;
        const at = from;
        const page = () => get(what, table, (...given) => ordered(...given, table, at, start, KEYS), signal);
        // A link that is lost in the middle of many pages is no reason to begin with the first one again.
        const docs = await page().catch((error: unknown) => {
          if (start) throw error;
          return page();
        });
        if (docs.length === 0) return;
        from = cursorAfter(table, docs, from, Date.now());
        yield docs
          .flatMap((found) => toChange(table, found))
          .filter(({ type }) => type !== 'delete')
          .map(({ recordId, version }) => ({ recordId, version }));
      }
    },

    /** The time from which on a listener hears all that is new, for the price of one document. */
    async newest(table: Table, signal: AbortSignal): Promise<Time> {
      const [found] = await get(
        `Reading the newest document of "${table.collection}"`,
        table,
        (session, conditions) => {
          const { sdk } = session;
          return sdk.query(
            collectionOf(session, table),
            ...conditions,
            since(session, table, FIRST),
            sdk.orderBy(new sdk.FieldPath(table.updatedAt), 'desc'),
            sdk.limit(1),
          );
        },
        signal,
      );
      if (!found) return FIRST;
      const { seconds, nanoseconds } = found.data()[table.updatedAt] as Time;
      // One from the future must not hide those of the present.
      const time = { seconds: Math.min(seconds, Math.floor(Date.now() / 1000)), nanoseconds };
      return earlier(time, options.overlap);
    },
  };
}

export type Reads = ReturnType<typeof createReads>;
