/** In the browser: `measure('synclayer' | 'rxdb', rows, saves)`. */
import { createRxDatabase } from 'rxdb/plugins/core';
import { replicateRxCollection } from 'rxdb/plugins/replication';
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
import { indexedDbStore } from '../../src/store/indexeddb.js';
import { PAGE, type Todo } from '../apply/subject.js';
import { type Device, type DurableFigures, measureDevice } from './device.js';
import { openDevice } from './synclayer-device.js';

const schema = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 20 },
    text: { type: 'string' },
    done: { type: 'boolean' },
    updatedAt: { type: 'number' },
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['id', 'text', 'done', 'updatedAt'],
} as const;

async function openRxdb(): Promise<Device> {
  const storage = getRxStorageDexie();
  const database = await createRxDatabase({ name: 'bench', storage, multiInstance: false });
  const { todos } = await database.addCollections({ todos: { schema } });
  if (!todos) throw new Error('RxDB gave no collection.');
  let count = 0;
  return {
    async load(from) {
      const pages = from[Symbol.iterator]();
      const replication = replicateRxCollection<Todo, number>({
        collection: todos as never,
        replicationIdentifier: 'bench',
        live: false,
        pull: {
          batchSize: PAGE,
          async handler() {
            const page = pages.next();
            const rows = page.done ? [] : page.value;
            count += rows.length;
            return { documents: rows.map((row) => ({ ...row, _deleted: false })), checkpoint: count };
          },
        },
      });
      await replication.awaitInitialReplication();
    },
    save: (todo) => todos.upsert(todo),
    count: async () => (await todos.find().exec()).length,
    close: () => database.close(),
  };
}

const devices: Readonly<Record<string, () => Promise<Device>>> = {
  synclayer: () => openDevice(indexedDbStore({ name: 'bench' })),
  rxdb: openRxdb,
};

Object.assign(globalThis, {
  measure: (name: string, rows: number, saves: number): Promise<DurableFigures> =>
    measureDevice(devices[name] as () => Promise<Device>, rows, saves),
});
