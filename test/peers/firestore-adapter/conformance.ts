import { setLogLevel } from 'firebase/firestore';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import { documentId, recordIdOf } from '../../../adapters/firestore/table.js';
import {
  type ConformanceBackend,
  type ConformanceOptions,
  type ConformanceRow,
  createTcpProxy,
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

/** A project of its own for each scenario, behind a line of its own. */
export interface Backend extends ConformanceBackend {
  readonly projectId: string;
  readonly port: number;
  hide(collections: readonly string[]): Promise<void>;
  /** Another app changes a document, and leaves its time as it is. False: there is none. */
  leave(collection: string, id: string, row: ConformanceRow): Promise<boolean>;
}

let emulator: Emulator;
export async function startSuite(): Promise<void> {
  // The SDK's warnings about the lines that the suite cuts.
  setLogLevel('silent');
  emulator = await startEmulator();
}
export const closeSuite = async (): Promise<void> => emulator?.close();

/** Of a value as REST gives it: those of the suite's rows. */
const plain = ({ stringValue, booleanValue, integerValue }: Readonly<Record<string, unknown>>): unknown =>
  stringValue ?? booleanValue ?? Number(integerValue);

async function project(marks: boolean): Promise<Backend> {
  const proxy = await createTcpProxy({ port: emulator.port });
  const projectId = `p-${crypto.randomUUID()}`;
  let hand = emulator.project(projectId);
  const hide = (collections: readonly string[]): Promise<void> => hand.rules(rules(collections));
  await hide([]);
  const path = (collection: string, id: string): string => `${collection}/${documentId(id)}`;
  return {
    projectId,
    port: proxy.port,
    hide,
    write: (collection, id, row, options) => hand.write(path(collection, id), row, options),
    async leave(collection, id, row) {
      const at = `/documents/${path(collection, id)}`;
      const found = (await hand.list(collection)).find(({ name }) => name.endsWith(at));
      if (!found || found.fields?.deletedAt) return false;
      const { updatedAt } = found.fields ?? {};
      await hand.write(path(collection, id), row, { field: null }, updatedAt && { updatedAt });
      return true;
    },
    async delete(collection, id) {
      if (marks) await hand.touch(path(collection, id), ['updatedAt', 'deletedAt']);
      else await hand.delete(path(collection, id));
    },
    async read(collection) {
      const documents = await hand.list(collection);
      return new Map(
        documents.flatMap(({ name, fields: { updatedAt, deletedAt, opId, editedAt, ...fields } = {} }) => {
          const id = recordIdOf(name.slice(name.lastIndexOf('/') + 1));
          const row = Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, plain(value)]));
          return deletedAt ? [] : [[id, { ...row, id }]];
        }),
      );
    },
    async cut() {
      // The SDK mends one cut by itself, from where it stood, before anybody could notice. So the next line breaks too, at the
      // server's first word: that is a loss.
      void proxy.cutAfter(1, { direction: 'down', reset: true });
      proxy.cut({ reset: true });
    },
    hang: async (on) => proxy.set({ blackHole: on }),
    async restart() {
      // The next one is ready before the last one ends, since that takes its time on a busy machine.
      const next = await startEmulator();
      await proxy.refuse();
      proxy.cut();
      const documents = await hand.all();
      await emulator.close();
      emulator = next;
      hand = emulator.project(projectId);
      await hand.restore(documents);
      await hide([]);
      proxy.retarget(emulator.port);
      await proxy.accept();
    },
    close: () => proxy.close(),
  };
}

/** The suite for documents that are marked as deleted, and for those that are deleted for good. */
export const firestoreConformance = [true, false].map((marks): ConformanceOptions<Backend> => {
  const collection = marks ? { deletedAt: 'deletedAt', opId: 'opId', editedAt: 'editedAt' } : {};
  return {
    name: marks ? 'firestore, documents marked as deleted' : 'firestore, documents deleted for good',
    capabilities: {
      push: true,
      deletes: marks ? 'tombstones' : 'none',
      cursor: 'timestamp',
      reconnect: 'core',
      filters: false,
      ...(marks && { idempotent: true, editTimes: true }),
    },
    backend: () => project(marks),
    create: ({ projectId, port }) =>
      firestoreTransport({
        config: { projectId, apiKey: 'none' },
        emulator: `127.0.0.1:${port}`,
        heartbeatInterval: 2000,
        // Twenty transactions at once take their time on a busy machine.
        requestTimeout: 10_000,
        collections: { todos: collection, notes: collection },
      }),
    refused: { text: 'refused', done: false, count: 0 },
    permissions: {
      revoke: ({ hide }, name) => hide([name]),
      grant: ({ hide }) => hide([]),
    },
    timeout: 300_000,
  };
});
