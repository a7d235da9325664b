import { expect, test } from 'vitest';
import {
  device,
  errorsOf,
  live,
  portOf,
  pushed,
  startProxy,
  startScripted,
  startServer,
  until,
} from '../peers/websocket/harness.js';

const quick = (url: string) => ({ type: 'websocket' as const, url, requestTimeout: 100 });

test('nobody answers the handshake: connecting ends in time, and goes on once somebody does', async () => {
  const server = await startServer();
  const proxy = await startProxy({ port: portOf(server.url), blackHole: true });
  const sync = await device({ websocketUrl: `ws://127.0.0.1:${proxy.port}/ws`, connectTimeout: 100 });
  const errors = errorsOf(sync);
  await until(sync, () => errors.length >= 2);
  expect(errors[0]?.error).toMatchObject({
    code: 'CONNECT_TIMEOUT',
    message: expect.stringContaining('within 100 ms'),
  });
  proxy.set({ blackHole: false });
  await live(sync);
});

test('nobody answers the token: connecting ends in time', async () => {
  const server = await startScripted(({ type }) => type === 'auth');
  const sync = await device({ websocketUrl: server.url, authToken: 'secret', connectTimeout: 100 });
  const errors = errorsOf(sync);
  await until(sync, () => errors.length >= 1);
  expect(errors[0]?.error.code).toBe('CONNECT_TIMEOUT');
  server.play(() => false);
  await live(sync);
});

test('a subscription that is not answered is asked for again, on the same link', async () => {
  let asked = 0;
  const server = await startScripted(
    ({ type, metadata }) => type === 'subscribe' && metadata?.since === undefined && ++asked < 3,
  );
  const sync = await device({ transport: quick(server.url) });
  const errors = errorsOf(sync);
  await live(sync);
  expect(asked).toBe(3);
  expect(errors.map(({ error, collection }) => [error.code, collection])).toEqual([
    ['CONNECT_TIMEOUT', 'todos'],
    ['CONNECT_TIMEOUT', 'todos'],
  ]);
  expect(sync.metrics().connection.reconnects).toBe(0);
});

test('a pull that is not answered is tried again', async () => {
  let asked = 0;
  const server = await startScripted(
    ({ type, metadata }) => type === 'subscribe' && metadata?.since !== undefined && ++asked < 3,
  );
  const sync = await device({ transport: quick(server.url) });
  await live(sync);
  expect(asked).toBe(3);
  expect(sync.metrics().errors).toEqual({ CONNECTION_LOST: 2 });
});

test('a push that is not answered goes again under the same opId', async () => {
  let asked = 0;
  const server = await startScripted(({ type }) => type === 'insert' && ++asked < 3);
  const sync = await device({ transport: quick(server.url) });
  await live(sync);
  await sync.collection('todos').save({ n: 1 }, '1');
  await pushed(sync);
  const inserts = server.frames.filter(({ type }) => type === 'insert');
  expect(inserts.length).toBe(3);
  expect(new Set(inserts.map(({ metadata }) => metadata?.opId)).size).toBe(1);
});

test('one edit that is never answered holds nobody up, and is kept aside in the end', async () => {
  const server = await startScripted(({ recordId }) => recordId === 'stuck');
  const sync = await device({ transport: quick(server.url), maxRetries: 2 });
  await live(sync);
  const failed = sync.events.once('operationFailed');
  const todos = sync.collection('todos');
  let others = 0;
  // Each time it goes again another one goes with it, and is answered.
  sync.events.on('error', () => void todos.save({}, `other${others++}`));
  await todos.saveMany(['a', 'stuck', 'b'].map((id) => ({ id })));
  expect((await failed).recordId).toBe('stuck');
  expect(sync.outbox.failed()[0]?.error?.message).toMatch(/(did not|has not) answer/);
  await pushed(sync);
  expect(others).toBeGreaterThan(1);
});

test('a slow server that answers a long queue one by one is not taken for silent', async () => {
  const server = await startScripted();
  const waiting: (() => void)[] = [];
  server.play((frame, { say }) => {
    if (frame.type !== 'insert') return false;
    waiting.push(() =>
      say({
        type: 'ack',
        collection: 'todos',
        recordId: frame.recordId,
        timestamp: new Date().toISOString(),
        metadata: { opId: frame.metadata?.opId, version: 200 + waiting.length, seq: 200 },
      }),
    );
    return true;
  });
  const sync = await device({ transport: { type: 'websocket', url: server.url, requestTimeout: 2000 } });
  await live(sync);
  const errors = errorsOf(sync);
  await sync.collection('todos').saveMany(Array.from({ length: 12 }, (_, n) => ({ id: `t${n}` })));
  const slowly = setInterval(() => waiting.shift()?.(), 250);
  await pushed(sync);
  clearInterval(slowly);
  expect(errors).toEqual([]);
  expect(server.frames.filter(({ type }) => type === 'insert').length).toBe(12);
});

test('an edit that is longer on its way than an answer, a ping or a client may be silent passes a slow line', {
  timeout: 60_000,
}, async () => {
  const server = await startServer({ idleTimeout: 1000 });
  const proxy = await startProxy({ port: portOf(server.url) });
  const limits = { requestTimeout: 500, heartbeatInterval: 300, heartbeatTimeout: 300 };
  const sync = await device({ transport: { type: 'websocket', url: `ws://127.0.0.1:${proxy.port}/ws`, ...limits } });
  await live(sync);
  const errors = errorsOf(sync);
  // 4 s.
  proxy.set({ bytesPerSecond: 100_000 });
  const before = proxy.bytes.up;
  await sync.collection('todos').save({ text: 'x'.repeat(400_000) }, 'large');
  await pushed(sync);
  expect(server.collection('todos').get('large')).toBeDefined();
  expect(proxy.bytes.up - before).toBeLessThan(3 * 400_000);
  console.log(
    `a large edit: ${Math.round((proxy.bytes.up - before) / 4000)} % of it was sent, ${errors.length} errors`,
  );
});
