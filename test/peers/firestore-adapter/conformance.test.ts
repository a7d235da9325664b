import { setLogLevel } from 'firebase/firestore';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { documentId, recordIdOf } from '../../../adapters/firestore/ids.js';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import {
  type ConformanceBackend,
  createTcpProxy,
  describeTransport,
  type TcpProxy,
} from '../../../src/testing/index.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';

/** Nobody may write this text; the collections of `closed` are hidden. */
const rules = (closed: readonly string[]): string => `
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /{collection}/{id} {
      allow read, delete: if !(collection in ${JSON.stringify(closed)});
      allow create, update: if !(collection in ${JSON.stringify(closed)}) && request.resource.data.text != 'refused';
    }
  }
}`;

interface Backend extends ConformanceBackend {
  readonly projectId: string;
  hide(collections: readonly string[]): Promise<void>;
}

let emulator: Emulator;
let proxy: TcpProxy;
beforeAll(async () => {
  // The SDK's warnings about the lines that the suite cuts.
  setLogLevel('silent');
  emulator = await startEmulator();
  proxy = await createTcpProxy({ port: emulator.port });
});
afterAll(async () => {
  await proxy?.close();
  await emulator?.close();
});

/** Of a value as REST gives it: those of the suite's rows. */
const plain = ({ stringValue, booleanValue, integerValue }: Readonly<Record<string, unknown>>): unknown =>
  stringValue ?? booleanValue ?? Number(integerValue);

/** A project of its own for each scenario. */
async function project(marks: boolean): Promise<Backend> {
  proxy.set({ blackHole: false });
  const projectId = `p-${crypto.randomUUID()}`;
  const hand = emulator.project(projectId);
  const hide = (collections: readonly string[]): Promise<void> => hand.rules(rules(collections));
  await hide([]);
  const path = (collection: string, id: string): string => `${collection}/${documentId(id)}`;
  return {
    projectId,
    hide,
    write: (collection, id, row, options) => hand.write(path(collection, id), row, options),
    async delete(collection, id) {
      if (marks) await hand.touch(path(collection, id), ['updatedAt', 'deletedAt']);
      else await hand.delete(path(collection, id));
    },
    async read(collection) {
      const documents = await hand.list(collection);
      return new Map(
        documents.flatMap(({ name, fields: { updatedAt, deletedAt, ...fields } = {} }) => {
          const id = recordIdOf(name.slice(name.lastIndexOf('/') + 1));
          const row = Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, plain(value)]));
          return deletedAt ? [] : [[id, { ...row, id }]];
        }),
      );
    },
    cut: async () => proxy.cut({ reset: true }),
    hang: async (on) => proxy.set({ blackHole: on }),
    async restart() {
      await proxy.refuse();
      proxy.cut();
      await emulator.restart(projectId);
      await hide([]);
      await proxy.accept();
    },
    async close() {
      proxy.set({ blackHole: false });
    },
  };
}

for (const marks of [true, false]) {
  const collection = marks ? { deletedAt: 'deletedAt' } : {};
  describeTransport<Backend>(
    { describe, test },
    {
      name: marks ? 'firestore, documents marked as deleted' : 'firestore, documents deleted for good',
      capabilities: {
        push: true,
        deletes: marks ? 'tombstones' : 'none',
        cursor: 'timestamp',
        reconnect: 'core',
        filters: false,
      },
      backend: () => project(marks),
      create: ({ projectId }) =>
        firestoreTransport({
          config: { projectId, apiKey: 'none' },
          emulator: `127.0.0.1:${proxy.port}`,
          heartbeatInterval: 600,
          requestTimeout: 3000,
          collections: { todos: collection, notes: collection },
        }),
      refused: { text: 'refused', done: false, count: 0 },
      permissions: {
        revoke: ({ hide }, name) => hide([name]),
        grant: ({ hide }) => hide([]),
      },
      knownGaps: {
        'close while the connection is lost is final':
          'the SDK mends a cut line by itself, from where it stood, before anybody could notice',
      },
      timeout: 35_000,
    },
  );
}
