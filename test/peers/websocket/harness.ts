import { onTestFinished } from 'vitest';
import { createSyncLayer, type SyncEvents, type SyncLayerConfig } from '../../../src/index.js';
import type { SyncLayerInstance } from '../../../src/instance.js';
import { createSyncServer, type SyncServer, type SyncServerOptions } from '../../../src/server/index.js';
import { createTcpProxy, type TcpProxy, type TcpProxyOptions } from '../../../src/testing/tcp-proxy.js';
import { type PlainServer, type PlainServerOptions, startPlainServer } from './plain-server.js';
import { type Script, startScriptedServer } from './scripted-server.js';

export const everyEvent: readonly (keyof SyncEvents)[] = [
  'syncStarted',
  'syncCompleted',
  'syncFailed',
  'operationQueued',
  'operationSynced',
  'operationFailed',
  'conflictDetected',
  'conflictResolved',
  'connectivityChanged',
  'realtimeConnected',
  'realtimeDisconnected',
  'remoteInsert',
  'remoteUpdate',
  'remoteDelete',
  'realtimeSync',
  'statusChanged',
  'error',
];

export const PATIENCE = 15_000;

/** Resolves once `test` holds, looked at after every event of `sync`. Says what it saw if that never happens. */
export function until(sync: SyncLayerInstance, test: () => boolean, what = String(test)): Promise<void> {
  return new Promise((resolve, reject) => {
    const offs = everyEvent.map((name) => sync.events.on(name, look));
    const timer = setTimeout(() => {
      end();
      reject(new Error(`Never came true: ${what}\n${JSON.stringify(sync.inspect(), null, 1)}`));
    }, PATIENCE);
    const end = (): void => {
      clearTimeout(timer);
      for (const off of offs) off();
    };
    function look(): void {
      if (!test()) return;
      end();
      resolve();
    }
    look();
  });
}

export const live = (sync: SyncLayerInstance): Promise<void> => until(sync, () => sync.status.phase === 'live', 'live');

/** Nothing waits to be pushed. */
export const pushed = (sync: SyncLayerInstance): Promise<void> =>
  until(sync, () => sync.status.pending === 0, 'all is pushed');

export type TestRow = Readonly<Record<string, unknown>> & { readonly id: string };

/** What a watcher of a collection sees, and a way to wait for it. */
export function mirror(sync: SyncLayerInstance, collection = 'todos') {
  let rows: ReadonlyMap<string, TestRow> = new Map();
  const looks = new Set<() => void>();
  const stop = sync.collection<TestRow>(collection).watch((found) => {
    rows = new Map(found.map((row) => [row.id, row]));
    for (const look of [...looks]) look();
  });
  onTestFinished(stop);
  return {
    get rows() {
      return rows;
    },
    when: (test: (rows: ReadonlyMap<string, TestRow>) => boolean, what = String(test)): Promise<void> =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer);
          looks.delete(look);
        };
        const timer = setTimeout(() => {
          end();
          const seen = JSON.stringify([...rows.values()].slice(0, 5));
          reject(new Error(`Never came true: ${what}\n${rows.size} rows: ${seen}\n${JSON.stringify(sync.inspect())}`));
        }, PATIENCE);
        const look = (): void => {
          if (!test(rows)) return;
          end();
          resolve();
        };
        looks.add(look);
        look();
      }),
  };
}

export async function startServer(options: SyncServerOptions = {}): Promise<SyncServer> {
  const server = await createSyncServer({ log: () => undefined, ...options });
  onTestFinished(() => server.close());
  return server;
}

export async function startPlain(options: PlainServerOptions = {}): Promise<PlainServer> {
  const server = await startPlainServer(options);
  onTestFinished(() => server.close());
  return server;
}

export async function startScripted(script?: Script) {
  const server = await startScriptedServer(script);
  onTestFinished(() => server.close());
  return server;
}

export async function startProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = await createTcpProxy(options);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** What a test may leave out: short waits, one collection. */
export type DeviceConfig = Partial<SyncLayerConfig>;

export async function device(config: DeviceConfig): Promise<SyncLayerInstance> {
  const sync = await createSyncLayer({
    collections: ['todos'],
    websocketReconnectDelay: 20,
    maxReconnectDelay: 100,
    ...config,
  });
  onTestFinished(() => sync.close());
  return sync as unknown as SyncLayerInstance;
}

/** The port in a URL. */
export const portOf = (url: string): number => Number(new URL(url).port);

/** Collects what a device reports. */
export function errorsOf(sync: SyncLayerInstance): SyncEvents['error'][] {
  const errors: SyncEvents['error'][] = [];
  sync.events.on('error', (event) => errors.push(event));
  return errors;
}
