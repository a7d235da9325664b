import type { DocumentSnapshot, Query, QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import {
  type Change,
  type Cursor,
  isSyncLayerError,
  type PullPage,
  type PullRequest,
  type RecordKey,
  type TransportHost,
} from '../../src/kit.js';
import { failure, type Link, loadPart, type Session, within } from './link.js';
import { cursorAfter, cursorOf, fromDocument, type TimeCursor } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { collectionOf, hasPlace, nameOf, refOf } from './place.js';
import { problem } from './problem.js';
import type { Table } from './table.js';
import { earlier, FIRST, type Time, timeOf } from './version.js';

/** Ids in one query: more are refused. */
const IDS = 30;
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
  /** Asks once. */
  async function ask<T>(what: string, signal: AbortSignal, question: (session: Session) => Promise<T>): Promise<T> {
    const session = await link.session();
    try {
      return await within(session, question(session), what, options.requestTimeout, signal);
    } catch (error) {
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
    count: (documents: number): void => host().reads?.(documents),

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      const from = cursorOf(cursor);
      const what = `Reading "${table.collection}"`;
      const docs = await get(what, table, (...given) => ordered(...given, table, from, start, limit), signal);
      const next = cursorAfter(table, docs, from, Date.now());
      // Every document of the query has a timestamp, so an empty page is the end.
      return { changes: docs.flatMap((found) => toChange(table, found)), cursor: (next ?? null) as Cursor };
    },

    /** The documents of these ids as they are now, those marked as deleted too; `all`: also outside the conditions. */
    async byIds(table: Table, ids: readonly string[], signal: AbortSignal, all = false): Promise<Change[]> {
      const names = ids.filter((id) => hasPlace(table, id)).map((id) => nameOf(table, id));
      const parts: string[][] = [];
      for (let from = 0; from < names.length; from += IDS) parts.push(names.slice(from, from + IDS));
      const read = (part: readonly string[]): Promise<readonly QueryDocumentSnapshot[]> =>
        get(
          `Reading documents of "${table.collection}"`,
          table,
          (session, conditions) => {
            const { sdk } = session;
            return sdk.query(
              collectionOf(session, table),
              ...(all ? [] : conditions),
              sdk.where(sdk.documentId(), 'in', part),
            );
          },
          signal,
        );
      const changes: Change[] = [];
      // One at a time: the emulator breaks the stream of a client that reads much at once.
      for (const part of parts) changes.push(...(await read(part)).flatMap((found) => toChange(table, found)));
      return changes;
    },

    /** The same, one by one, of those that this user may get: rules may forbid to list what they let be got. */
    async oneByOne(table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
      const read = async (id: string): Promise<DocumentSnapshot | undefined> => {
        try {
          const found = await ask(`Reading ${table.collection}/${id}`, signal, (session) =>
            session.sdk.getDocFromServer(refOf(session, table, id)),
          );
          host().reads?.(1);
          return found;
        } catch (error) {
          if (isSyncLayerError(error) && error.code === 'SUBSCRIBE_REJECTED') return undefined;
          throw error;
        }
      };
      const found = await Promise.all(ids.map(read));
      return found.flatMap((each) => (each?.exists() ? toChange(table, each) : []));
    },

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
