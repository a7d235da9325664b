import type {
  DocumentReference,
  DocumentSnapshot,
  Query,
  QueryConstraint,
  QueryDocumentSnapshot,
} from 'firebase/firestore';
import { loadPart } from '../../src/backends/load-part.js';
import type { Change, Cursor, PullPage, PullRequest, RecordKey, TransportHost } from '../../src/kit.js';
import { codeOf } from './failure.js';
import { failure, type Link, type Session, within } from './link.js';
import { cursorAfter, cursorOf, fromDocument, type TimeCursor } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { collectionOf, hasPlace, nameOf, refOf } from './place.js';
import { problem } from './problem.js';
import type { Table } from './table.js';
import { earlier, FIRST, type Time, timeOf } from './version.js';

/** Ids in one query: more are refused. */
const IDS = 30;
/** How much longer a server may take to answer that took too long before. */
const MOST_PATIENCE = 8;
/** Documents read at once, each by a request. */
const GETS = 100;
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

/**
 * Reads documents by the requests that a transaction reads with, and commits nothing. They are all under way at once, and not on
 * the stream of the listeners. Undefined: the rules refuse this one.
 */
async function getAll(
  { sdk, db }: Session,
  refs: readonly DocumentReference[],
): Promise<readonly (DocumentSnapshot | undefined)[]> {
  let found: (DocumentSnapshot | undefined)[] = [];
  const enough = new Error('Nothing is to be written.');
  const read = sdk.runTransaction(
    db,
    async (transaction) => {
      const one = (ref: DocumentReference): Promise<DocumentSnapshot | undefined> =>
        transaction.get(ref).catch((error: unknown) => {
          if (codeOf(error) === 'permission-denied') return undefined;
          throw error;
        });
      found = await Promise.all(refs.map(one));
      throw enough;
    },
    { maxAttempts: 1 },
  );
  await read.catch((error: unknown) => {
    if (error !== enough) throw error;
  });
  return found;
}

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
      patience.delete(what);
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

  /** Documents of these ids that are within the conditions. The emulator takes seconds for it where there are many others. */
  async function listed(table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
    const names = ids.map((id) => nameOf(table, id));
    const changes: Change[] = [];
    for (let from = 0; from < names.length; from += IDS) {
      const part = names.slice(from, from + IDS);
      const docs = await get(
        `Reading documents of "${table.collection}"`,
        table,
        (session, conditions) => {
          const { sdk } = session;
          return sdk.query(collectionOf(session, table), ...conditions, sdk.where(sdk.documentId(), 'in', part));
        },
        signal,
      );
      changes.push(...docs.flatMap((found) => toChange(table, found)));
    }
    return changes;
  }

  /** Documents of these ids, each by itself; undefined: the rules refuse this one. */
  async function got(
    table: Table,
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<(DocumentSnapshot | undefined)[]> {
    const found: (DocumentSnapshot | undefined)[] = [];
    for (let from = 0; from < ids.length; from += GETS) {
      const part = ids.slice(from, from + GETS);
      const read = (session: Session) =>
        getAll(
          session,
          part.map((id) => refOf(session, table, id)),
        );
      found.push(...(await ask(`Reading documents of "${table.collection}"`, signal, read)));
      // Also one that is not there.
      host().reads?.(part.length);
    }
    return found;
  }

  const changesOf = (table: Table, found: readonly (DocumentSnapshot | undefined)[]): Change[] =>
    found.flatMap((each) => (each?.exists() ? toChange(table, each) : []));

  return {
    count: (documents: number): void => host().reads?.(documents),

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      const from = cursorOf(cursor);
      const what = `Reading "${table.collection}"`;
      const docs = await get(what, table, (...given) => ordered(...given, table, from, start, limit), signal);
      const next = cursorAfter(table, docs, from, Date.now());
      // Every document of the query has a timestamp, so an empty page is the end.
      return { changes: docs.flatMap((found) => toChange(table, found)), cursor: (next ?? null) as Cursor };
    },

    /** The documents of these ids as they are now, those marked as deleted too. */
    async byIds(table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
      const placed = ids.filter((id) => hasPlace(table, id));
      // Only a query leaves out what is outside the conditions.
      const found = table.where.length === 0 ? await got(table, placed, signal) : [undefined];
      // Rules may let a user list what they do not let be got.
      return found.includes(undefined) ? listed(table, placed, signal) : changesOf(table, found);
    },

    /** The same, whatever the conditions say, of those that this user may get. */
    gettable: async (table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> =>
      changesOf(table, await got(table, ids, signal)),

    async *keys(table: Table, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      for (let from: TimeCursor | undefined, start = true; ; start = false) {
        const what = `Reading the keys of "${table.collection}"`;
        const at = from;
        const docs = await get(what, table, (...given) => ordered(...given, table, at, start, KEYS), signal);
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
