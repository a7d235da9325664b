import { Component, type ComponentContainer } from '@firebase/component';
import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import {
  connectFirestoreEmulator,
  doc,
  getDocFromServer,
  getFirestore,
  onSnapshot,
  serverTimestamp,
  setDoc,
  terminate,
} from 'firebase/firestore';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import { createSyncLayer } from '../../../src/index.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { openClient, stored } from './clients.js';

// An emulator that has just started is slow at first, and more so on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

test("the app's own Firestore: its writes are told once, when the server has them, and close leaves it alone", async () => {
  const app = initializeApp({ projectId: 'own' }, 'own');
  onTestFinished(() => deleteApp(app));
  const firestore = getFirestore(app);
  connectFirestoreEmulator(firestore, emulator.host, emulator.port);
  const heard: unknown[] = [];
  const stop = onSnapshot(doc(firestore, 'other/b'), (snapshot) => void heard.push(snapshot.data()?.text));
  const sync = await createSyncLayer({
    transport: firestoreTransport({ firestore }),
    collections: ['todos'],
    syncInterval: 3_600_000,
  });
  const told: string[] = [];
  for (const type of ['Insert', 'Update', 'Delete'] as const)
    sync.events.on(`realtime${type}`, ({ recordId }) => void told.push(`${type} ${recordId}`));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');

  const hand = emulator.project('own');
  for (const text of ['one', 'two']) await setDoc(doc(firestore, 'todos/a'), { text, updatedAt: serverTimestamp() });
  // After somebody else's change, all of the above has passed.
  const last = sync.events.once('remoteInsert', ({ recordId }) => recordId === 'end');
  await hand.write('todos/end', {});
  await last;
  expect(told).toEqual(['Insert a', 'Update a', 'Insert end']);
  expect(await sync.collection('todos').get('a')).toEqual({ id: 'a', text: 'two' });

  await sync.close();
  await hand.write('other/b', { text: 'still heard' });
  await expect.poll(() => heard).toContain('still heard');
  expect((await getDocFromServer(doc(firestore, 'todos/a'))).data()?.text).toBe('two');
  stop();
  expect(told).toHaveLength(3);
});

test("the app's own Firestore that the app terminates: that is final, said once, and nothing is tried for ever", async () => {
  const app = initializeApp({ projectId: 'ended' }, 'ended');
  onTestFinished(() => deleteApp(app));
  const firestore = getFirestore(app);
  connectFirestoreEmulator(firestore, emulator.host, emulator.port);
  const sync = await createSyncLayer({
    transport: firestoreTransport({ firestore }),
    collections: ['todos'],
    websocketReconnectDelay: 0,
    syncInterval: 100,
    auditInterval: 1000,
  });
  onTestFinished(() => sync.close());
  const messages: string[] = [];
  sync.events.on('error', ({ error }) => void messages.push(`${error.code}: ${error.message}`));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  const failed = sync.events.once('statusChanged', ({ phase }) => phase === 'failed');
  await terminate(firestore);
  await failed;
  expect(sync.realtime.state).toMatchObject({ status: 'failed', reason: { code: 'CONFIG_INVALID' } });
  expect(messages.filter((message) => message.startsWith('CONFIG_INVALID'))).toEqual([
    expect.stringContaining('The app has terminated the Firestore'),
  ]);
  let rounds = 0;
  sync.events.on('syncStarted', () => void rounds++);
  await expect(sync.syncNow()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(sync.syncNow()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  // Nobody but the app asks; one poll may have been under way.
  expect(rounds).toBeLessThanOrEqual(3);
});

test('an edit that hands a document over to somebody else is done, and holds up no other', async () => {
  const app = initializeApp({ projectId: 'owners' }, 'owners');
  onTestFinished(() => deleteApp(app));
  const firestore = getFirestore(app);
  connectFirestoreEmulator(firestore, emulator.host, emulator.port, { mockUserToken: { sub: 'u1' } });
  const hand = emulator.project('owners');
  await hand.rules(`rules_version = '2';
    service cloud.firestore {
      match /databases/{database}/documents/todos/{id} {
        allow read: if resource == null || resource.data.owner == request.auth.uid;
        allow write: if request.auth != null;
      }
    }`);
  await hand.writeAll(new Map(['a', 'b'].map((id) => [`todos/${id}`, { owner: 'u1' }])));
  const sync = await createSyncLayer({
    transport: firestoreTransport({ firestore, collections: { todos: { where: [['owner', '==', 'u1']] } } }),
    collections: ['todos'],
    syncInterval: 3_600_000,
  });
  onTestFinished(() => sync.close());
  const failed: unknown[] = [];
  sync.events.on('error', ({ error }) => void failed.push(error));
  sync.events.on('operationFailed', ({ error }) => void failed.push(error));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  const todos = sync.collection('todos');
  await todos.update('a', { owner: 'u2' });
  await todos.update('b', { text: 'mine' });
  await expect.poll(() => sync.status, { timeout: 120_000 }).toEqual({ phase: 'live', pending: 0 });
  await expect.poll(() => todos.getAll()).toEqual([{ id: 'b', owner: 'u1', text: 'mine' }]);
  const owners = (await hand.list('todos')).map(({ fields }) => fields?.owner?.stringValue);
  expect([owners, failed]).toEqual([['u2', 'u1'], []]);
});

test('a document that another took away is not shown for an edit of it: that is kept, and told', async () => {
  const hand = emulator.project('taken');
  await hand.writeAll(new Map(['a', 'b'].map((id) => [`todos/${id}`, { owner: 'u1', text: 'x' }])));
  const transport = firestoreTransport({
    config: { projectId: 'taken' },
    emulator: `${emulator.host}:${emulator.port}`,
    collections: { todos: { where: [['owner', '==', 'u1']] } },
  });
  const sync = await createSyncLayer({ transport, collections: ['todos'], syncInterval: 3_600_000 });
  onTestFinished(() => sync.close());
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  const todos = sync.collection('todos');
  await sync.pause();
  await hand.write('todos/a', { owner: 'u2', text: 'x' });
  await todos.update('a', { text: 'mine' });
  sync.resume();
  await expect.poll(() => sync.status, { timeout: 60_000 }).toEqual({ phase: 'live', pending: 0 });
  expect((await todos.getAll()).map(({ id }) => id)).toEqual(['b']);
  expect(sync.outbox.failed()).toMatchObject([{ recordId: 'a', data: { text: 'mine' } }]);
});

test('documents that the rules let be listed, but not got, are fetched', async () => {
  const hand = emulator.project('listed');
  await hand.rules(`rules_version = '2';
    service cloud.firestore { match /databases/{db}/documents/todos/{id} { allow list: if true; } }`);
  const ids = Array.from({ length: 40 }, (_, index) => `t${index}`);
  await hand.writeAll(new Map(ids.map((id) => [`todos/${id}`, { text: id }])));
  const transport = firestoreTransport({
    config: { projectId: 'listed' },
    emulator: `${emulator.host}:${emulator.port}`,
  });
  onTestFinished(() => transport.close());
  const { signal } = new AbortController();
  await transport.connect({ signal });
  const found = await transport.fetch?.('todos', [...ids, 'none'], { signal });
  expect(new Set(found?.map(({ recordId }) => recordId))).toEqual(new Set(ids));
});

test('a client of the SDK that never ends holds up neither the next one nor close', async () => {
  const app = initializeApp({ projectId: 'endless' }, 'endless');
  onTestFinished(() => deleteApp(app));
  const transport = firestoreTransport({ app, emulator: `${emulator.host}:${emulator.port}` });
  const { signal } = new AbortController();
  for (const endless of [true, false]) {
    await transport.connect({ signal });
    const client = getFirestore(app) as unknown as { _delete(): Promise<void> };
    const end = client._delete.bind(client);
    onTestFinished(() => end());
    client._delete = () => (endless ? new Promise(() => {}) : Promise.reject(new Error('INTERNAL ASSERTION FAILED')));
    await transport.disconnect?.();
  }
  await transport.connect({ signal });
  await transport.close();
});

test('half of a character is refused before it is sent: it would break off the stream of all others', async () => {
  const client = await openClient('half-characters', emulator.port);
  await client.live();
  const refused = client.sync.events.once('operationFailed');
  await client.todos.saveMany([
    { id: 'cut', text: '😀'.slice(0, 1) },
    { id: 'whole', text: '😀' },
  ]);
  expect((await refused).error).toMatchObject({ code: 'VALIDATION_FAILED' });
  await client.live();
  expect([...(await stored(emulator.project('half-characters'))).keys()]).toEqual(['whole']);
  expect(client.errors).not.toContain('CONNECTION_LOST');
});

/** Firebase Auth as the other parts of the SDK see it, whose user the test decides. */
function fakeAuth(app: FirebaseApp, first: string | null) {
  const listeners = new Set<(token: string | null) => void>();
  let uid = first;
  const token = (): string | null =>
    uid &&
    [{ alg: 'none' }, { sub: uid, user_id: uid, iat: 0, exp: 4e9 }, '']
      .map((part) => (part === '' ? '' : Buffer.from(JSON.stringify(part)).toString('base64url')))
      .join('.');
  const internal = {
    getUid: () => uid,
    getToken: async () => uid && { accessToken: token() },
    addAuthTokenListener(listener: (token: string | null) => void) {
      listeners.add(listener);
      queueMicrotask(() => listener(token()));
    },
    removeAuthTokenListener: (listener: (token: string | null) => void) => void listeners.delete(listener),
  };
  const { container } = app as unknown as { container: ComponentContainer };
  container.addComponent(new Component('auth-internal' as never, () => internal as never, 'PRIVATE' as never));
  container.getProvider('auth-internal' as never).getImmediate();
  return {
    listeners,
    signIn(next: string | null) {
      uid = next;
      for (const listener of listeners) listener(token());
    },
  };
}

test('signed out for a moment nothing is deleted or rejected; another user sends no edit of the one before', async () => {
  const app = initializeApp({ projectId: 'session' }, 'session');
  onTestFinished(() => deleteApp(app));
  const auth = fakeAuth(app, 'u1');
  const hand = emulator.project('session');
  await hand.rules(`rules_version = '2';
    service cloud.firestore {
      match /databases/{database}/documents/todos/{id} {
        allow read: if true;
        allow write: if request.auth != null && request.resource.data.owner == request.auth.uid;
      }
    }`);
  await hand.writeAll(new Map(['a', 'b'].map((id) => [`todos/${id}`, { owner: 'u1' }])));
  const sync = await createSyncLayer({
    transport: firestoreTransport({ app, emulator: `${emulator.host}:${emulator.port}` }),
    collections: ['todos'],
    syncInterval: 3_600_000,
    websocketReconnectDelay: 20,
    maxReconnectDelay: 200,
  });
  onTestFinished(() => sync.close());
  const failed: unknown[] = [];
  for (const name of ['operationFailed', 'remoteDelete'] as const)
    sync.events.on(name, (event) => void failed.push(event));
  const todos = sync.collection('todos');
  const phase = (wanted: string) => expect.poll(() => sync.status.phase, { timeout: 120_000 }).toBe(wanted);
  await phase('live');

  auth.signIn(null);
  await phase('needs-auth');
  await todos.save({ owner: 'u1' }, 'mine');
  await sync.syncNow().catch(() => undefined);
  expect(await todos.count()).toBe(3);
  auth.signIn('u1');
  await expect.poll(() => sync.status, { timeout: 120_000 }).toEqual({ phase: 'live', pending: 0 });
  expect([failed, await hand.list('todos').then((all) => all.length)]).toEqual([[], 3]);

  await sync.pause();
  await todos.save({ owner: 'u1' }, 'late');
  expect(sync.outbox.pending()).toMatchObject([{ author: 'u1' }]);
  auth.signIn('u2');
  sync.resume();
  await expect.poll(() => sync.status, { timeout: 120_000 }).toEqual({ phase: 'live', pending: 0 });
  expect(sync.outbox.held()).toMatchObject([{ author: 'u1', recordId: 'late' }]);
  expect(failed).toEqual([]);
  auth.signIn('u1');
  await expect.poll(async () => (await hand.list('todos')).length, { timeout: 120_000 }).toBe(4);
  await sync.close();
  expect(auth.listeners.size).toBeLessThan(2);
});
