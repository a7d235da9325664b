import { type Collection, createCollection } from './collection.js';
import {
  type CollectionName,
  type CollectionsConfig,
  collectionsOf,
  type InputOf,
  type OutputOf,
  parseConfig,
  type StoreConfig,
  type SyncLayerConfig,
} from './config.js';
import { SyncLayerError, toSyncLayerError } from './errors.js';
import { createEmitter, type EventSource, type SyncStatus } from './events.js';
import { createLogger, type LoggerOptions } from './logger.js';
import { createMetrics, type MetricsSnapshot } from './metrics.js';
import { schemaParser } from './schema.js';
import { createJournal } from './store/journal.js';
import { memoryStore } from './store/memory.js';
import type { LocalStore } from './store/store.js';
import { createEngine } from './sync/engine.js';
import { createOutbox, type Outbox } from './sync/outbox.js';
import { strategies } from './sync/resolvers.js';
import type { Session } from './sync/session.js';
import type { ConnectionState } from './transport/connection.js';
import { resolveTransport } from './transport/registry.js';
import type { AuthToken, RealtimeTransport } from './transport/transport.js';

/** The live link. */
export interface Realtime {
  readonly state: ConnectionState;
  /** Whether a live link is wanted: the flag of the configuration, or what `enable` and `disable` made of it. */
  readonly enabled: boolean;
  enable(): Promise<void>;
  /** Back to polling, at run time. Nothing is lost: what comes meanwhile is pulled. */
  disable(): Promise<void>;
}

/** What is going on inside, for a debug page or a bug report. Holds no row data and no token. */
export interface Inspection {
  readonly status: SyncStatus;
  readonly realtime: ConnectionState;
  readonly transport: string;
  readonly store: string;
  /** Server clock minus this device's, in ms. */
  readonly clockOffset: number;
  readonly collections: Readonly<
    Record<
      string,
      {
        readonly rows: number;
        readonly pending: number;
        readonly failed: number;
        readonly phase: Session['phase'];
        readonly cursor: unknown;
      }
    >
  >;
}

/** A running SyncLayer. */
export interface SyncLayerInstance<C extends CollectionsConfig = CollectionsConfig> {
  collection<N extends CollectionName<C>>(name: N): Collection<OutputOf<C, N>, InputOf<C, N>>;
  /** A collection with a row type of your own, where the configuration has no schema. */
  collection<T extends object>(name: CollectionName<C>): Collection<T>;
  readonly events: EventSource;
  readonly realtime: Realtime;
  readonly status: SyncStatus;
  /** Edits that wait, and those that the backend refused. */
  readonly outbox: Outbox;
  /** Pulls and pushes now. Rejects with the first error; what failed is tried again by itself. */
  syncNow(): Promise<void>;
  /** Stops all traffic, until `resume()`. Saving goes on locally. */
  pause(): Promise<void>;
  resume(): void;
  /** A new token, or a new way to get one. The link is made anew with it. */
  setAuthToken(token: AuthToken | undefined): void;
  /**
   * Deletes all local data: rows, unsent edits, cursors. For a change of user; give each user a store of their own where
   * you can. Resolves with how many unsent records were discarded.
   */
  clear(): Promise<{ readonly discarded: number }>;
  metrics(): MetricsSnapshot;
  inspect(): Inspection;
  configureLogger(options: LoggerOptions): void;
  /** Stops everything and closes the store. Saves that have resolved are durable. */
  close(): Promise<void>;
}

async function openStore(config: StoreConfig): Promise<LocalStore> {
  if ('commit' in config) return config;
  const { type, ...options } = config;
  try {
    if (type === 'sqlite') return (await import('./store/sqlite.js')).sqliteStore(options as { path: string });
    if (type === 'indexeddb')
      return (await import('./store/indexeddb.js')).indexedDbStore({ name: 'default', ...options });
  } catch (error) {
    throw toSyncLayerError(error, 'STORE_FAILED', `The ${type} store could not be loaded on this platform.`);
  }
  return memoryStore();
}

const isTransport = (value: NonNullable<SyncLayerConfig['transport']>): value is RealtimeTransport =>
  typeof value.pull === 'function';

function transportOf({
  transport,
  websocketUrl,
  baseUrl,
}: SyncLayerConfig): RealtimeTransport | Promise<RealtimeTransport> {
  if (transport && isTransport(transport)) return transport;
  return resolveTransport(
    transport ?? { type: 'websocket', ...(websocketUrl && { url: websocketUrl }), ...(baseUrl && { baseUrl }) },
  );
}

/**
 * Opens the local store, then keeps it equal to the backend. Resolves once local data can be read; the backend is
 * reached afterwards, however long that takes.
 *
 * @throws SyncLayerError CONFIG_INVALID with each wrong key and its fix; PEER_MISSING if an SDK is not installed;
 *   STORE_FAILED if the store cannot be opened.
 * @example
 * const sync = await createSyncLayer({ websocketUrl: 'wss://api.example.com/ws', collections: ['todos'] });
 * const id = await sync.collection('todos').save({ text: 'Buy milk' });
 */
export async function createSyncLayer<const C extends CollectionsConfig>(
  input: SyncLayerConfig<C>,
): Promise<SyncLayerInstance<C>> {
  const config = parseConfig(input);
  const settings = collectionsOf(config);
  const { log, configure } = createLogger(config.logger);
  const events = createEmitter();
  const metrics = createMetrics();
  const transport = await transportOf(config);
  const store = await openStore(config.store ?? { type: 'memory' });
  await store.open();
  const journal = createJournal(store, { onError: (error) => events.emit('error', { error }) });
  const closing = new AbortController();

  const parsers = new Map([...settings].map(([name, { schema }]) => [name, schemaParser(name, schema)]));
  const resolverOf = (
    custom: SyncLayerConfig['customConflictResolver'],
    strategy: SyncLayerConfig['conflictStrategy'],
  ) => {
    const custom_ = strategy === undefined || strategy === 'custom' ? custom : undefined;
    return custom_ ?? strategies[strategy === undefined || strategy === 'custom' ? 'lastWriteWins' : strategy];
  };
  const flag = config.enableRealtimeSync ?? Boolean(config.transport ?? config.websocketUrl);
  let override: boolean | undefined;

  const engine = await createEngine({
    transport,
    store,
    journal,
    collections: new Map(
      [...settings].map(([name, { filter, conflictStrategy, customConflictResolver }]) => {
        const resolve = resolverOf(
          customConflictResolver ?? config.customConflictResolver,
          conflictStrategy ?? (customConflictResolver ? 'custom' : config.conflictStrategy),
        );
        const customResolver = !Object.values(strategies).includes(resolve);
        return [
          name,
          {
            filter: filter ?? {},
            parse: parsers.get(name) as typeof parsers extends Map<string, infer P> ? P : never,
            resolve,
            customResolver,
          },
        ];
      }),
    ),
    authToken: config.authToken,
    realtime: () => override ?? (typeof flag === 'function' ? flag() : flag),
    autoSync: config.enableAutoSync ?? true,
    syncInterval: config.syncInterval ?? 60_000,
    auditInterval: config.auditInterval ?? 300_000,
    maxRetries: config.maxRetries ?? 3,
    reconnectDelay: config.websocketReconnectDelay ?? 1000,
    maxReconnectDelay: config.maxReconnectDelay ?? 30_000,
    maxReconnectAttempts: config.maxWebsocketReconnectAttempts ?? Number.POSITIVE_INFINITY,
    connectTimeout: config.connectTimeout ?? 10_000,
    pageSize: config.pageSize ?? 500,
    bufferLimit: config.bufferLimit ?? 10_000,
    disconnectInBackground: config.disconnectInBackground ?? false,
    events,
    metrics,
    log,
  }).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });

  const commit = async (): Promise<void> => {
    engine.edited();
    await journal.flushed();
  };
  const collections = new Map(
    [...engine.collections].map(([name, core]) => [
      name,
      createCollection({ name, core, parse: parsers.get(name) ?? ((row) => row), commit, closed: closing.signal }),
    ]),
  );

  const setRealtime = async (on: boolean): Promise<void> => {
    override = on;
    await engine.setRealtime(on);
  };
  let closed: Promise<void> | undefined;
  const instance: SyncLayerInstance = {
    collection(name: string) {
      const found = collections.get(name);
      if (found) return found as never;
      const message = `There is no collection "${name}". Add it to "collections" in the configuration; known are ${[...collections.keys()].join(', ')}.`;
      throw new SyncLayerError('CONFIG_INVALID', message);
    },
    events,
    realtime: {
      get state() {
        return engine.connection.state;
      },
      get enabled() {
        return engine.realtime;
      },
      enable: () => setRealtime(true),
      disable: () => setRealtime(false),
    },
    get status() {
      return engine.status;
    },
    outbox: createOutbox(engine.collections, commit),
    syncNow: engine.syncNow,
    pause: engine.pause,
    resume: engine.resume,
    setAuthToken: engine.setAuthToken,
    async clear() {
      const discarded = engine.status.pending;
      await engine.clear();
      return { discarded };
    },
    metrics: metrics.snapshot,
    inspect: () => ({
      status: engine.status,
      realtime: engine.connection.state,
      transport: transport.name,
      store: store.name,
      clockOffset: engine.clockOffset,
      collections: Object.fromEntries(
        [...engine.collections].map(([name, { replica, phase }]) => [
          name,
          {
            rows: replica.rows.size,
            pending: replica.pendingCount(),
            failed: replica.failedEntries().length,
            phase: phase(),
            cursor: replica.cursor,
          },
        ]),
      ),
    }),
    configureLogger: configure,
    close() {
      closed ??= (async () => {
        closing.abort();
        await engine.close();
        try {
          await journal.close();
        } finally {
          await store.close();
          events.clear();
        }
      })();
      return closed;
    },
  };
  await engine.start();
  return instance as unknown as SyncLayerInstance<C>;
}
