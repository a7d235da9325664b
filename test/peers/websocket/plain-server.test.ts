import { once } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { device, errorsOf, live, mirror, pushed, startPlain, startProxy, until } from './harness.js';
import type { PlainServer, PlainServerOptions } from './plain-server.js';

type Data = Record<string, unknown>;

const addresses = (server: PlainServer) => ({ websocketUrl: server.url, baseUrl: server.httpUrl });

/** A Flutter app's socket, as far as others notice it. */
async function flutterApp(server: PlainServer) {
  const socket = new WebSocket(server.url);
  const heard: Data[] = [];
  socket.on('message', (text) => heard.push(JSON.parse(String(text)) as Data));
  await once(socket, 'open');
  onTestFinished(() => socket.terminate());
  socket.send(JSON.stringify({ type: 'subscribe', collection: 'todos' }));
  await once(socket, 'message');
  return {
    heard,
    next: async () => JSON.parse(String((await once(socket, 'message'))[0])) as Data,
    say: (message: Data) =>
      socket.send(JSON.stringify({ collection: 'todos', timestamp: new Date().toISOString(), ...message })),
  };
}

test('two devices see each other by events, and not by polls', async () => {
  const server = await startPlain();
  const a = await device(addresses(server));
  const b = await device(addresses(server));
  await Promise.all([live(a), live(b)]);
  const seen = mirror(b);
  const polls = b.metrics().sync.attempts;
  const took: number[] = [];
  const measure = async (act: () => Promise<unknown>, arrived: () => Promise<void>) => {
    const startedAt = performance.now();
    await act();
    await arrived();
    took.push(performance.now() - startedAt);
  };
  const todos = a.collection('todos');
  for (let n = 0; n < 10; n++) {
    const id = `t${n}`;
    await measure(
      () => todos.save({ n, kept: true }, id),
      () => seen.when((rows) => rows.get(id)?.n === n),
    );
    await measure(
      () => todos.update(id, { n: -1 }),
      () => seen.when((rows) => rows.get(id)?.n === -1),
    );
    expect(seen.rows.get(id)).toEqual({ id, n: -1, kept: true });
    await measure(
      () => todos.delete(id),
      () => seen.when((rows) => !rows.has(id)),
    );
  }
  took.sort((x, y) => x - y);
  const [p50 = 0, max = 0] = [took[15], took.at(-1)];
  console.log(`plain server: p50 ${p50.toFixed(1)} ms, max ${max.toFixed(1)} ms`);
  expect(b.metrics().sync.attempts).toBe(polls);
  expect(server.records('todos').size).toBe(0);
});

test('a device and a Flutter app see each other; a delta leaves the other fields alone', async () => {
  const server = await startPlain();
  const app = await flutterApp(server);
  const sync = await device(addresses(server));
  await live(sync);
  const seen = mirror(sync);

  app.say({ type: 'insert', recordId: '1', data: { text: 'Milk', done: false } });
  await seen.when((rows) => rows.get('1')?.text === 'Milk');
  app.say({ type: 'update', recordId: '1', data: { done: true } });
  await seen.when((rows) => rows.get('1')?.done === true);
  expect(seen.rows.get('1')).toEqual({ id: '1', text: 'Milk', done: true });

  const heard = app.next();
  await sync.collection('todos').update('1', { text: 'Bread' });
  expect(await heard).toMatchObject({ type: 'update', recordId: '1', data: { text: 'Bread' } });
  await pushed(sync);
  expect(server.records('todos').get('1')?.data).toEqual({ id: undefined, text: 'Bread', done: true });

  app.say({ type: 'delete', recordId: '1' });
  await seen.when((rows) => rows.size === 0);
});

test('edits made offline arrive, and so do those of others and deletes that left no trace', async () => {
  const server = await startPlain();
  const proxy = await startProxy({ port: server.port });
  const through = { websocketUrl: `ws://127.0.0.1:${proxy.port}`, baseUrl: `http://127.0.0.1:${proxy.port}` };
  for (const id of ['stays', 'goes', 'changes', 'dropped']) server.records('todos').set(id, row({ text: id }));
  const sync = await device(through);
  await live(sync);
  const seen = mirror(sync);
  await seen.when((rows) => rows.size === 4);

  await proxy.refuse();
  proxy.cut();
  await until(sync, () => sync.status.phase === 'offline');
  server.records('todos').delete('goes');
  server.records('todos').set('changes', row({ text: 'changed' }));
  server.records('todos').set('new', row({ text: 'new' }));
  const todos = sync.collection('todos');
  await todos.save({ text: 'mine' }, 'mine');
  await todos.update('stays', { done: true });
  await todos.delete('dropped');
  await todos.save({ text: 'never sent' }, 'gone again');
  await todos.delete('gone again');

  await proxy.accept();
  await live(sync);
  await pushed(sync);
  expect(Object.fromEntries([...server.records('todos')].map(([id, { data }]) => [id, data.text]))).toEqual({
    stays: 'stays',
    new: 'new',
    mine: 'mine',
    changes: 'changed',
  });
  expect(server.records('todos').get('stays')?.data).toMatchObject({ text: 'stays', done: true });
  expect([...seen.rows.keys()].sort()).toEqual(['changes', 'mine', 'new', 'stays']);
  expect(server.seen.requests.filter((request) => request.includes('gone%20again'))).toEqual([]);
});

const row = (data: Data) => ({ data, version: 1, updatedAt: new Date().toISOString() });

test('two devices change different fields of a row at the same time: both stay', async () => {
  const server = await startPlain();
  server.records('todos').set('1', row({ text: 'Milk', done: false, count: 1 }));
  const a = await device(addresses(server));
  const b = await device(addresses(server));
  await Promise.all([live(a), live(b)]);
  const [seenA, seenB] = [mirror(a), mirror(b)];
  await Promise.all([a.pause(), b.pause()]);
  await a.collection('todos').update('1', { text: 'Bread' });
  await b.collection('todos').update('1', { done: true });
  a.resume();
  b.resume();
  const both = (rows: ReadonlyMap<string, Data>) => rows.get('1')?.text === 'Bread' && rows.get('1')?.done === true;
  await Promise.all([seenA.when(both), seenB.when(both)]);
  await Promise.all([pushed(a), pushed(b)]);
  expect(server.records('todos').get('1')?.data).toEqual({ text: 'Bread', done: true, count: 1 });
});

test('the link comes back by itself, and nothing of the time between is missed', async () => {
  const server = await startPlain();
  const sync = await device(addresses(server));
  await live(sync);
  const seen = mirror(sync);
  for (let round = 0; round < 5; round++) {
    const lost = sync.events.once('realtimeDisconnected');
    server.cut();
    await lost;
    server.records('todos').set(`r${round}`, row({ round }));
    await seen.when((rows) => rows.has(`r${round}`));
    await live(sync);
  }
  expect(sync.metrics().connection.reconnects).toBe(5);
});

test.each<[string, PlainServerOptions]>([
  ['pages as asked', {}],
  ['whole answers, whatever is asked', { ignoresPaging: true }],
  ['at most 7 a page', { pageCap: 7 }],
])('by polling only: %s', async (_, options) => {
  const server = await startPlain(options);
  for (let n = 0; n < 100; n++) server.records('todos').set(`t${n}`, row({ n }));
  const sync = await device({ baseUrl: server.httpUrl, syncInterval: 100, pageSize: 10 });
  const seen = mirror(sync);
  await seen.when((rows) => rows.size === 100);
  server.records('todos').delete('t50');
  server.records('todos').set('t100', row({ n: 100 }));
  await seen.when((rows) => rows.has('t100') && !rows.has('t50'));
  await sync.collection('todos').update('t1', { n: 'mine' });
  await pushed(sync);
  expect(server.records('todos').get('t1')?.data.n).toBe('mine');
  expect(sync.status.phase).toBe('polling');
  expect(server.connections).toBe(0);
});

test('rows that move between two pages are not taken for deleted', async () => {
  const server = await startPlain({ pageCap: 10 });
  let time = 0;
  const at = () => ({ version: 1, updatedAt: new Date(Date.UTC(2026, 0, 1) + ++time).toISOString() });
  for (let n = 0; n < 40; n++) server.records('todos').set(`t${n}`, { data: { n }, ...at() });
  const sync = await device({ baseUrl: server.httpUrl, syncInterval: 3_600_000, pageSize: 10 });
  const seen = mirror(sync);
  await seen.when((rows) => rows.size === 40);
  // A row of the first page goes while later pages are read: all others move up by one.
  let requests = 0;
  server.onRequest = () => {
    if (++requests === 3) server.records('todos').delete('t3');
  };
  const gone: string[] = [];
  sync.events.on('remoteDelete', ({ recordId }) => gone.push(recordId));
  await sync.syncNow();
  await sync.syncNow();
  expect(requests).toBeGreaterThan(5);
  expect(gone).toEqual(['t3']);
  expect(seen.rows.size).toBe(39);
});

test('microseconds order two states of a row', async () => {
  const server = await startPlain();
  const table = server.records('todos');
  table.set('1', { data: { n: 1 }, version: 1, updatedAt: '2026-01-01T00:00:00.123456Z' });
  const sync = await device({ baseUrl: server.httpUrl, syncInterval: 3_600_000 });
  const seen = mirror(sync);
  await seen.when((rows) => rows.get('1')?.n === 1);
  table.set('1', { data: { n: 2 }, version: 1, updatedAt: '2026-01-01T00:00:00.123457Z' });
  await sync.syncNow();
  expect(seen.rows.get('1')?.n).toBe(2);
  table.set('1', { data: { n: 0 }, version: 1, updatedAt: '2026-01-01T00:00:00.123455Z' });
  await sync.syncNow();
  expect(seen.rows.get('1')?.n, 'what the server shows now is taken, though it is older').toBe(0);
});

describe('tokens', () => {
  test.each<[PlainServerOptions['auth'] & string]>([['query'], ['message']])(
    '%s: the right one is let in',
    async (auth) => {
      const server = await startPlain({ auth, token: 'right-secret' });
      const sync = await device({
        transport: { type: 'websocket', url: server.url, baseUrl: server.httpUrl, authMode: auth },
        authToken: 'right-secret',
      });
      await live(sync);
      await sync.collection('todos').save({ n: 1 }, '1');
      await pushed(sync);
      expect(server.records('todos').size).toBe(1);
    },
  );

  test.each<[PlainServerOptions['auth'] & string]>([['query'], ['message']])(
    '%s: a wrong one ends in needs-auth',
    async (auth) => {
      const server = await startPlain({ auth, token: 'right-secret' });
      const sync = await device({
        transport: { type: 'websocket', url: server.url, baseUrl: server.httpUrl, authMode: auth },
        authToken: 'wrong-secret',
      });
      await until(sync, () => sync.status.phase === 'needs-auth');
      sync.setAuthToken('right-secret');
      await live(sync);
    },
  );

  test('a server that wants it in the URL and gets it as a message: the error says what to set', async () => {
    const server = await startPlain({ auth: 'query', token: 'right-secret' });
    const sync = await device({ ...addresses(server), authToken: 'right-secret' });
    const errors = errorsOf(sync);
    await until(sync, () => sync.status.phase === 'needs-auth');
    expect(errors[0]?.error.message).toContain("set authMode: 'query'");
  });

  test('a server that knows no tokens says so, and so do we', async () => {
    const server = await startPlain();
    const sync = await device({ ...addresses(server), authToken: 'right-secret' });
    const errors = errorsOf(sync);
    await until(sync, () => sync.status.phase === 'needs-auth');
    expect(errors[0]?.error.message).toContain("set authMode: 'query'");
  });
});

test('without baseUrl there is no truth to read: a clear error, and nothing is written blindly', async () => {
  const server = await startPlain();
  const sync = await device({ websocketUrl: server.url });
  const errors = errorsOf(sync);
  await sync.collection('todos').save({ n: 1 }, '1');
  await until(sync, () => errors.some(({ error }) => error.code === 'UNSUPPORTED'));
  expect(errors.find(({ error }) => error.code === 'UNSUPPORTED')?.error.message).toContain('Set baseUrl');
  expect(server.seen.messages.filter(({ type }) => type !== 'subscribe' && type !== 'ping')).toEqual([]);
  expect(sync.status.pending).toBe(1);
});

test('ids that are hard on a URL arrive as they are', async () => {
  const server = await startPlain();
  const sync = await device(addresses(server));
  await live(sync);
  const todos = sync.collection('todos');
  const ids = ['a/b', 'a b', '%2F', '100%', 'ä', '🦄', '...', '?x=1', '#', '"', "'", 'a\\b', ';', '&', '../up', './'];
  await todos.saveMany(ids.map((id) => ({ id, n: 1 })));
  await pushed(sync);
  for (const id of ids) await todos.update(id, { n: 2 });
  await pushed(sync);
  for (const id of ids) expect(server.records('todos').get(id)?.data.n, id).toBe(2);
  await todos.deleteMany(ids);
  await pushed(sync);
  expect(server.records('todos').size).toBe(0);
  expect(sync.outbox.failed()).toEqual([]);
});

test('a refused edit is kept aside; a server that fails for a while gets it later', async () => {
  const server = await startPlain();
  let answer = 403;
  const refusing: typeof fetch = (input, init) =>
    init?.method === 'POST' && answer !== 200
      ? Promise.resolve(new Response(JSON.stringify({ error: 'not now' }), { status: answer }))
      : fetch(input, init);
  const sync = await device({
    transport: { type: 'websocket', url: server.url, baseUrl: server.httpUrl, fetch: refusing },
  });
  await live(sync);
  const failed = sync.events.once('operationFailed');
  await sync.collection('todos').save({ n: 1 }, 'refused');
  expect((await failed).error.message).toContain('not now');
  answer = 503;
  await sync.collection('todos').save({ n: 1 }, 'later');
  await sync.events.once('error');
  answer = 200;
  await pushed(sync);
  expect([...server.records('todos').keys()]).toEqual(['later']);
});

test('what a cut batch had achieved is not written again over what others wrote meanwhile', async () => {
  const server = await startPlain();
  server.records('todos').set('1', row({ text: 'Milk' }));
  let cut = true;
  const cutting: typeof fetch = (input, init) =>
    cut && init?.method === 'PATCH' && String(input).endsWith('/2')
      ? Promise.reject(new TypeError('cut'))
      : fetch(input, init);
  server.records('todos').set('2', row({ text: 'Milk' }));
  const transport = { type: 'websocket' as const, url: server.url, baseUrl: server.httpUrl, fetch: cutting };
  const sync = await device({ transport, websocketReconnectDelay: 200 });
  await live(sync);
  const failed = sync.events.once('error');
  const todos = sync.collection('todos');
  // One batch: both edits are made in the same turn.
  await Promise.all([todos.update('1', { text: 'mine' }), todos.update('2', { text: 'mine' })]);
  await failed;
  await vi.waitFor(() => expect(server.seen.messages.at(-1)).toMatchObject({ type: 'update', recordId: '1' }), {
    interval: 5,
  });
  expect(server.records('todos').get('1')?.data.text).toBe('mine');
  server.records('todos').set('1', row({ text: 'theirs, later' }));
  cut = false;
  await pushed(sync);
  expect(server.records('todos').get('2')?.data.text).toBe('mine');
  expect(server.records('todos').get('1')?.data.text).toBe('theirs, later');
});

test('a conflict that the server notices is merged; a row deleted meanwhile is a conflict, too', async () => {
  const server = await startPlain();
  server.records('todos').set('1', row({ text: 'Milk', done: false }));
  server.records('todos').set('2', row({ text: 'Milk' }));
  let strict = true;
  const noticing: typeof fetch = (input, init) => {
    if (!strict || init?.method !== 'PATCH' || !String(input).endsWith('/1')) return fetch(input, init);
    strict = false;
    return Promise.resolve(new Response('{"error":"version"}', { status: 409 }));
  };
  const transport = { type: 'websocket' as const, url: server.url, baseUrl: server.httpUrl, fetch: noticing };
  const sync = await device({ transport, conflictStrategy: 'serverWins' });
  await live(sync);
  const conflicts: string[] = [];
  sync.events.on('conflictDetected', ({ recordId }) => conflicts.push(recordId));
  server.records('todos').set('1', row({ text: 'Bread', done: false }));
  server.records('todos').delete('2');
  await sync.collection('todos').update('1', { done: true });
  await sync.collection('todos').update('2', { text: 'mine' });
  await pushed(sync);
  expect(server.records('todos').get('1')?.data).toMatchObject({ text: 'Bread', done: true });
  expect(conflicts).toEqual(['2']);
  expect(server.records('todos').has('2')).toBe(false);
  expect(await sync.collection('todos').get('2')).toBeUndefined();
});
