import { readFileSync } from 'node:fs';
import { deleteApp, initializeApp } from 'firebase/app';
import { connectFirestoreEmulator, getFirestore } from 'firebase/firestore';
import { afterAll, expect, test } from 'vitest';
import { indexesJson, setupText } from '../../../adapters/firestore/doctor/setup.js';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import {
  collectionRules,
  type FirestoreTransportOptions,
  readOptions,
  rules,
} from '../../../adapters/firestore/options.js';
import { createTables } from '../../../adapters/firestore/table.js';

const message = (options: unknown): string => {
  try {
    firestoreTransport(options as FirestoreTransportOptions);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

const config = { projectId: 'unit', apiKey: 'hush' };
const app = initializeApp(config, 'options');
const firestore = getFirestore(app);
afterAll(() => deleteApp(app));

test.each<[unknown, string]>([
  [{}, 'config must be'],
  [undefined, 'config must be'],
  [{ config: { apiKey: 'hush' } }, 'with projectId'],
  [{ config, app }, 'app must be left out: config is given'],
  [{ app, firestore }, 'firestore must be left out: app is given'],
  [{ app: {} }, 'made by initializeApp'],
  [{ firestore: app }, 'made by getFirestore'],
  [{ firestore: { type: 'firestore-lite', app } }, 'not of firebase/firestore/lite'],
  [{ firestore, emulator: '127.0.0.1:8080' }, 'emulator must be left out: firestore is given'],
  [{ config, emulator: 'http://127.0.0.1:8080' }, 'such as "127.0.0.1:8080"'],
  [{ config, overlap: -1 }, 'a number above 0'],
  [{ config, heartbeatInterval: 2 ** 31 }, 'a number above 0'],
  [{ config, collections: [] }, 'an object, by collection'],
  [{ config, colections: {} }, 'did you mean "collections"?'],
  [{ config, collections: { todos: { table: 'todos/a' } } }, 'collections.todos, cannot use its options'],
  [{ config, collections: { todos: { where: [['owner', '!=', 'a']] } } }, '[["owner", "==", "u1"]]'],
  [{ config, collections: { todos: { fields: { due: 'date' } } } }, 'timestamp, geoPoint,'],
  [{ config, collections: { todos: { path: 'tasks' } } }, 'path is called table now'],
  [{ config, collections: { todos: { types: {} } } }, 'types is called fields now'],
])('%# is refused with what to write instead', (options, words) => {
  const said = message(options);
  expect(said).toContain(words);
  expect(said).not.toContain('hush');
});

test('its source is the project; what it can do follows from how documents are deleted', () => {
  const transport = firestoreTransport({ config });
  expect(transport.source).toBe('unit');
  expect(firestoreTransport({ config, emulator: 'localhost:1' }).source).toBe('unit@localhost:1');
  expect(firestoreTransport({ firestore }).source).toBe('unit');
  const second = getFirestore(app, 'second');
  const given = firestoreTransport({ firestore: second });
  expect(given.source).toBe('unit@second');
  connectFirestoreEmulator(second, 'localhost', 1);
  expect(given.source, 'told to the SDK later').toBe('unit@second@localhost:1');
  expect(transport.capabilities).toEqual({
    push: true,
    deletes: 'none',
    cursor: 'timestamp',
    reconnect: 'core',
    filters: false,
    pushSize: 100,
  });
  const soft = { deletedAt: 'deletedAt' };
  expect(firestoreTransport({ app, collections: { todos: soft } }).capabilities.deletes).toBe('tombstones');
  expect(firestoreTransport({ app, collections: { todos: soft, notes: {} } }).capabilities.deletes).toBe('none');
});

test('a collection that lies elsewhere, or is read in another way, has another mapping', () => {
  const mapping = (todos?: object) =>
    JSON.stringify(firestoreTransport({ config, collections: { ...(todos && { todos }) } }).mapping?.('todos'));
  const ways = [
    undefined,
    { table: 'tasks' },
    { table: 'tasks', group: true },
    { where: [['owner', '==', 'a']] },
    { fields: { due: 'timestamp' } },
  ];
  expect(new Set(ways.map(mapping)).size).toBe(ways.length);
});

test('closed is closed', async () => {
  const transport = firestoreTransport({ config });
  await transport.close();
  await expect(transport.connect({ signal: new AbortController().signal })).rejects.toMatchObject({ code: 'CLOSED' });
});

test("the page's tables have every option, and no other", () => {
  const page = readFileSync(new URL('../../../adapters/firestore/README.md', import.meta.url), 'utf8');
  const table = (heading: string): string[] => {
    const [, part = ''] = page.split(`${heading}\n`);
    const [text = ''] = part.split(/\n##/);
    return [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name);
  };
  expect(table('## Options').sort()).toEqual(Object.keys(rules).sort());
  expect(table('### Of a collection').sort()).toEqual(Object.keys(collectionRules).sort());
});

test('a group is one id, and setup gives it rules and an index of its own', () => {
  const table = (collection: object) => {
    const options = readOptions({ config: { projectId: 'p' }, collections: { comments: collection } });
    return createTables(options).get('comments');
  };
  expect(() => table({ table: 'posts/p1/comments', group: true })).toThrow(/table must be one id such as "comments"/);
  expect(setupText([table({ group: true })])).toContain('match /{path=**}/comments/{id} {');
  const { indexes, fieldOverrides } = JSON.parse(indexesJson([table({ group: true })]));
  expect(indexes).toEqual([]);
  expect(fieldOverrides).toMatchObject([{ collectionGroup: 'comments', fieldPath: 'updatedAt' }]);
  expect(fieldOverrides[0].indexes).toContainEqual({ order: 'ASCENDING', queryScope: 'COLLECTION_GROUP' });
  const owned = table({ group: true, where: [['owner', '==', 'u1']] });
  expect(JSON.parse(indexesJson([owned])).indexes).toMatchObject([{ queryScope: 'COLLECTION_GROUP' }]);
});
