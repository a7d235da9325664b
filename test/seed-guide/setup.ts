import { onTestFinished, vi } from 'vitest';
import {
  type Collection,
  type CollectionsConfig,
  createSyncLayer,
  type EventName,
  type SyncEvents,
  type SyncLayerConfig,
  type SyncLayerInstance,
} from '../../src/index.js';
import { createSyncServer, type SyncServer, type SyncServerOptions } from '../../src/server/index.js';
import { createTcpProxy, type TcpProxy } from '../../src/testing/tcp-proxy.js';

export interface Todo {
  readonly id: string;
  readonly text: string;
  readonly done: boolean;
}

export const collections = ['todos', 'users', 'notes'] as const;
export type App = SyncLayerInstance<typeof collections>;

/** A server on a free port; closed, with nothing left open, at the end of the test. */
export async function startServer(options: SyncServerOptions = {}): Promise<SyncServer> {
  const server = await createSyncServer(options);
  onTestFinished(() => server.close());
  return server;
}

/** The network between one device and the server: it can go away. */
export async function startNetwork(server: SyncServer): Promise<TcpProxy & { readonly addresses: Addresses }> {
  const proxy = await createTcpProxy({ port: Number(new URL(server.httpUrl).port) });
  onTestFinished(() => proxy.close());
  const addresses = { baseUrl: `http://127.0.0.1:${proxy.port}`, websocketUrl: `ws://127.0.0.1:${proxy.port}/ws` };
  return Object.assign(proxy, { addresses });
}

export interface Addresses {
  readonly baseUrl: string;
  readonly websocketUrl: string;
}

export const addressesOf = (server: SyncServer): Addresses => ({
  baseUrl: server.httpUrl,
  websocketUrl: server.url,
});

/** A device; closed at the end of the test. It comes back quickly after a loss. */
export async function openDevice<const C extends CollectionsConfig = typeof collections>(
  config: Partial<SyncLayerConfig<C>>,
): Promise<SyncLayerInstance<C>> {
  const merged = { collections, websocketReconnectDelay: 20, maxReconnectDelay: 50, ...config };
  const sync = await createSyncLayer(merged as SyncLayerConfig);
  onTestFinished(() => sync.close());
  return sync as unknown as SyncLayerInstance<C>;
}

/** Resolves once the status has this phase (and, for `live`, nothing is left to send). */
export async function phase(sync: App, wanted: SyncEvents['statusChanged']['phase']): Promise<void> {
  if (sync.status.phase !== wanted) await sync.events.once('statusChanged', (status) => status.phase === wanted);
}

/** Resolves once every edit is acknowledged. */
export async function sent(sync: App): Promise<void> {
  if (sync.status.pending > 0) await sync.events.once('statusChanged', ({ pending }) => pending === 0);
}

/** Resolves with the rows as soon as they are as wanted. */
export function shows<T extends object>(
  collection: Collection<T>,
  wanted: (rows: readonly T[]) => boolean,
): Promise<readonly T[]> {
  return new Promise((resolve) => {
    const stop = collection.watch((rows) => {
      if (!wanted(rows as readonly T[])) return;
      queueMicrotask(() => stop());
      resolve(rows as readonly T[]);
    });
  });
}

export const hasText =
  (...texts: readonly string[]) =>
  (rows: readonly Todo[]): boolean =>
    texts.every((text) => rows.some((row) => row.text === text));

/** The names of these events, in the order in which they come. */
export function record(sync: App, ...names: readonly EventName[]): EventName[] {
  const heard: EventName[] = [];
  for (const name of names) sync.events.on(name, () => void heard.push(name));
  return heard;
}

/** Resolves when the server has this many connections. */
export async function connections(server: SyncServer, wanted: number): Promise<void> {
  while (server.connections !== wanted) await new Promise((resolve) => setImmediate(resolve));
}

/** Makes Node look like a page: its events, its visibility, its network. Undone at the end of the test. */
export function becomePage() {
  const page = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent'] as const)
    vi.stubGlobal(name, page[name].bind(page));
  vi.stubGlobal('document', document);
  onTestFinished(() => void vi.unstubAllGlobals());
  return {
    show(visibilityState: 'visible' | 'hidden') {
      document.visibilityState = visibilityState;
      document.dispatchEvent(new Event('visibilitychange'));
    },
    say: (name: 'online' | 'offline') => globalThis.dispatchEvent(new Event(name)),
  };
}
