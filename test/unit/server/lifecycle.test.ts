import { createServer } from 'node:http';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  createSyncServer,
  memoryServerStore,
  type SyncServerOptions,
  sqliteServerStore,
} from '../../../src/server/index.js';
import { connect } from './fixtures/client.js';
import { start, temporaryFolder } from './fixtures/harness.js';

/** What keeps a process alive, without what the test runner itself has open. */
const open = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|Timeout|Immediate)/.test(name));

/** What is open now beyond `before`; what an earlier test left to be collected may go meanwhile. */
function openBeyond(before: readonly string[]): string[] {
  const known = [...before];
  return open().filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}

const insert = (opId: string, baseVersion: number | null = null) => ({
  type: 'insert',
  collection: 'todos',
  recordId: '1',
  data: { a: 1 },
  metadata: { opId, baseVersion },
});

describe('close', () => {
  test('says goodbye to clients, leaves nothing open, and may be called again', async () => {
    const before = open();
    const server = await createSyncServer({
      authenticate: (token) => (token ? { id: token } : null),
      idleTimeout: 1000,
    });
    const clients = [await connect(`${server.url}?token=a`), await connect(server.url)];
    await fetch(`${server.httpUrl}/health`);
    expect(server.connections).toBe(2);
    const closing = server.close();
    expect(server.close()).toBe(closing);
    await closing;
    expect(server.connections).toBe(0);
    for (const client of clients) expect((await client.closed).code).toBe(1001);
    await expect(fetch(`${server.httpUrl}/health`)).rejects.toThrow();
    await expect.poll(() => openBeyond(before), { timeout: 10_000 }).toEqual([]);
  });

  test('does not wait for clients that do not answer', async () => {
    const server = await createSyncServer();
    const deaf = await connect(server.url);
    deaf.ws.pause();
    await server.close();
    expect(server.connections).toBe(0);
    deaf.ws.terminate();
  });

  test('commits what was accepted before', async () => {
    const store = memoryServerStore();
    const { server, client } = await start({ store });
    const writer = await client();
    writer.send(insert('o'));
    while (server.stats().messagesIn < 1) await nextTurn();
    await server.close();
    expect(store.get('todos', '1')).toBeDefined();
  });

  test('drops connections on request: at once, or with a code', async () => {
    const { server, client } = await start();
    const cut = await client();
    server.dropConnections();
    expect((await cut.closed).code).toBe(1006);
    const told = await client();
    server.dropConnections({ code: 1012 });
    expect((await told.closed).code).toBe(1012);
    await expect.poll(() => server.connections).toBe(0);
  });
});

describe('a restart', () => {
  test('on SQLite keeps records, cursors, and the ops that were applied', async () => {
    const path = join(temporaryFolder(), 'sync.db');
    const first = await start({ store: sqliteServerStore({ path }) });
    const before = await first.client();
    before.send(insert('o1'));
    const ack = await before.expect('ack');
    await first.server.close();

    const second = await start({ store: sqliteServerStore({ path }) });
    const reader = await second.subscriber();
    const after = await second.client();
    after.send(insert('o1'));
    expect(await after.expect('ack')).toEqual({ ...ack, data: { a: 1 } });
    after.send(insert('o2', 7));
    await after.expect('conflict');
    expect(await reader.settled()).toEqual([]);
    second.server.collection('todos').save('2', {});
    expect(await reader.expect('insert')).toMatchObject({ metadata: { seq: 2 } });
    reader.send({ type: 'subscribe', collection: 'todos', metadata: { since: 1 } });
    await reader.expect('subscribed');
    const page = await reader.expect('sync');
    expect(page.metadata).toEqual({ seq: 2 });
    expect(page.data.records.map(({ id }) => id)).toEqual(['2']);
  });

  test('with the same store goes on where it was', async () => {
    for (const store of [memoryServerStore(), sqliteServerStore({ path: join(temporaryFolder(), 'sync.db') })]) {
      const first = await start({ store });
      first.server.collection('todos').save('1', {});
      await first.server.close();
      const second = await start({ store });
      expect(second.server.collection('todos').save('2', {})).toBe(2);
    }
  });

  test('with nothing kept sends old cursors a snapshot, of higher versions', async () => {
    const first = await start({ now: () => 1000 });
    const last = first.server.collection('todos').save('1', { life: 1 });
    await first.server.close();
    const second = await start({ now: () => 2000 });
    const again = second.server.collection('todos').save('1', { life: 2 });
    expect(again).toBeGreaterThan(last);
    const reader = await second.client();
    reader.send({ type: 'subscribe', collection: 'todos', metadata: { since: last } });
    await reader.expect('subscribed');
    expect(await reader.expect('sync')).toMatchObject({
      data: { records: [{ data: { life: 2 } }] },
      metadata: { snapshot: true },
    });
  });

  test('a client that was away gets what it missed', async () => {
    const { server, subscriber } = await start();
    const todos = server.collection('todos');
    const reader = await subscriber();
    todos.save('1', { n: 1 });
    const seen = (await reader.expect('insert')).metadata?.seq as number;
    server.dropConnections();
    await reader.closed;
    todos.save('1', { n: 2 });
    todos.save('2', { n: 1 });
    todos.delete('2');
    const back = await subscriber('todos', { since: seen });
    const { data } = await back.expect('sync');
    expect(data.records.map(({ id, data: row, version }) => [id, row, version])).toEqual([
      ['1', { n: 2 }, 2],
      ['2', null, 4],
    ]);
  });
});

describe('starting', () => {
  test.each<[string, object, RegExp]>([
    ['a misspelt option', { ports: 80 }, /^- ports is not an option; did you mean "port"\?$/m],
    ['another case', { maxpayload: 1 }, /^- maxpayload is not an option; did you mean "maxPayload"\?$/m],
    ['what is no option', { zzz: 1 }, /^- zzz is not an option; known are port, host, /m],
    [
      'an unknown part of an option',
      { rateLimit: { messages: 1, perMS: 1, perMs: 1 } },
      /^- rateLimit\.perMS is not an option; did you mean "perMs"\?$/m,
    ],
    ['a missing part', { rateLimit: { messages: 1 } }, /^- rateLimit\.perMs must be a number .* \(it is missing\)$/m],
    ['a wrong type', { port: '80' }, /^- port must be a whole number, 0 to 65535 \(got a string\)$/m],
    [
      'a wrong value',
      { idleTimeout: -1 },
      /^- idleTimeout must be .* milliseconds above 0 \(got a negative number\)$/m,
    ],
    ['a wait without end', { authTimeout: Number.POSITIVE_INFINITY }, /^- authTimeout must be /m],
    ['no bytes', { maxPayload: 0 }, /^- maxPayload must be a whole number of bytes, 1 or more \(got a number\)$/m],
    ['a path without a slash', { path: 'ws' }, /^- path must be a path that begins with "\/" \(got a string\)$/m],
    ['no function', { authenticate: 'yes' }, /^- authenticate must be a function \(token, request\) => user /m],
    ['no store', { store: {} }, /^- store must be memoryServerStore\(\), .* \(got an object\)$/m],
    ['no server', { server: {} }, /^- server must be an http\.Server \(got an object\)$/m],
    ['a number of origins', { cors: 1 }, /^- cors must be true, false or an array of origins \(got a number\)$/m],
    ['no object', null as unknown as object, /^- the argument must be an object \(got null\)$/m],
  ])('with %s is refused', async (_name, options, message) => {
    const failure = await createSyncServer(options as SyncServerOptions).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) });
  });

  test('takes undefined for absent', async () => {
    const server = await createSyncServer({ port: undefined, path: undefined } as unknown as SyncServerOptions);
    expect(server.url).toMatch(/\/ws$/);
    await server.close();
  });

  test('on a port that is in use is refused, and leaves nothing open', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await vi.waitFor(() => expect(taken.listening).toBe(true));
    const before = open();
    const store = sqliteServerStore({ path: join(temporaryFolder(), 'sync.db') });
    const { port } = taken.address() as { port: number };
    await expect(createSyncServer({ port, store })).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    // Sockets only: the wait for `taken` above has timers of the test runner's own.
    await expect.poll(() => openBeyond(before).filter((name) => name.startsWith('TCP'))).toEqual([]);
    await (await createSyncServer({ store })).close();
  });

  test('without the package ws says how to install it', async () => {
    vi.doMock('ws', () => {
      throw new Error("Cannot find package 'ws'");
    });
    onTestFinished(() => vi.doUnmock('ws'));
    const failure = await createSyncServer().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'PEER_MISSING', message: expect.stringContaining('npm install ws') });
  });
});

describe('the server itself', () => {
  test('reads and writes without being asked who it is', async () => {
    const { server, subscriber } = await start({ authorize: ({ action }) => action !== 'write' });
    const reader = await subscriber();
    const todos = server.collection('todos');
    expect(todos.get('1')).toBeUndefined();
    expect(todos.save('1', { a: 1 })).toBe(1);
    expect(todos.save('1', { b: 1 })).toBe(2);
    expect(todos.save('2', { when: new Date(0), gone: undefined })).toBe(3);
    expect(todos.get('1')).toEqual({ b: 1 });
    expect([...todos.all()]).toEqual([
      ['1', { b: 1 }],
      ['2', { when: '1970-01-01T00:00:00.000Z' }],
    ]);
    expect(todos.delete('1')).toBe(4);
    expect(todos.count()).toBe(1);
    expect((await reader.settled()).map(({ type }) => type)).toEqual(['insert', 'update', 'insert', 'delete']);
  });

  test('is told what cannot be written', async () => {
    const { server } = await start({ collections: ['todos'] });
    const code = 'VALIDATION_FAILED';
    expect(() => server.collection('todos').save('', {})).toThrow(expect.objectContaining({ code }));
    expect(() => server.collection('todos').save('1', [] as never)).toThrow(expect.objectContaining({ code }));
    expect(() => server.collection('notes').save('1', {})).toThrow(/There is no collection 'notes'/);
  });

  test('sees what clients have sent, waiting or not', async () => {
    const { server, client } = await start();
    const writer = await client();
    writer.send(insert('o'));
    while (server.stats().messagesIn < 1) await nextTurn();
    expect(server.collection('todos').get('1')).toEqual({ a: 1 });
  });

  test('counts', async () => {
    const { server, subscriber } = await start();
    const reader = await subscriber();
    server.collection('todos').save('1', {});
    await reader.expect('insert');
    expect(server.stats()).toEqual({ connections: 1, messagesIn: 1, messagesOut: 2, dropped: 0 });
  });
});

test('limits of months drop nobody', async () => {
  const months = 90 * 86_400_000;
  const { server } = await start({
    authenticate: (token) => (token ? { id: token } : null),
    authTimeout: months,
    idleTimeout: months,
  });
  const client = await connect(server.url);
  // A timer that is too long would fire in the next turns.
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  await expect(fetch(`${server.httpUrl}/health`)).resolves.toMatchObject({ ok: true });
  expect(server.connections).toBe(1);
  client.ws.terminate();
});
