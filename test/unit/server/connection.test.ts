import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import type { Authenticate } from '../../../src/server/index.js';
import { start } from './fixtures/harness.js';

const users: Authenticate = (token) => (token?.startsWith('user-') ? { id: token } : null);
const subscribe = { type: 'subscribe', collection: 'todos' };

describe('who is let in', () => {
  test('everybody, without authenticate', async () => {
    const { client } = await start();
    const guest = await client();
    guest.send(subscribe);
    await guest.expect('subscribed');
    guest.send({ type: 'auth', token: 'whatever' });
    expect(await guest.expect('authenticated')).toEqual({
      type: 'authenticated',
      timestamp: '1970-01-01T00:00:00.000Z',
    });
  });

  test('by ?token, with no answer of its own', async () => {
    const { client } = await start({ authenticate: users });
    const ann = await client('?token=user-ann');
    ann.send(subscribe);
    await ann.expect('subscribed');
  });

  test('a plus in a token of the URL stays one', async () => {
    const { client } = await start({ authenticate: (token) => (token === 'a+b/c=' ? { id: 'ann' } : null) });
    const ann = await client('?token=a+b/c=');
    ann.send(subscribe);
    await ann.expect('subscribed');
  });

  test('by a first auth message; before it nothing is answered but pings', async () => {
    const { client } = await start({ authenticate: users });
    const ann = await client();
    ann.send({ type: 'ping' });
    await ann.expect('pong');
    ann.send({ ...subscribe, metadata: { requestId: 'r' } });
    expect(await ann.expect('error')).toMatchObject({
      code: 'AUTH_FAILED',
      metadata: { collection: 'todos', requestId: 'r' },
    });
    ann.send({ type: 'insert', collection: 'todos', recordId: '1', data: {}, metadata: { opId: 'o' } });
    expect(await ann.expect('error')).toMatchObject({ code: 'AUTH_FAILED', metadata: { opId: 'o' } });
    ann.send({ type: 'auth', token: 'user-ann' });
    await ann.expect('authenticated');
    ann.send(subscribe);
    await ann.expect('subscribed');
  });

  test('by cookies: authenticate sees the request', async () => {
    const { client } = await start({ authenticate: (_token, request) => (request.url ? { id: 'ann' } : null) });
    const ann = await client();
    ann.send(subscribe);
    await ann.expect('subscribed');
  });

  test('messages that come while the token is checked wait', async () => {
    let admit: (() => void) | undefined;
    const checked = new Promise<void>((resolve) => {
      admit = resolve;
    });
    const { client } = await start({ authenticate: () => checked.then(() => ({ id: 'ann' })) });
    const ann = await client('?token=t');
    for (let i = 0; i < 1000; i++) ann.send({ type: 'subscribe', collection: `c${i}` });
    admit?.();
    for (let i = 0; i < 1000; i++) expect((await ann.expect('subscribed')).collection).toBe(`c${i}`);
  });

  test.each([
    ['in the URL', '?token=secret-1', undefined],
    ['in a message', '', { type: 'auth', token: 'secret-1' }],
  ])('not with a wrong token %s', async (_name, query, message) => {
    const { client, logged } = await start({
      authenticate(token) {
        if (token) throw new Error(`jwt malformed: ${token}`);
        return null;
      },
    });
    const mallory = await client(query);
    if (message) mallory.send(message);
    const error = await mallory.expect('error');
    expect(error.code).toBe('AUTH_FAILED');
    const { code, reason } = await mallory.closed;
    expect(code).toBe(4401);
    expect(JSON.stringify([error, reason, logged])).not.toContain('secret-1');
  });

  test('not who sends no token in time', async () => {
    const { client } = await start({ authenticate: users, authTimeout: 1000 });
    const punctual = await client();
    punctual.send({ type: 'auth', token: 'user-ann' });
    await punctual.expect('authenticated');
    const late = await client();
    expect(await late.expect('error')).toMatchObject({ code: 'AUTH_FAILED' });
    expect((await late.closed).code).toBe(4401);
    await punctual.settled();
  });

  test('a token that could not be checked is not a wrong one', async () => {
    const { client, rest } = await start({
      authenticate() {
        throw new SyncLayerError('STORE_FAILED', 'The key server is down');
      },
    });
    const ann = await client('?token=user-ann');
    expect(await ann.expect('error')).toMatchObject({ code: 'SERVER_ERROR' });
    expect((await ann.closed).code).toBe(1011);
    expect((await rest('/sync/todos')).status).toBe(500);
  });
});

describe('a new token on a live connection', () => {
  const options = {
    authenticate: users,
    authorize: ({ user, collection }: { user: { id: string } | null; collection: string }) =>
      collection === 'shared' || user?.id === 'user-ann',
  };

  test('of the same user changes nothing', async () => {
    const { client, server } = await start(options);
    const ann = await client('?token=user-ann');
    ann.send(subscribe);
    await ann.expect('subscribed');
    ann.send({ type: 'auth', token: 'user-ann' });
    await ann.expect('authenticated');
    server.collection('todos').save('1', {});
    await ann.expect('insert');
  });

  test('of another user ends the subscriptions that this one may not have', async () => {
    const { client, server } = await start(options);
    const both = await client('?token=user-ann');
    both.send(subscribe);
    await both.expect('subscribed');
    both.send({ type: 'subscribe', collection: 'shared' });
    await both.expect('subscribed');
    both.send({ type: 'auth', token: 'user-bob' });
    await both.expect('authenticated');
    expect(await both.expect('error')).toMatchObject({ code: 'UNAUTHORIZED', metadata: { collection: 'todos' } });
    server.collection('todos').save('1', {});
    server.collection('shared').save('2', {});
    expect(await both.expect('insert')).toMatchObject({ collection: 'shared' });
  });

  test('that is wrong ends the connection', async () => {
    const { client } = await start(options);
    const ann = await client('?token=user-ann');
    ann.send({ type: 'auth', token: 'stale' });
    await ann.expect('error');
    expect((await ann.closed).code).toBe(4401);
  });
});

describe('bad input is answered, and the connection goes on', () => {
  test('malformed JSON, an unknown type, a binary frame, a poisoned key', async () => {
    const { client, server } = await start();
    const fuzzer = await client();
    const frames = ['{', '"text"', '{"type":"constructor"}', Buffer.from('{"type":"ping"}')];
    for (const frame of frames) {
      fuzzer.ws.send(frame);
      expect(await fuzzer.expect('error')).toMatchObject({ code: 'INVALID_MESSAGE' });
    }
    fuzzer.send(
      '{"type":"update","collection":"todos","recordId":"1","data":{"__proto__":{"polluted":1}},"metadata":{"opId":"o"}}',
    );
    expect(await fuzzer.expect('error')).toMatchObject({
      code: 'INVALID_MESSAGE',
      metadata: { opId: 'o', collection: 'todos', recordId: '1' },
    });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(server.collection('todos').count()).toBe(0);
    fuzzer.send({ type: 'ping' });
    await fuzzer.expect('pong');
  });

  test('names that objects inherit are names like any other', async () => {
    const { client, server } = await start();
    const odd = await client();
    for (const collection of ['__proto__', 'constructor']) {
      odd.send({ type: 'subscribe', collection });
      await odd.expect('subscribed');
      server.collection(collection).save('toString', { a: 1 });
      expect(await odd.expect('insert')).toMatchObject({ collection, recordId: 'toString' });
    }
  });

  test('a message that is too large ends the connection with 1009', async () => {
    const { client } = await start({ maxPayload: 1000 });
    const big = await client();
    big.send({ type: 'insert', collection: 'todos', recordId: '1', data: { text: 'x'.repeat(2000) } });
    expect((await big.closed).code).toBe(1009);
  });

  test('collections that do not exist', async () => {
    const { client } = await start({ collections: ['todos'] });
    const lost = await client();
    lost.send({ type: 'subscribe', collection: 'notes', metadata: { requestId: 'r' } });
    expect(await lost.expect('error')).toMatchObject({
      code: 'COLLECTION_NOT_FOUND',
      metadata: { collection: 'notes', requestId: 'r' },
    });
    lost.send({ type: 'insert', collection: 'notes', recordId: '1', data: {}, metadata: { opId: 'o' } });
    expect(await lost.expect('error')).toMatchObject({ code: 'COLLECTION_NOT_FOUND', metadata: { opId: 'o' } });
    lost.send(subscribe);
    await lost.expect('subscribed');
  });

  test('more subscriptions than one connection may have', async () => {
    const { client } = await start();
    const hoarder = await client();
    for (let i = 0; i <= 1000; i++) hoarder.send({ type: 'subscribe', collection: `c${i}` });
    const answers = await hoarder.settled();
    expect(answers.filter(({ type }) => type === 'subscribed')).toHaveLength(1000);
    expect(answers.at(-1)).toMatchObject({ type: 'error', code: 'INVALID_MESSAGE' });
  });
});

describe('limits', () => {
  test('messages: refused with the time to wait and the op they were about', async () => {
    const { client, clock } = await start({ rateLimit: { messages: 2, perMs: 1000 } });
    const eager = await client();
    eager.send({ type: 'ping' });
    eager.send({ type: 'ping' });
    eager.send({ type: 'insert', collection: 'todos', recordId: '1', data: {}, metadata: { opId: 'o' } });
    eager.send({ type: 'subscribe', collection: 'todos', metadata: { requestId: 'r' } });
    await eager.expect('pong');
    await eager.expect('pong');
    expect(await eager.expect('error')).toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      metadata: { opId: 'o', retryAfter: 500 },
    });
    expect(await eager.expect('error')).toMatchObject({ metadata: { requestId: 'r', retryAfter: 500 } });
    clock.time += 500;
    eager.send({ type: 'ping' });
    await eager.expect('pong');
    eager.send({ type: 'ping' });
    await eager.expect('error');
  });

  test('connections in all', async () => {
    const { client, server } = await start({ maxConnections: 2 });
    const first = await client();
    await client();
    await expect(client()).rejects.toThrow('refused');
    expect(server.connections).toBe(2);
    await first.close();
    await expect.poll(() => server.connections).toBe(1);
    await client();
  });

  test('connections of one user, who has room again when one ends', async () => {
    const { client } = await start({ authenticate: users, maxConnectionsPerUser: 1 });
    const first = await client('?token=user-ann');
    first.send({ type: 'ping' });
    await first.expect('pong');
    const second = await client('?token=user-ann');
    expect(await second.expect('error')).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect((await second.closed).code).toBe(1013);
    const other = await client('?token=user-bob');
    other.send({ type: 'ping' });
    await other.expect('pong');
    // A user who hands the connection over leaves room too.
    first.send({ type: 'auth', token: 'user-cid' });
    await first.expect('authenticated');
    const third = await client('?token=user-ann');
    third.send(subscribe);
    await third.expect('subscribed');
  });
});

describe('silent clients', () => {
  test('are dropped, those that ping are not', async () => {
    const { client, server } = await start({ idleTimeout: 500 });
    const silent = await client();
    const talking = await client();
    let over = false;
    void silent.closed.then(() => {
      over = true;
    });
    while (!over) {
      talking.send({ type: 'ping' });
      await talking.expect('pong');
    }
    expect((await silent.closed).code).toBe(4408);
    expect(talking.ws.readyState).toBe(talking.ws.OPEN);
    await expect.poll(() => server.connections).toBe(1);
  });

  test('are cut if they do not answer the close either', async () => {
    const { server } = await start({ idleTimeout: 40 });
    const { port, pathname } = new URL(server.url);
    const dead = connectTcp(Number(port), '127.0.0.1');
    dead.write(
      `GET ${pathname} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    dead.on('error', () => {});
    dead.resume();
    await once(dead, 'close');
    await expect.poll(() => server.connections).toBe(0);
  });
});
