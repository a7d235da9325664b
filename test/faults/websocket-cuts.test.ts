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
  startScripted,
  startServer,
  until,
} from '../peers/websocket/harness.js';

const through = (port: number) => ({ websocketUrl: `ws://127.0.0.1:${port}/ws` });

describe('a connection that breaks anywhere: in the handshake, auth, subscribing, a pull, a push', () => {
  /** A device with edits of its own meets a server with rows of its own; the line breaks after so many bytes. */
  async function meet(cut?: { readonly bytes: number; readonly direction: 'up' | 'down'; readonly reset: boolean }) {
    const store = memoryServerStore();
    const server = await startServer({ store, authenticate: (token) => (token === 'secret' ? { id: 'ann' } : null) });
    for (let n = 0; n < 5; n++) server.collection('todos').save(`theirs${n}`, { n });
    const before = store.seq('todos');
    const proxy = await startProxy({ port: portOf(server.url) });
    let struck = false;
    if (cut)
      void proxy.cutAfter(cut.bytes, cut).then(() => {
        struck = true;
      });
    await proxy.refuse();
    const sync = await device({ ...through(proxy.port), authToken: 'secret', pageSize: 2, websocketReconnectDelay: 1 });
    const todos = sync.collection('todos');
    await todos.saveMany(Array.from({ length: 5 }, (_, n) => ({ id: `mine${n}`, n })));
    await proxy.accept();
    await until(sync, () => sync.status.phase === 'live' && sync.status.pending === 0);
    const rows = await todos.getAll();
    expect(rows.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4].flatMap((n) => [`mine${n}`, `theirs${n}`]).sort());
    expect(server.collection('todos').count()).toBe(10);
    expect(store.seq('todos') - before, 'each edit was applied once').toBe(5);
    const { bytes } = proxy;
    const reconnected = sync.metrics().connection.attempts > 1;
    await sync.close();
    await proxy.close();
    await server.close();
    return { bytes, struck: struck && reconnected };
  }

  test.each([
    { direction: 'up', reset: false },
    { direction: 'up', reset: true },
    { direction: 'down', reset: false },
    { direction: 'down', reset: true },
  ] as const)('$direction, reset: $reset', { timeout: 300_000 }, async ({ direction, reset }) => {
    const whole = (await meet()).bytes[direction];
    let cuts = 0;
    for (let bytes = 1; bytes < whole; bytes += Math.ceil(whole / 40))
      if ((await meet({ bytes, direction, reset })).struck) cuts += 1;
    console.log(`cut ${direction}${reset ? ' (reset)' : ''} at ${cuts} places in ${whole} bytes`);
    // The last ones can fall behind the end: how much is said depends on what meets in one turn.
    expect(cuts).toBeGreaterThan(25);
  });
});

test('a push that arrived and whose answer was lost is applied once, without a conflict', async () => {
  const store = memoryServerStore();
  const server = await startServer({ store });
  const proxy = await startProxy({ port: portOf(server.url) });
  const sync = await device(through(proxy.port));
  const other = await device({ websocketUrl: server.url });
  await Promise.all([live(sync), live(other)]);
  const inserted: string[] = [];
  other.events.on('remoteInsert', ({ recordId }) => inserted.push(recordId));
  const conflicts: unknown[] = [];
  sync.events.on('conflictDetected', (event) => conflicts.push(event));
  const before = store.seq('todos');

  const struck = proxy.cutAfter(1, { direction: 'down' });
  await sync.collection('todos').save({ n: 1 }, 'once');
  await struck;
  expect(server.collection('todos').get('once')).toMatchObject({ n: 1 });
  await until(sync, () => sync.metrics().connection.reconnects === 1 && sync.status.pending === 0);
  expect(store.seq('todos') - before).toBe(1);
  expect(inserted).toEqual(['once']);
  expect(conflicts).toEqual([]);
});

test('a half-open connection is noticed by its silence, and made anew', async () => {
  const server = await startServer();
  const proxy = await startProxy({ port: portOf(server.url) });
  const sync = await device({
    transport: {
      type: 'websocket',
      url: `ws://127.0.0.1:${proxy.port}/ws`,
      heartbeatInterval: 50,
      heartbeatTimeout: 50,
    },
    connectTimeout: 100,
  });
  await live(sync);
  const errors = errorsOf(sync);
  proxy.set({ blackHole: true });
  await sync.collection('todos').save({ n: 1 }, 'meanwhile');
  server.collection('todos').save('theirs', { n: 2 });
  await until(sync, () => errors.some(({ error }) => error.code === 'CONNECT_TIMEOUT'));
  expect(errors[0]?.error.code).toBe('HEARTBEAT_TIMEOUT');
  proxy.set({ blackHole: false });
  const seen = mirror(sync);
  await seen.when((rows) => rows.size === 2);
  await pushed(sync);
  expect(server.collection('todos').count()).toBe(2);
});

test('a device pings however much comes in: a server drops who says nothing', async () => {
  let pings = 0;
  let enough = (): void => undefined;
  const third = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const server = await startScripted(({ type }) => {
    if (type === 'ping' && ++pings === 3) enough();
  });
  const sync = await device({ transport: { type: 'websocket', url: server.url, heartbeatInterval: 250 } });
  await live(sync);
  let seq = 100;
  const talking = setInterval(() => {
    const metadata = { version: ++seq, seq };
    server.say({ type: 'insert', collection: 'todos', recordId: 'busy', data: { seq }, metadata });
  }, 5);
  await third;
  clearInterval(talking);
  expect(sync.metrics().connection.reconnects).toBe(0);
});

test('a consumer too slow for its events is told so, and has every row in the end', { timeout: 300_000 }, async () => {
  const server = await startServer({ maxBufferedBytes: 20_000 });
  const proxy = await startProxy({ port: portOf(server.url) });
  const slow = await device(through(proxy.port));
  const fast = await device({ websocketUrl: server.url });
  await Promise.all([live(slow), live(fast)]);
  const seen = mirror(slow);
  proxy.set({ bytesPerSecond: 50_000 });
  const text = 'x'.repeat(10_000);
  await fast.collection('todos').saveMany(Array.from({ length: 2000 }, (_, n) => ({ id: `t${n}`, n, text })));
  await pushed(fast);
  expect(server.stats().dropped).toBeGreaterThan(0);
  expect(seen.rows.size).toBeLessThan(2000);
  proxy.set({ bytesPerSecond: Number.POSITIVE_INFINITY });
  await seen.when((rows) => rows.size === 2000);
  await live(slow);
  console.log(`slow consumer: ${server.stats().dropped} events dropped, 2000 rows there`);
});

test('10 000 records saved offline reach the other device once each', { timeout: 300_000 }, async () => {
  const store = memoryServerStore();
  const server = await startServer({ store });
  const proxy = await startProxy({ port: portOf(server.url) });
  const other = await device({ websocketUrl: server.url });
  await live(other);
  const inserted = new Map<string, number>();
  other.events.on('remoteInsert', ({ recordId }) => inserted.set(recordId, (inserted.get(recordId) ?? 0) + 1));
  const before = store.seq('todos');

  await proxy.refuse();
  const sync = await device(through(proxy.port));
  const ids = Array.from({ length: 10_000 }, (_, n) => `t${n}`);
  await sync.collection('todos').saveMany(ids.map((id, n) => ({ id, n })));
  await until(sync, () => sync.status.phase === 'offline');
  const startedAt = performance.now();
  await proxy.accept();
  await until(other, () => inserted.size === 10_000);
  console.log(`10 000 offline records: there after ${Math.round(performance.now() - startedAt)} ms`);
  await pushed(sync);
  expect(inserted.size).toBe(10_000);
  expect([...inserted.values()].every((times) => times === 1)).toBe(true);
  expect(store.seq('todos') - before).toBe(10_000);
  expect(sync.metrics().connection.reconnects).toBe(0);
});
