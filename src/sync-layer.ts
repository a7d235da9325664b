import type { Row } from './base/change.js';
import { isSyncLayerError, SyncLayerError, toSyncLayerError } from './base/errors.js';
import { suggest } from './base/problems.js';
import { createCollection } from './collection.js';
import { isSurelyRight } from './config/check.js';
import { settingsOf } from './config/defaults.js';
import type { CollectionsInput, CollectionsOf, StoreConfig, SyncLayerConfig } from './config/types.js';
import type { Inspection, SyncLayerInstance } from './instance.js';
import { createEmitter } from './observe/events.js';
import { createLogger } from './observe/logger.js';
import { createMetrics } from './observe/metrics.js';
import { createJournal } from './store/journal.js';
import type { LocalStore } from './store/store.js';
import { volatileStore } from './store/volatile.js';
import { createAnnouncer } from './sync/announcer.js';
import { createOutbox } from './sync/outbox.js';
import { resolveCollections } from './sync/settings.js';
import { connectionState } from './sync/supervisor/link.js';
import { createSupervisor } from './sync/supervisor/supervisor.js';
import { limited } from './transport/limited.js';
import { resolveTransport } from './transport/registry.js';
import type { RealtimeTransport } from './transport/transport.js';
import { within } from './transport/within.js';

/** How long a store may take to open, and to close, in ms. */
const STORE_LIMIT = 20_000;

const unanswered = (store: LocalStore, what: string): SyncLayerError =>
  new SyncLayerError('STORE_FAILED', `The ${store.name} store did not ${what} within ${STORE_LIMIT / 1000} s.`);

async function open(store: LocalStore): Promise<void> {
  const opening = store.open();
  const late = (): SyncLayerError => {
    // Left open, it would be in nobody's hands.
    void opening.then(() => store.close()).catch(() => undefined);
    return unanswered(store, 'open');
  };
  try {
    await within(opening, { ms: STORE_LIMIT, late });
  } catch (error) {
    if (!isSyncLayerError(error) || error.details.busy !== true) throw error;
    const { openWhenFree } = await import('./store/when-free.js');
    await openWhenFree(store);
  }
}

async function makeStore(config: StoreConfig): Promise<LocalStore> {
  if ('commit' in config) return config;
  const { type, ...options } = config;
  try {
    if (type === 'sqlite') return (await import('./store/sqlite.js')).sqliteStore(options as { path: string });
    if (type === 'indexeddb')
      return (await import('./store/indexeddb.js')).indexedDbStore({ name: 'default', ...options });
  } catch (error) {
    throw toSyncLayerError(error, 'STORE_FAILED', `The ${type} store could not be loaded.`);
  }
  return volatileStore();
}

/** Throws CONFIG_INVALID. */
async function check(config: SyncLayerConfig): Promise<void> {
  if (isSurelyRight(config)) return;
  let rules: typeof import('./config/rules.js');
  try {
    rules = await import('./config/rules.js');
  } catch {
    // Offline they may be out of reach. What is wrong was told before that, when the app was made.
    return;
  }
  rules.checkConfig(config);
}

const isTransport = (value: NonNullable<SyncLayerConfig['transport']>): value is RealtimeTransport => 'pull' in value;

/** The transport that a configuration names or holds. */
export function transportOf({
  transport,
  websocketUrl,
  baseUrl,
}: SyncLayerConfig): RealtimeTransport | Promise<RealtimeTransport> {
  if (transport && isTransport(transport)) return transport;
  if (transport && transport.type !== 'websocket') return resolveTransport(transport);
  const addresses = { ...(websocketUrl && { url: websocketUrl }), ...(baseUrl && { baseUrl }) };
  return resolveTransport({ type: 'websocket', ...addresses, ...transport });
}

/** How long a transport may prepare itself, in ms. What is not installed is known at once; what a slow line brings is not waited for. */
const PREPARE_LIMIT = 1000;

/** Throws PEER_MISSING. */
async function prepare(transport: RealtimeTransport): Promise<void> {
  const late = (): SyncLayerError => new SyncLayerError('CONNECT_TIMEOUT', '');
  try {
    await within(transport.prepare?.(), { ms: PREPARE_LIMIT, late });
  } catch (error) {
    if (isSyncLayerError(error) && error.code === 'PEER_MISSING') throw error;
  }
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
export async function createSyncLayer<const Names extends string = never, Schemas extends Row = Row>(
  config: SyncLayerConfig<CollectionsInput<Names, Schemas>>,
): Promise<SyncLayerInstance<CollectionsOf<Names, Schemas>>>;
export async function createSyncLayer(config: SyncLayerConfig): Promise<SyncLayerInstance> {
  await check(config);
  const resolved = resolveCollections(config);
  const { log, configure } = createLogger(config.logger);
  const events = createEmitter();
  const metrics = createMetrics();
  const announcer = createAnnouncer(events, metrics, log);
  const settings = settingsOf(config);
  const given = await transportOf(config);
  const installed = prepare(given);
  // It may fail before the store is there.
  installed.catch(() => undefined);
  const transport = limited(given, settings.answerTimeout);
  const store = await makeStore(config.store ?? { type: 'memory' });
  await open(store);
  await installed.catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const journal = createJournal(store, {
    onError: announcer.report,
    everything: async () => () => [...supervisor.collections.values()].flatMap((core) => core.stored()),
  });
  const closing = new AbortController();
  const canBeLive = (): boolean => transport.capabilities.live !== false;
  const flag = config.enableRealtimeSync ?? canBeLive();
  /** What `realtime.enable` and `disable` say goes before the configuration. */
  let override: boolean | undefined;

  const supervisor = await createSupervisor({
    transport,
    store,
    journal,
    announcer,
    collections: resolved,
    authToken: config.authToken,
    user: config.user,
    settings,
    realtime: () => override ?? (typeof flag === 'function' ? flag() : flag),
  }).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });

  const commit = (): Promise<void> => {
    supervisor.edited();
    return journal.flushed();
  };
  const collections = new Map(
    [...supervisor.collections].map(([name, core]) => {
      const parse = resolved.get(name)?.parse ?? ((row) => row);
      return [name, createCollection({ name, core, parse, commit, closed: closing.signal })];
    }),
  );

  function inspect(): Inspection {
    const entries = [...supervisor.collections].map(([name, { replica, session }]) => {
      const { rows, cursor } = replica;
      return [
        name,
        {
          rows: rows.size,
          pending: replica.pending.size,
          failed: replica.failed.size,
          phase: session?.phase ?? 'idle',
          cursor,
        },
      ] as const;
    });
    return {
      status: supervisor.status,
      realtime: connectionState(supervisor.state.link),
      transport: transport.name,
      store: store.name,
      clockOffset: supervisor.clockOffset(),
      collections: Object.fromEntries(entries),
    };
  }

  async function setRealtime(on: boolean): Promise<void> {
    // It rejects with what is missing.
    if (on && !canBeLive()) await transport.connect({ signal: closing.signal });
    override = on;
    await supervisor.setRealtime(on);
  }

  async function close(): Promise<void> {
    closing.abort();
    // Who hears of the end may call close() again, and must get this promise.
    await null;
    // In this turn it ends all that could still write. Whoever opens the store next need not wait for the transport.
    const stopped = supervisor.close();
    try {
      await journal.close();
    } finally {
      try {
        await within(store.close(), { ms: STORE_LIMIT, late: () => unanswered(store, 'close') });
      } finally {
        await stopped;
        events.clear();
      }
    }
  }
  let closed: Promise<void> | undefined;

  const instance: Omit<SyncLayerInstance, 'collection'> & { collection(name: string): unknown } = {
    collection(name) {
      const found = collections.get(name);
      if (found) return found;
      const message = `"${name}" is not in "collections" of the configuration; ${suggest(String(name), [...collections.keys()])}`;
      throw new SyncLayerError('NOT_FOUND', message);
    },
    events,
    realtime: {
      get state() {
        return connectionState(supervisor.state.link);
      },
      get enabled() {
        return supervisor.state.realtime;
      },
      enable: () => setRealtime(true),
      disable: () => setRealtime(false),
    },
    get status() {
      return supervisor.status;
    },
    outbox: createOutbox(supervisor.collections, commit),
    syncNow: supervisor.syncNow,
    pause: supervisor.pause,
    resume: supervisor.resume,
    setAuthToken: supervisor.setAuthToken,
    signOut: supervisor.signOut,
    async clear() {
      const discarded = supervisor.status.pending;
      await supervisor.clear();
      return { discarded };
    },
    metrics: metrics.snapshot,
    inspect,
    configureLogger: configure,
    close() {
      closed ??= close();
      return closed;
    },
  };
  supervisor.start();
  return instance as SyncLayerInstance;
}
