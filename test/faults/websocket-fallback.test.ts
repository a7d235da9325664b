import { describe, expect, test } from 'vitest';
import { memoryServerStore } from '../../src/server/index.js';
import {
  device,
  errorsOf,
  live,
  mirror,
  portOf,
  pushed,
  startProxy,
  startServer,
  until,
} from '../peers/websocket/harness.js';

describe('polling', () => {
  test('carries on while the socket is refused, both ways, and stops once it is back', async () => {
    const server = await startServer();
    const proxy = await startProxy({ port: portOf(server.url) });
    const sync = await device({
      websocketUrl: `ws://127.0.0.1:${proxy.port}/ws`,
      baseUrl: server.httpUrl,
      syncInterval: 100,
    });
    await live(sync);
    const seen = mirror(sync);
    await proxy.refuse();
    const lost = sync.events.once('realtimeDisconnected');
    proxy.cut({ reset: true });
    await lost;

    server.collection('todos').save('theirs', { n: 1 });
    await sync.collection('todos').save({ n: 2 }, 'mine');
    await seen.when((rows) => rows.has('theirs'));
    await pushed(sync);
    expect(server.collection('todos').get('mine')).toMatchObject({ n: 2 });
    server.collection('todos').delete('theirs');
    await seen.when((rows) => !rows.has('theirs'));
    expect(sync.realtime.state.status).not.toBe('connected');

    await proxy.accept();
    await live(sync);
    server.collection('todos').save('live again', { n: 3 });
    await seen.when((rows) => rows.has('live again'));
    expect([...seen.rows.keys()].sort()).toEqual(['live again', 'mine']);
  });

  test('alone, by baseUrl: rows, edits, deletes, conflicts', async () => {
    const store = memoryServerStore();
    const server = await startServer({ store, authenticate: (token) => (token === 'secret' ? { id: 'ann' } : null) });
    for (let n = 0; n < 25; n++) server.collection('todos').save(`t${n}`, { n, text: 'theirs' });
    const sync = await device({ baseUrl: server.httpUrl, authToken: 'secret', syncInterval: 100, pageSize: 10 });
    const seen = mirror(sync);
    await seen.when((rows) => rows.size === 25);
    const before = store.seq('todos');
    server.collection('todos').delete('t0');
    server.collection('todos').save('t1', { n: 'changed', text: 'theirs' });
    await sync.collection('todos').update('t1', { text: 'mine' });
    await sync.collection('todos').delete('t2');
    await sync.collection('todos').save({ n: 'new' }, 'new');
    await seen.when((rows) => !rows.has('t0') && rows.get('t1')?.n === 'changed');
    await pushed(sync);
    expect(server.collection('todos').get('t1')).toMatchObject({ n: 'changed', text: 'mine' });
    expect(server.collection('todos').get('t2')).toBeUndefined();
    expect(store.seq('todos') - before).toBe(5);
    expect(sync.status.phase).toBe('polling');
    expect(server.connections).toBe(0);
    expect(sync.metrics().errors).toEqual({});
  });

  test('alone: a server that is away for a while is no loss', async () => {
    const server = await startServer();
    const proxy = await startProxy({ port: portOf(server.url) });
    const sync = await device({ baseUrl: `http://127.0.0.1:${proxy.port}`, syncInterval: 100 });
    const seen = mirror(sync);
    server.collection('todos').save('1', { n: 1 });
    await seen.when((rows) => rows.has('1'));
    await proxy.refuse();
    proxy.cut();
    await sync.collection('todos').save({ n: 2 }, '2');
    await until(sync, () => sync.status.phase === 'offline');
    server.collection('todos').save('3', { n: 3 });
    await proxy.accept();
    await seen.when((rows) => rows.size === 3);
    await pushed(sync);
    expect(server.collection('todos').count()).toBe(3);
  });

  test('a push by HTTP whose answer was lost is applied once', async () => {
    const store = memoryServerStore();
    const server = await startServer({ store });
    const proxy = await startProxy({ port: portOf(server.url) });
    const sync = await device({ baseUrl: `http://127.0.0.1:${proxy.port}`, syncInterval: 3_600_000 });
    await sync.syncNow();
    const before = store.seq('todos');
    const struck = proxy.cutAfter(1, { direction: 'down' });
    await sync.collection('todos').save({ n: 1 }, '1');
    await struck;
    await pushed(sync);
    expect(store.seq('todos') - before).toBe(1);
    expect(server.collection('todos').count()).toBe(1);
  });

  test('an HTTP server that never answers: each request ends in time', async () => {
    const server = await startServer();
    const proxy = await startProxy({ port: portOf(server.url), blackHole: true });
    const sync = await device({
      transport: { type: 'websocket', baseUrl: `http://127.0.0.1:${proxy.port}`, requestTimeout: 100 },
      enableRealtimeSync: false,
      syncInterval: 100,
    });
    const errors = errorsOf(sync);
    await until(sync, () => errors.length > 1);
    expect(errors[0]?.error).toMatchObject({
      code: 'CONNECTION_LOST',
      message: expect.stringContaining('within 100 ms'),
    });
    proxy.set({ blackHole: false });
    await until(sync, () => sync.status.phase === 'polling');
  });

  test('an address that is no server of ours: a clear error', async () => {
    const proxy = await startServer({ httpPath: '/elsewhere' });
    const sync = await device({
      baseUrl: portOf(proxy.url) ? `http://127.0.0.1:${portOf(proxy.url)}` : '',
      syncInterval: 100,
    });
    const errors = errorsOf(sync);
    await until(sync, () => errors.length > 0);
    expect(errors[0]?.error).toMatchObject({ code: 'SUBSCRIBE_REJECTED', message: expect.stringContaining('404') });
  });

  test('without an address for it and without a socket: waits, and says why there is no link', async () => {
    const server = await startServer();
    const proxy = await startProxy({ port: portOf(server.url) });
    await proxy.refuse();
    const sync = await device({ websocketUrl: `ws://127.0.0.1:${proxy.port}/ws` });
    await sync.collection('todos').save({ n: 1 }, '1');
    await expect(sync.syncNow()).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      message: expect.stringContaining('Is the server up'),
    });
    await proxy.accept();
    await pushed(sync);
    expect(server.collection('todos').count()).toBe(1);
  });
});

describe('a server whose history does not reach back far enough', () => {
  test('its database was wiped: what is gone there goes here, and edits made meanwhile arrive', async () => {
    let server = await startServer();
    const port = portOf(server.url);
    const sync = await device({ websocketUrl: server.url });
    const seen = mirror(sync);
    for (const id of ['old1', 'old2', 'both']) server.collection('todos').save(id, { from: 'old' });
    await live(sync);
    await seen.when((rows) => rows.size === 3);
    await server.close();
    await until(sync, () => sync.status.phase === 'offline');
    await sync.collection('todos').save({ from: 'device' }, 'mine');

    server = await startServer({ port });
    server.collection('todos').save('both', { from: 'new' });
    server.collection('todos').save('new', { from: 'new' });
    await live(sync);
    await pushed(sync);
    await seen.when((rows) => rows.size === 3);
    expect(Object.fromEntries([...seen.rows].map(([id, { from }]) => [id, from]))).toEqual({
      both: 'new',
      new: 'new',
      mine: 'device',
    });
    expect([...server.collection('todos').all().keys()].sort()).toEqual(['both', 'mine', 'new']);
  });

  test('it was set back: a cursor ahead of it is no cursor', async () => {
    const server = await startServer({ now: () => 1_000_000 });
    server.collection('todos').save('1', { n: 1 });
    const pull = async (query: string) => (await fetch(`${server.httpUrl}/sync/todos?${query}`)).json();
    expect(await pull('seq=2000000')).toMatchObject({ snapshot: true, records: [{ recordId: '1' }] });
    expect(await pull('seq=1000001')).not.toHaveProperty('snapshot');
  });

  test('the tombstones are older than it keeps: a snapshot removes what is gone', async () => {
    let time = Date.now();
    const server = await startServer({ now: () => time, tombstoneRetention: 1000 });
    const proxy = await startProxy({ port: portOf(server.url) });
    const sync = await device({ websocketUrl: `ws://127.0.0.1:${proxy.port}/ws`, pageSize: 2 });
    const seen = mirror(sync);
    for (const id of ['a', 'b', 'c', 'd', 'e']) server.collection('todos').save(id, { n: 1 });
    await live(sync);
    await seen.when((rows) => rows.size === 5);
    await proxy.refuse();
    proxy.cut();
    await until(sync, () => sync.status.phase === 'offline');
    server.collection('todos').delete('b');
    server.collection('todos').delete('d');
    time += 3_600_000;
    server.collection('todos').save('f', { n: 1 });
    await proxy.accept();
    await live(sync);
    await seen.when((rows) => rows.has('f'));
    expect([...seen.rows.keys()].sort()).toEqual(['a', 'c', 'e', 'f']);
  });
});

test('messages, bytes, latency and reconnects are counted', async () => {
  const server = await startServer();
  const proxy = await startProxy({ port: portOf(server.url) });
  const sync = await device({ websocketUrl: `ws://127.0.0.1:${proxy.port}/ws` });
  await live(sync);
  server.collection('todos').save('ä', { text: 'ä'.repeat(1000) });
  await mirror(sync).when((rows) => rows.has('ä'));
  await sync.collection('todos').save({ text: '🦄'.repeat(1000) });
  await pushed(sync);
  const { messages, latency } = sync.metrics();
  const stats = server.stats();
  expect(messages.out).toBe(stats.messagesIn);
  expect(messages.in).toBe(stats.messagesOut);
  // What passes beside the text: the handshake, and 2 to 14 bytes a frame.
  for (const [counted, passed, frames] of [
    [messages.bytesOut, proxy.bytes.up, messages.out],
    [messages.bytesIn, proxy.bytes.down, messages.in],
  ] as const) {
    expect(passed - counted).toBeGreaterThan(2 * frames);
    expect(passed - counted).toBeLessThan(500 + 14 * frames);
  }
  expect(latency.count).toBe(1);
  expect(latency.max).toBeLessThan(1000);
  expect(messages.averageSize).toBeCloseTo((messages.bytesIn + messages.bytesOut) / (messages.in + messages.out));
  for (let n = 1; n <= 3; n++) {
    const lost = sync.events.once('realtimeDisconnected');
    proxy.cut();
    await lost;
    await live(sync);
    expect(sync.metrics().connection.reconnects).toBe(n);
  }
});
