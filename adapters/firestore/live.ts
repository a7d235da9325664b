import type { QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import {
  type ChangeSink,
  type createLifetime,
  isSyncLayerError,
  reasonOf,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { codeOf, failure, readError } from './errors.js';
import { answered, type Link, type Session } from './link.js';
import { earlier, FIRST, fromDocument, gone, type Time } from './normalize.js';
import { type ParsedOptions, problem } from './options.js';
import { conditionsOf, type Reads, since } from './reads.js';
import { collectionOf, type Table } from './table.js';

/** How much longer a server may take to answer that took too long before. */
const MOST = 16;

/**
 * Asks again and again whether the server is there, unless it spoke by itself meanwhile. An answer waits behind all that is on
 * its way: each time that none came, the next may take twice as long, else a large first load over a slow line never ends.
 */
export function createHeartbeat(interval: number, ask: (ms: number) => Promise<void>, dead: (error: unknown) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts starts and stops: an answer to an earlier question means nothing. */
  let turn = 0;
  let heard = 0;
  let asking = false;
  let patience = 1;

  function next(): void {
    clearTimeout(timer);
    const mine = turn;
    timer = setTimeout(() => {
      if (performance.now() - heard < interval) next();
      else beat(mine);
    }, interval);
  }

  function beat(mine: number): void {
    if (asking) return;
    asking = true;
    ask(interval * patience).then(
      () => {
        asking = false;
        if (mine !== turn) return;
        patience = 1;
        heard = performance.now();
        next();
      },
      (error: unknown) => {
        asking = false;
        if (mine !== turn) return;
        if (isSyncLayerError(error) && error.code === 'HEARTBEAT_TIMEOUT') patience = Math.min(2 * patience, MOST);
        dead(error);
      },
    );
  }

  return {
    start(): void {
      turn += 1;
      heard = performance.now();
      asking = false;
      next();
    },
    stop(): void {
      turn += 1;
      clearTimeout(timer);
    },
    heard(): void {
      heard = performance.now();
    },
    /** Asks now. */
    doubt(): void {
      clearTimeout(timer);
      beat(turn);
    },
  };
}

/** The newest time; undefined: there is none. */
export async function newest(reads: Reads, table: Table, signal: AbortSignal): Promise<Time | undefined> {
  const [found] = await reads.get(
    `Reading the newest document of "${table.collection}"`,
    table,
    (session, conditions) =>
      session.sdk.query(
        collectionOf(session, table),
        ...conditions,
        since(session, table, FIRST),
        session.sdk.orderBy(new session.sdk.FieldPath(table.updatedAt), 'desc'),
        session.sdk.limit(1),
      ),
    signal,
  );
  return found && (found.data()[table.updatedAt] as Time);
}

/** The time from which on a listener hears all that is new, for the price of one document at the most. */
export async function recent(
  reads: Reads,
  { overlap }: Pick<ParsedOptions, 'overlap'>,
  table: Table,
  signal: AbortSignal,
): Promise<Time> {
  const back = (ms: number): Time => earlier({ seconds: Math.floor(ms / 1000), nanoseconds: 0 }, overlap);
  const { clock } = reads;
  const moment = clock.local();
  const known = clock.at(moment);
  if (known !== undefined) return back(known);
  const found = await newest(reads, table, signal);
  if (!found) return FIRST;
  const asked = clock.at(moment);
  if (asked !== undefined) return back(asked);
  // One from the future must not hide those of the present.
  return earlier({ ...found, seconds: Math.min(found.seconds, Math.floor(Date.now() / 1000)) }, overlap);
}

/** What a listener tells beside changes. */
export interface ListenerEvents {
  /** The server spoke, and read so many documents for it. */
  heard(documents: number): void;
  /** Throws where the session has changed. */
  check(): void;
  /** Documents that the server has just sent. */
  found(documents: readonly QueryDocumentSnapshot[]): void;
  /** A document has no timestamp. */
  unstamped(): void;
  /** The SDK itself thinks that the link is gone. */
  doubt(): void;
  failed(error: SyncLayerError): void;
}

/** Listens to the documents of a collection for which the conditions hold. Returns how to stop, which is at once. */
export function listen(
  session: Session,
  table: Table,
  conditions: readonly QueryConstraint[],
  sink: ChangeSink,
  events: ListenerEvents,
): () => void {
  const { sdk } = session;
  const query = sdk.query(collectionOf(session, table), ...conditions);
  /** The first snapshot has come. It holds all, which is paid for: also what was changed unheard, and left its time alone. */
  let live = false;
  // Without metadata there is neither a sign of the link nor of an own write's acknowledgement.
  const options = { includeMetadataChanges: true } as const;
  const stop = sdk.onSnapshot(
    query,
    options,
    (snapshot) => {
      try {
        // With fewer rights the documents that are hidden come as removed.
        events.check();
      } catch (error) {
        events.failed(error as SyncLayerError);
        return;
      }
      const { fromCache } = snapshot.metadata;
      if (!live && fromCache) return;
      const news = live ? snapshot.docChanges(options) : snapshot.docs.map((doc) => ({ type: 'added', doc }));
      const documents: QueryDocumentSnapshot[] = [];
      for (const { type, doc } of news) {
        // A write of the app's own that the server has not taken yet.
        if (doc.metadata.hasPendingWrites) continue;
        if (type === 'removed') {
          sink.change(gone(table, doc));
          continue;
        }
        documents.push(doc);
        const change = fromDocument(table, doc);
        if (change) sink.change(change);
        else events.unstamped();
      }
      events.found(documents);
      if (fromCache) events.doubt();
      else events.heard(live ? documents.length : Math.max(1, documents.length));
      if (live) return;
      live = true;
      sink.live();
    },
    // The SDK never revives it.
    (error) => events.failed(readError(`The listener to "${table.collection}"`, error)),
  );
  return () => {
    try {
      stop();
    } catch {
      // A client whose own code has failed refuses even that.
    }
  };
}

/**
 * Asks the server for a document, over the very stream that the listeners use: `fromCache: false` stays on a dead socket. That
 * the rules forbid it is an answer too.
 */
async function probe(session: Session, ms: number, signal: AbortSignal): Promise<void> {
  const { sdk, db } = session;
  const what = 'A heartbeat';
  try {
    const asked = sdk.getDocFromServer(sdk.doc(db, 'synclayer', 'heartbeat'));
    await answered(session, asked, what, ms, signal, 'HEARTBEAT_TIMEOUT');
  } catch (error) {
    if (codeOf(error) === 'permission-denied') return;
    throw failure(session, what, error);
  }
}

export interface LiveOptions {
  readonly link: Link;
  readonly options: ParsedOptions;
  readonly reads: Reads;
  readonly life: ReturnType<typeof createLifetime>;
  readonly host: () => TransportHost;
}

/** The live link: its heartbeat, and its listeners. */
export function createLive({ link, options, reads, life, host }: LiveOptions) {
  /** Since when no server is found. */
  let refusedAt: number | undefined;
  function onFailure(error: unknown): void {
    const refused = isSyncLayerError(error) && error.details.code === 'unavailable';
    refusedAt = refused ? (refusedAt ?? performance.now()) : undefined;
  }

  async function ask(session: Session, ms: number, signal: AbortSignal): Promise<void> {
    await probe(session, ms, signal);
    host().reads?.(1);
  }

  const heartbeat = createHeartbeat(
    options.heartbeatInterval,
    async (ms) => {
      if (link.current) await ask(link.current, ms, life.signal);
    },
    (error) => {
      onFailure(error);
      link.lose(toSyncLayerError(error, 'CONNECTION_LOST', 'A heartbeat failed.', { adapter: 'firestore' }));
    },
  );

  return {
    heard: heartbeat.heard,
    stop: heartbeat.stop,

    async connect(signal: AbortSignal): Promise<void> {
      if (life.over || signal.aborted) throw problem('CONNECT_FAILED', 'The connection was given up.');
      heartbeat.stop();
      link.lose(problem('CONNECTION_LOST', 'A new link to Firestore is being made.'));
      try {
        const session = await link.renew(refusedAt);
        await life.during(signal, (signal) => ask(session, options.requestTimeout, signal));
        refusedAt = undefined;
      } catch (error) {
        onFailure(error);
        throw error;
      }
      heartbeat.start();
    },

    subscribe(table: Table, sink: ChangeSink): Unsubscribe {
      const over = new AbortController();
      const session = link.current;
      let stop = (): void => undefined;
      function end(error?: unknown): void {
        if (over.signal.aborted) return;
        over.abort();
        session?.lost.removeEventListener('abort', lose);
        stop();
        if (isSyncLayerError(error)) sink.error(error);
      }
      const lose = (): void => end(session && reasonOf(session.lost));
      async function open(): Promise<void> {
        if (!session) throw problem('CONNECTION_LOST', 'Firestore is not connected.');
        // Where deletes leave their mark, the rest of the collection need not be read again for each listener. Elsewhere only a
        // document that it holds is heard to go. And no condition on the time without need: a `serverTimestamp()` of the app's
        // own is none until the server has it, and its document would leave such a query for as long.
        const from =
          table.deletedAt === undefined
            ? undefined
            : await life.during(over.signal, (signal) => recent(reads, options, table, signal));
        const conditions = await conditionsOf(session, table);
        if (over.signal.aborted) return;
        const heard = (documents: number): void => {
          heartbeat.heard();
          host().reads?.(documents);
        };
        stop = listen(session, table, [...conditions, ...(from ? [since(session, table, from)] : [])], sink, {
          heard,
          doubt: heartbeat.doubt,
          check: () => link.check?.(),
          found: reads.clock.learn,
          unstamped: () => void reads.unstamped(table),
          failed: end,
        });
      }
      session?.lost.addEventListener('abort', lose);
      // Not before the caller has what it needs to end it.
      void Promise.resolve()
        .then(open)
        .catch((error: unknown) =>
          end(toSyncLayerError(error, 'CONNECTION_LOST', `"${table.collection}" could not be listened to.`)),
        );
      return () => end();
    },
  };
}

export type Live = ReturnType<typeof createLive>;
