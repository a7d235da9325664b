import { once } from 'node:events';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { type HasuraPeer, type HasuraPeerOptions, startHasuraPeer } from './index.js';

let postgres: Postgres;
let peer: HasuraPeer;
const schema = 'create table todos (id int primary key)';
beforeAll(async () => {
  postgres = await startPostgres();
  peer = await startHasuraPeer({ postgres, schema, pollInterval: 25 });
});
afterAll(async () => {
  await peer.close();
  await postgres.close();
});

async function start(options: HasuraPeerOptions): Promise<HasuraPeer> {
  const other = await startHasuraPeer({ postgres, schema, ...options });
  onTestFinished(other.close);
  return other;
}

type Frame = { type: string; id?: string; payload?: unknown };

/** A socket without any client's habits. */
async function connect(to: HasuraPeer) {
  const socket = new WebSocket(to.wsUrl, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    frames.push(JSON.parse(String(data)));
    for (const look of [...waiting]) look();
  });
  const closed = new Promise((resolve) => {
    socket.once('close', (code, why) => resolve([code, String(why)]));
  });
  await once(socket, 'open');
  return {
    frames,
    closed,
    send: (frame: object) => socket.send(JSON.stringify(frame)),
    text: (text: string) => socket.send(text),
    /** The first frame of its kind, or the one of this number. */
    frame: (type: string, id?: string, index = 0): Promise<Frame> =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = frames.filter((each) => each.type === type && each.id === id)[index];
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

const init = (headers: object) => ({ type: 'connection_init', payload: { headers } });
const admin = () => init({ 'x-hasura-admin-secret': peer.adminSecret });
const reason = (text: string): string => JSON.stringify({ server_error_msg: text });

test('the server pings before it acknowledges, and again at its pace', async () => {
  const quick = await start({ pingInterval: 20 });
  const socket = await connect(quick);
  expect(await socket.frame('ping')).toEqual({ type: 'ping', payload: { message: 'keepalive' } });
  const before = socket.frames.length;
  socket.send(init({ 'x-hasura-admin-secret': quick.adminSecret }));
  await socket.frame('connection_ack');
  expect(socket.frames.findIndex(({ type }) => type === 'connection_ack')).toBeGreaterThanOrEqual(before);
  await socket.frame('ping', undefined, 3);
});

test('queries and mutations are answered and completed, pings ponged', async () => {
  const socket = await connect(peer);
  socket.send(admin());
  socket.send({ type: 'ping', payload: { at: 1 } });
  socket.send({ type: 'subscribe', id: 'a', payload: { query: '{ todos { id } }' } });
  expect(await socket.frame('complete', 'a')).toEqual({ type: 'complete', id: 'a' });
  expect(socket.frames.filter(({ type }) => type !== 'ping')).toEqual([
    { type: 'connection_ack' },
    { type: 'pong', payload: { at: 1 } },
    { type: 'next', id: 'a', payload: { data: { todos: [] } } },
    { type: 'complete', id: 'a' },
  ]);
});

test('an operation that fails is an error, which is completed too', async () => {
  const socket = await connect(peer);
  socket.send(admin());
  socket.send({ type: 'subscribe', id: 'a', payload: { query: 'subscription { nope { id } }' } });
  await socket.frame('complete', 'a');
  expect(socket.frames.filter(({ id }) => id === 'a')).toMatchObject([
    { type: 'error', payload: [{ extensions: { code: 'validation-failed' } }] },
    { type: 'complete' },
  ]);
});

test('breaches of the protocol are closed with their codes', async () => {
  const subscribe = { type: 'subscribe', id: 'a', payload: { query: 'subscription { todos { id } }' } };
  const cases: readonly (readonly [frames: readonly object[], code: number, why: string])[] = [
    // Not 4401 and not 4409, as the protocol has it.
    [[subscribe], 1000, reason('4400: start received before the connection is initialised')],
    [[admin(), subscribe, subscribe], 1000, reason('4400: an operation already exists with this id: a')],
    [[admin(), { type: 'start' }], 4400, reason('4400: Parsing client message failed: unexpected type start')],
    [[admin(), { type: 'complete' }], 4400, reason("4400: Parsing client message failed: key 'id' not found")],
  ];
  for (const [frames, ...closed] of cases) {
    const socket = await connect(peer);
    for (const frame of frames) socket.send(frame);
    expect(await socket.closed).toEqual(closed);
  }
  const socket = await connect(peer);
  socket.text('{');
  expect(await socket.closed).toEqual([4400, reason('4400: Parsing client message failed: not JSON')]);
});

test('a second initialisation is taken, and acknowledged again', async () => {
  const socket = await connect(peer);
  socket.send(admin());
  socket.send(init({ authorization: `Bearer ${await peer.token({ role: 'nobody' })}` }));
  await socket.frame('connection_ack', undefined, 1);
  socket.send({ type: 'subscribe', id: 'a', payload: { query: '{ todos { id } }' } });
  expect(await socket.frame('error', 'a')).toMatchObject({ payload: [{ extensions: { code: 'validation-failed' } }] });
});

test('who does not initialise in time is closed with 4408', async () => {
  const brief = await start({ initTimeout: 30 });
  expect(await (await connect(brief)).closed).toEqual([4408, 'Connection initialisation timed out']);
});

test('a refused initialisation ends in the way of the version', async () => {
  const cases: readonly (readonly [version: string, code: number, why: RegExp, stray: boolean])[] = [
    ['2.48.1', 4403, /^\{"server_error_msg":"4403: Forbidden"\}$/, false],
    ['2.30.0', 4403, /4403: Forbidden/, false],
    ['2.28.0', 4400, /Could not verify JWT/, true],
    ['2.0.9', 1000, /^$/, false],
    ['2.24.0', 4400, /^\{"server_error_msg":"4400: Connection initialization failed: Could not verify JWT/, false],
  ];
  for (const [version, code, why, stray] of cases) {
    const socket = await connect(await start({ version }));
    socket.send(init({ authorization: 'Bearer forged' }));
    const closed = await socket.closed;
    expect(closed, version).toEqual([code, expect.stringMatching(why)]);
    expect(socket.frames.some(({ type }) => type === 'connection_error')).toBe(stray);
  }
});

test('a token that expires cuts the socket without a close frame', async () => {
  const socket = await connect(peer);
  socket.send(init({ authorization: `Bearer ${await peer.token({ expiresIn: 1.2 })}` }));
  await socket.frame('connection_ack');
  expect(await socket.closed).toEqual([1006, '']);
});

test('a Hasura from before 2.1 answers with the older subprotocol, which a client does not take', async () => {
  const old = await start({ version: '1.3.3' });
  await expect(connect(old)).rejects.toThrow('Server sent an invalid subprotocol');
  const socket = new WebSocket(peer.wsUrl, 'graphql-ws');
  const [error] = await once(socket, 'error');
  expect(error.message).toContain('400');
});

test('it can be killed and started again on the same port and data', async () => {
  const other = await start({});
  await other.sql('insert into todos values (1)');
  const socket = await connect(other);
  await other.kill();
  expect(await socket.closed).toEqual([1006, '']);
  await expect(fetch(other.url)).rejects.toThrow();
  await other.start();
  const again = await connect(other);
  again.send(init({ 'x-hasura-admin-secret': other.adminSecret }));
  again.send({ type: 'subscribe', id: 'a', payload: { query: 'subscription { todos { id } }' } });
  expect(await again.frame('next', 'a')).toMatchObject({ payload: { data: { todos: [{ id: 1 }] } } });
  expect([other.sockets, other.subscriptions]).toEqual([1, 1]);
});
