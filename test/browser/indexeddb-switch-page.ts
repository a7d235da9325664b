/** Runs inside the page: an app whose data is in IndexedDB, and whose server is a line of its configuration. */
import { createSyncLayer, type SyncLayerInstance } from '../../src/index.js';

let sync: SyncLayerInstance<readonly string[]>;
const errors: string[] = [];

const create = (url: string, enableRealtimeSync = true): Promise<SyncLayerInstance<readonly string[]>> =>
  createSyncLayer({
    transport: { type: 'websocket', url },
    collections: ['todos'],
    store: { type: 'indexeddb', name: 'switch' },
    websocketReconnectDelay: 50,
    enableRealtimeSync,
    enableAutoSync: enableRealtimeSync,
  });

export const page = {
  async open(url: string, enableRealtimeSync?: boolean): Promise<void> {
    sync = await create(url, enableRealtimeSync);
    sync.events.on('error', ({ error }) => {
      if (error.code === 'STORE_FAILED') errors.push(error.code);
    });
  },
  /** Opens, closes in the cleanup of the same turn, and opens again. */
  async openAsStrictMode(url: string): Promise<void> {
    const first = create(url, false);
    void first.then((opened) => opened.close());
    sync = await create(url, false);
  },
  /** Of the store. */
  errors: () => errors,
  /** Resolves once all is read, and nothing waits. */
  async live(): Promise<void> {
    const isLive = (): boolean => sync.status.phase === 'live' && sync.status.pending === 0;
    if (!isLive()) await sync.events.once('statusChanged', isLive);
  },
  status: () => sync.status,
  /** What waits, as the backend would get it. */
  pending: () => sync.outbox.pending().map(({ type, recordId }) => `${type} ${recordId}`),
  async rows(): Promise<Record<string, unknown>> {
    const rows = await sync.collection('todos').getAll();
    return Object.fromEntries(rows.map(({ id, text }) => [id, text]));
  },
  save: (id: string, text: string) => sync.collection('todos').save({ text }, id),
  update: (id: string, text: string) => sync.collection('todos').update(id, { text }),
  delete: (id: string) => sync.collection('todos').delete(id),
};

declare global {
  /** Set by the page's script. */
  var app: typeof page;
}
globalThis.app = page;
