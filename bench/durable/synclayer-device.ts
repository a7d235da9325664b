import { createSyncLayer, type LocalStore, type RealtimeTransport } from '../../src/index.js';
import type { Todo } from '../apply/subject.js';
import type { Device } from './device.js';

/** SyncLayer over a store; a backend that gives pages, and takes no edits meanwhile. */
export async function openDevice(store: LocalStore): Promise<Device> {
  let pages: Iterator<Todo[]> = [][Symbol.iterator]();
  let seen = 0;
  const transport: RealtimeTransport = {
    name: 'bench',
    capabilities: { push: true, deletes: 'tombstones', cursor: 'sequence', reconnect: 'core', filters: false },
    connect: async () => undefined,
    subscribe: () => () => undefined,
    async pull() {
      const page = pages.next();
      const rows = page.done ? [] : page.value;
      seen += rows.length;
      const changes = rows.map(
        (data) => ({ type: 'insert', collection: 'todos', recordId: data.id, data, version: data.updatedAt }) as const,
      );
      return { changes, cursor: seen };
    },
    push: () => new Promise(() => undefined),
    close: async () => undefined,
  };
  const sync = await createSyncLayer({
    transport,
    store,
    collections: ['todos'],
    enableRealtimeSync: false,
    enableAutoSync: false,
  });
  const todos = sync.collection<Todo>('todos');
  return {
    async load(from) {
      pages = from[Symbol.iterator]();
      await sync.syncNow();
    },
    save: ({ id, ...todo }) => todos.save(todo, id),
    count: () => todos.count(),
    close: () => sync.close(),
  };
}
