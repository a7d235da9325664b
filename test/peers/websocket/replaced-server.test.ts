import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { device, errorsOf, live, mirror, portOf, pushed, startPlain, startServer, until } from './harness.js';
import { temporaryFolder } from './processes.js';

test('ours in the place of an original one: says what to do, loses no edit, and goes on after clear()', async () => {
  const path = join(await temporaryFolder(), 'app.db');
  const old = await startPlain();
  old.records('todos').set('1', { data: { text: 'old' }, version: 1, updatedAt: new Date().toISOString() });
  const { port } = old;
  const addresses = { websocketUrl: `ws://127.0.0.1:${port}/ws`, baseUrl: `http://127.0.0.1:${port}` };
  const before = await device({ ...addresses, store: { type: 'sqlite', path } });
  await mirror(before).when((rows) => rows.size === 1);
  await before.close();
  await old.close();

  const server = await startServer({ port });
  server.collection('todos').save('1', { text: 'new' });
  const sync = await device({ ...addresses, store: { type: 'sqlite', path } });
  const errors = errorsOf(sync);
  await sync.collection('todos').update('1', { done: true });
  await until(sync, () =>
    errors.some(({ error }) => error.message.includes('Give it another path, or call sync.clear()')),
  );
  expect(sync.status.pending).toBe(1);
  expect(server.collection('todos').get('1')).toEqual({ text: 'new' });
  await sync.clear();
  await live(sync);
  expect(await sync.collection('todos').getAll()).toMatchObject([{ id: '1', text: 'new' }]);
});

test('ours in the place of an original one, under another path: edits are kept and carried over', async () => {
  const path = join(await temporaryFolder(), 'app.db');
  const old = await startPlain();
  old.records('todos').set('1', { data: { text: 'old' }, version: 1, updatedAt: new Date().toISOString() });
  const before = await device({ websocketUrl: old.url, baseUrl: old.httpUrl, store: { type: 'sqlite', path } });
  await mirror(before).when((rows) => rows.size === 1);
  await old.close();
  await until(before, () => before.status.phase === 'offline');
  await before.collection('todos').update('1', { done: true });
  await before.close();

  const server = await startServer({ path: '/v2' });
  server.collection('todos').save('1', { text: 'old' });
  const sync = await device({ websocketUrl: server.url, store: { type: 'sqlite', path } });
  await live(sync);
  await pushed(sync);
  expect(server.collection('todos').get('1')).toMatchObject({ text: 'old', done: true });
});

test('an original one in the place of ours: goes on', async () => {
  const path = join(await temporaryFolder(), 'app.db');
  const server = await startServer();
  server.collection('todos').save('1', { text: 'ours' });
  server.collection('todos').save('gone', {});
  const port = portOf(server.url);
  const addresses = { websocketUrl: `ws://127.0.0.1:${port}/ws`, baseUrl: `http://127.0.0.1:${port}` };
  const before = await device({ ...addresses, store: { type: 'sqlite', path } });
  await mirror(before).when((rows) => rows.size === 2);
  await before.close();
  await server.close();

  const old = await startPlain({ port });
  old.records('todos').set('1', { data: { text: 'theirs' }, version: 1, updatedAt: new Date().toISOString() });
  const sync = await device({ ...addresses, store: { type: 'sqlite', path } });
  await mirror(sync).when((rows) => rows.size === 1 && rows.get('1')?.text === 'theirs');
  await sync.collection('todos').update('1', { done: true });
  await pushed(sync);
  expect(old.records('todos').get('1')?.data).toEqual({ text: 'theirs', done: true });
});

test('with the ws package, a token of its own and a query in the address', async () => {
  const asked: string[] = [];
  const server = await startServer({
    authenticate: (token, request) => {
      asked.push(request.url ?? '');
      return token === 'own' ? { id: 'ann' } : null;
    },
  });
  const sync = await device({
    transport: {
      type: 'websocket',
      url: `${server.url}?room=1`,
      authToken: 'own',
      WebSocket: WsWebSocket as unknown as typeof WebSocket,
    },
  });
  await live(sync);
  const seen = mirror(sync);
  server.collection('todos').save('1', { n: 1 });
  await seen.when((rows) => rows.has('1'));
  await sync.collection('todos').save({ n: 2 }, '2');
  await pushed(sync);
  expect(server.collection('todos').count()).toBe(2);
  expect(new Set(asked)).toEqual(new Set(['/ws?room=1']));
});
