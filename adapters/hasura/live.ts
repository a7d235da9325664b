import { createHeartbeat } from '../../src/adapter-kit/heartbeat.js';
import {
  type ChangeSink,
  createTimers,
  isObject,
  isSyncLayerError,
  type SubscribeRequest,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { createPatience, type Patience } from '../../src/adapter-kit/patience.js';
import { graphqlError, socketError } from './errors.js';
import { appLink, ask, type GraphqlClient, ownLink } from './link.js';
import { runLiveQuery } from './live-query.js';
import { type ParsedOptions, problem } from './options.js';
import type { Reads } from './reads.js';
import { runStream } from './stream.js';
import type { Document, Table, Tables } from './table.js';

export { loadSdk } from './link.js';

/** What one subscription works with. */
interface Parts {
  readonly client: GraphqlClient;
  readonly table: Table;
  readonly reads: Reads;
  readonly options: ParsedOptions;
  report(error: SyncLayerError): void;
}

/** What a way to listen works with. Nothing reaches `sink` once the subscription is over. */
export interface Scope extends Parts {
  readonly sink: Pick<ChangeSink, 'change' | 'gap'>;
  /** Aborted once it is over. */
  readonly signal: AbortSignal;
  /** Something to end with the subscription. */
  add(end: () => void): void;
  /** Only the first call counts. */
  live(): void;
  /** One subscription of GraphQL. It ends with this one, and this one with it. */
  listen(query: Document, where: object, onRows: (rows: unknown) => void): void;
}

const again = ({ message, details }: SyncLayerError): SyncLayerError =>
  problem('CONNECT_FAILED', `${message} It is tried again.`, { details });

/** Why a subscription ended. What only the database said ends this one alone, and not the link. */
function endOf(collection: string, cause: unknown): SyncLayerError {
  if (!Array.isArray(cause)) return socketError(cause);
  const error = graphqlError(`The subscription to "${collection}"`, 'read', cause);
  return error.code === 'CONNECTION_LOST' ? again(error) : error;
}

/** Subscribes. Returns how to end it. `failed` gets what graphql-ws gives, or the errors of a result. */
function subscribe(
  client: GraphqlClient,
  query: Document,
  where: object,
  onRows: (rows: unknown) => void,
  failed: (cause: unknown) => void,
): () => void {
  let over = false;
  function end(): void {
    over = true;
    // Not while graphql-ws hands out a result: it would count an end that is in the same read once more.
    queueMicrotask(stop);
  }
  function fail(cause: unknown): void {
    if (over) return;
    end();
    failed(cause);
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
  return end;
}

/** Listens to a table in the way that its options say. Returns how to stop, which is at once. */
function watch(
  parts: Parts,
  patience: Patience,
  sink: Omit<ChangeSink, 'error'>,
  onEnd: (error: SyncLayerError) => void,
): () => void {
  const { client, table, options } = parts;
  const { collection } = table;
  const over = new AbortController();
  const { signal } = over;
  const timers = createTimers<'live'>();
  const limit = patience.of(options.subscribeTimeout);
  const ends: (() => void)[] = [];
  let isLive = false;

  function stop(): void {
    over.abort();
    timers.close();
    for (const end of ends) end();
  }
  function fail(error: SyncLayerError): void {
    if (signal.aborted) return;
    stop();
    onEnd(error);
  }
  function late(): void {
    if (isLive) return;
    fail(problem('CONNECT_TIMEOUT', `"${collection}" was not live within ${limit} ms.`));
  }
  timers.schedule('live', limit, () => {
    // A first result may be large, and the line slow: to begin again would send it once more. What is asked now is answered after it;
    // whether the socket lives at all, the heartbeat finds.
    ask(client, signal).then(() => {
      if (!isLive) patience.missed();
      late();
    }, late);
  });
  const scope: Scope = {
    ...parts,
    signal,
    sink: {
      change: (change) => signal.aborted || sink.change(change),
      gap: (reason) => signal.aborted || sink.gap(reason),
    },
    add: (end) => (signal.aborted ? end() : void ends.push(end)),
    live() {
      if (isLive || signal.aborted) return;
      isLive = true;
      timers.cancel('live');
      sink.live();
    },
    listen(query, where, onRows) {
      scope.add(subscribe(client, query, where, onRows, (cause) => fail(endOf(collection, cause))));
    },
  };
  // Not before the caller has what it needs to end it.
  void Promise.resolve()
    .then(() => signal.aborted || (table.mode === 'live' ? runLiveQuery(scope) : runStream(scope)))
    .catch((thrown: unknown) => {
      const error = toSyncLayerError(thrown, 'CONNECT_FAILED', `"${collection}" could not be listened to.`);
      fail(error.code === 'CONNECTION_LOST' ? again(error) : error);
    });
  return stop;
}

interface Subscription {
  /** On the link of now, from the beginning. */
  begin(): void;
  end(error?: SyncLayerError): void;
}

/** The one link, and the subscriptions on it. */
export function createLive(options: ParsedOptions, host: () => TransportHost, tables: Tables, reads: Reads) {
  const subscriptions = new Set<Subscription>();
  const patiences = new Map<string, Patience>();

  function patienceWith(collection: string): Patience {
    const patience = patiences.get(collection) ?? createPatience();
    patiences.set(collection, patience);
    return patience;
  }

  function endAll(error?: SyncLayerError): void {
    heartbeat.stop();
    for (const { end } of [...subscriptions]) end(error);
  }

  const events = {
    heard: () => heartbeat.heard(),
    lost: endAll,
    renewed() {
      heartbeat.start();
      for (const { begin } of [...subscriptions]) begin();
    },
  };
  const link = options.client
    ? appLink(options.client as unknown as GraphqlClient, reads, events)
    : ownLink(options, reads, host, events);

  const heartbeat = createHeartbeat(
    options.heartbeatInterval,
    async (signal) => {
      if (link.client) await ask(link.client, signal);
    },
    (cause) => {
      const silent = !isSyncLayerError(cause) || cause.code === 'CONNECT_FAILED';
      const message = `Hasura was silent, and did not answer within ${options.heartbeatInterval} ms; a new link is made.`;
      endAll(silent ? problem('HEARTBEAT_TIMEOUT', message, { cause }) : cause);
      void link.disconnect(true);
    },
  );

  return {
    async connect(signal: AbortSignal): Promise<void> {
      endAll(problem('CONNECTION_LOST', 'A new link to Hasura is being made.'));
      await link.connect(signal);
      heartbeat.start();
    },

    subscribe({ collection }: SubscribeRequest, sink: ChangeSink): Unsubscribe {
      const table = tables.get(collection);
      let over = false;
      let stop = (): void => undefined;
      const subscription: Subscription = {
        begin() {
          stop();
          const { client } = link;
          if (!client) return subscription.end(problem('CONNECTION_LOST', 'Hasura is not connected.'));
          if (table.mode === 'live') heartbeat.expectLarge();
          const report = (error: SyncLayerError): void => host().report(error);
          stop = watch({ client, table, reads, options, report }, patienceWith(collection), sink, (error) =>
            subscription.end(link.explain(error)),
          );
        },
        end(error) {
          if (over) return;
          over = true;
          subscriptions.delete(subscription);
          stop();
          if (error) sink.error(error);
        },
      };
      subscriptions.add(subscription);
      // Not before the caller has what it needs to end it.
      queueMicrotask(() => over || subscription.begin());
      return () => subscription.end();
    },

    async disconnect(): Promise<void> {
      endAll();
      await link.disconnect();
    },
  };
}

export type Live = ReturnType<typeof createLive>;
