import {
  type ChangeSink,
  createTimers,
  isObject,
  type SyncLayerError,
  toSyncLayerError,
} from '../../src/adapter-kit/kit.js';

import type { Patience } from '../../src/adapter-kit/patience.js';
import { stampAt, stampOf, timeOf } from '../../src/adapter-kit/postgres-time.js';
import { difference, gone } from './difference.js';
import { allOf, type Document, dated, notDeleted } from './documents.js';
import { graphqlError } from './failure.js';
import { ask, type GraphqlClient } from './link.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';
import type { Rest } from './rest.js';
import { socketError } from './socket-failure.js';
import { countDocument, liveDocument, newestDocument, streamDocument } from './subscriptions.js';
import type { Table } from './table.js';

/** What a subscription works with. Nothing is called once it was stopped. */
export interface Watched {
  readonly client: GraphqlClient;
  readonly table: Table;
  readonly sink: Omit<ChangeSink, 'error'>;
  readonly rest: Rest;
  readonly options: ParsedOptions;
  /** With its first result. */
  readonly patience: Patience;
  report(error: SyncLayerError): void;
  /** The subscription is over. */
  failed(error: SyncLayerError): void;
}

/** Between two catch-ups for full batches, in ms. */
const SOON = 1000;
/** How often, and after how long, a live query's missing row is looked for, in ms: longer than the server's poll. */
const LOOKS = 3;
const LOOK = 2000;
/** How far a server's clock, known to a second, may be off, in ms. */
const CLOCK = 1000;

/** Why a subscription ended. What only the database said ends this one alone, and not the link. */
function endOf({ table }: Watched, cause: unknown): SyncLayerError {
  if (!Array.isArray(cause)) return socketError(cause);
  const error = graphqlError(`The subscription to "${table.collection}"`, 'read', cause);
  return error.code === 'CONNECTION_LOST' ? again(error) : error;
}

const again = ({ message, details }: SyncLayerError): SyncLayerError =>
  problem('CONNECT_FAILED', `${message} It is tried again.`, { details });

/** One subscription of GraphQL. Returns how to end it. */
function listen(watched: Watched, query: Document, where: object, onRows: (rows: unknown) => void): () => void {
  const { client } = watched;
  let over = false;
  function fail(cause: unknown): void {
    if (over) return;
    over = true;
    // Not while graphql-ws hands out a result: it would count an end that is in the same read once more.
    queueMicrotask(stop);
    watched.failed(endOf(watched, cause));
  }
  const stop = client.subscribe(
    { query, variables: { where } },
    {
      next({ data, errors }) {
        if (over) return;
        // While its database is down, Hasura sends `data: null` with errors: that is no empty result.
        if (errors !== undefined || !isObject(data)) fail(errors ?? []);
        else onRows(data.rows);
      },
      error: fail,
      complete: () => fail(undefined),
    },
  );
  return () => {
    over = true;
    queueMicrotask(stop);
  };
}

/** Listens to a table in the way that its options say. Returns how to stop, which is at once. */
export function watch(watched: Watched): () => void {
  const { table, options } = watched;
  const { patience } = watched;
  const { collection } = table;
  let isLive = false;
  const timers = createTimers<'live' | 'check' | 'soon'>();
  const over = new AbortController();
  const stops: (() => void)[] = [];
  function stop(): void {
    over.abort();
    timers.close();
    for (const each of stops) each();
  }
  const guarded = <A extends unknown[]>(call: (...args: A) => void) => {
    return (...args: A): void => {
      if (!over.signal.aborted) call(...args);
    };
  };
  const failed = guarded((error: SyncLayerError) => {
    stop();
    watched.failed(error);
  });
  const late = (): void =>
    failed(
      problem('CONNECT_TIMEOUT', `"${collection}" was not live within ${patience.of(options.subscribeTimeout)} ms.`),
    );
  timers.schedule('live', patience.of(options.subscribeTimeout), () => {
    // A first result may be large, and the line slow: to begin again would send it once more. What is asked now is answered after it;
    // whether the socket lives at all, the heartbeat finds.
    ask(watched.client, over.signal).then(
      () => {
        if (isLive) return;
        patience.missed();
        late();
      },
      () => isLive || late(),
    );
  });
  const { sink } = watched;
  const scope: Scope = {
    ...watched,
    failed,
    sink: { change: guarded(sink.change), live: guarded(sink.live), gap: guarded(sink.gap) },
    signal: over.signal,
    timers,
    add: (end) => (over.signal.aborted ? end() : void stops.push(end)),
    live() {
      if (isLive) return;
      isLive = true;
      timers.cancel('live');
      scope.sink.live();
    },
  };
  // Not before the caller has what it needs to end it.
  void Promise.resolve()
    .then(() => over.signal.aborted || (table.mode === 'live' ? watchResults(scope) : watchStream(scope)))
    .catch((thrown: unknown) => {
      const error = toSyncLayerError(thrown, 'CONNECT_FAILED', `"${collection}" could not be listened to.`);
      failed(error.code === 'CONNECTION_LOST' ? again(error) : error);
    });
  return stop;
}

interface Scope extends Watched {
  readonly signal: AbortSignal;
  readonly timers: ReturnType<typeof createTimers<'live' | 'check' | 'soon'>>;
  /** Something to end with the subscription. */
  add(end: () => void): void;
  /** For the first time. */
  live(): void;
}

/**
 * A live query: all rows at each change. Its first result holds whatever was committed by then, and the difference to each
 * later one shows all that was committed since: so it is live with the first.
 */
function watchResults(scope: Scope): void {
  const { table, sink, rest, signal, timers } = scope;
  const { collection } = table;
  let times: ReadonlyMap<string, unknown> | undefined;
  /** Rows that a push or a pull told of and no result has shown yet, and how often they are still looked for. */
  const unseen = new Map<string, number>();

  /** What was written and deleted between two polls of the server is in no result: nobody would tell that it is gone. */
  function lookLater(): void {
    timers.schedule('check', LOOK, () => {
      const ids = [...unseen].flatMap(([id, left]) => (left > 0 ? id : []));
      for (const id of ids) unseen.set(id, (unseen.get(id) ?? 0) - 1);
      if (ids.length === 0) return;
      void find(ids);
      lookLater();
    });
  }
  rest.told.set(collection, ({ type, recordId }) => {
    if (type === 'delete' || !times || times.has(recordId) || unseen.has(recordId)) return;
    unseen.set(recordId, LOOKS);
    if (!timers.has('check')) lookLater();
  });
  scope.add(() => rest.told.delete(collection));

  /** A row that left the result was deleted, marked as deleted, or just left the condition or a limit: only a read tells. */
  async function find(ids: readonly string[]): Promise<void> {
    try {
      const { changes, present, serverTime } = await rest.byIds(table, ids, signal);
      changes.forEach(sink.change);
      // It cannot be too new: a row that is created again is in the next result.
      const at = (serverTime ?? Date.now()) + CLOCK;
      for (const id of ids) {
        if (present.has(id) || times?.has(id)) continue;
        unseen.delete(id);
        sink.change(gone(collection, id, at));
      }
    } catch {
      sink.gap('rows are no longer in the live query, and could not be read');
    }
  }

  scope.add(
    listen(scope, liveDocument(table), allOf(table.where, notDeleted(table)), (rows) => {
      if (!Array.isArray(rows)) return;
      const { changed, missing, malformed, times: now } = difference(table, times ?? new Map(), rows);
      const first = times === undefined;
      times = now;
      for (const id of unseen.keys()) if (now.has(id)) unseen.delete(id);
      if (malformed > 0)
        scope.report(problem('PROTOCOL_VIOLATION', `${malformed} rows of "${collection}" have no usable key.`));
      // What the first one holds, the catch-up that follows reads.
      if (first) return scope.live();
      for (const row of changed) rest.toChange(table, row).forEach(sink.change);
      if (missing.length > 0) void find(missing);
    }),
  );
}

/**
 * A streaming subscription tells of rows whose time is behind its cursor. It skips what shares its time with the end of a full
 * batch, what commits with an earlier time than a row that it has sent, and hard deletes. So it is a hint: once a transaction that
 * was under way at a hint must have ended, a catch-up with its overlap follows.
 *
 * It is live as soon as the server has understood it, since it does not begin there but at a time before which nothing is
 * committed any more.
 */
async function watchStream(scope: Scope): Promise<void> {
  const { table, sink, rest, options, timers, signal, client } = scope;
  let newest = '';
  let hinted = false;
  let checkedAt = Number.NEGATIVE_INFINITY;

  function check(): void {
    checkedAt = performance.now();
    sink.gap('the stream may have skipped rows');
  }
  function checkLater(): void {
    hinted = false;
    timers.schedule('check', options.overlap, () => {
      check();
      // As long as a row from the future hides those of the present, nothing is hinted at.
      if (hinted || newest > stampAt(Date.now())) checkLater();
    });
  }

  function onRows(rows: unknown): void {
    if (!Array.isArray(rows)) return;
    scope.live();
    for (const row of rows) {
      rest.toChange(table, row).forEach(sink.change);
      const stamp = stampOf(row[table.updatedAt]) ?? '';
      if (stamp > newest) newest = stamp;
    }
    hinted = true;
    if (!timers.has('check')) checkLater();
    if (rows.length >= options.batchSize && !timers.has('soon'))
      timers.schedule('soon', Math.max(0, checkedAt + SOON - performance.now()), check);
  }

  /** Fewer rows than before: some were deleted. That others came in the same moment, the stream tells. */
  let count = 0;
  function onCount(answer: unknown): void {
    const { aggregate } = Object(answer) as { readonly aggregate?: { readonly count?: unknown } };
    const now = Number(aggregate?.count);
    if (now < count) sink.gap('rows were deleted');
    count = now;
  }

  const where = allOf(table.where);
  const from = await horizon(scope);
  if (signal.aborted) return;
  scope.add(listen(scope, streamDocument(table, from, options.batchSize), where, onRows));
  if (table.watchCount && table.deletedAt === undefined) scope.add(listen(scope, countDocument(table), where, onCount));
  await ask(client, signal);
  scope.live();
}

/**
 * A time before which nothing is committed any more: everything newer has yet to come, or is read by the catch-up that follows.
 * ISO text.
 */
async function horizon({ table, rest, options, signal }: Scope): Promise<string> {
  const what = `Reading the newest row of "${table.collection}"`;
  const variables = { where: allOf(table.where, dated(table)) };
  const { rows, serverTime } = await rest.rows(what, newestDocument(table), variables, signal);
  const stamp = stampOf(rows[0]?.[table.updatedAt]);
  if (stamp === undefined) return new Date(0).toISOString();
  // One from the future must not hide those of the present.
  return new Date(Math.min(timeOf(stamp), serverTime ?? Date.now()) - options.overlap).toISOString();
}
