import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { table, touch } from '../hasura/hand.js';
import { type HasuraPeer, startHasuraPeer } from '../hasura/index.js';
import { expectLateRefusalIsSpared } from '../late-refusal.js';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { until } from '../until.js';
import { openClient } from './harness.js';

const own = { owner: { _eq: 'X-Hasura-User-Id' } };
const schema = [touch, table('todos', false), 'alter table todos add column owner text'].join('\n');
const permissions = {
  user: {
    todos: {
      select: { columns: '*', filter: own },
      insert: { columns: '*', check: own },
      update: { columns: '*', filter: { ...own, text: { _neq: 'locked' } } },
      delete: { filter: own },
    },
  },
} as const;

let postgres: Postgres;
let peer: HasuraPeer;
beforeAll(async () => {
  postgres = await startPostgres();
  peer = await startHasuraPeer({ postgres, schema, permissions, pollInterval: 30, pingInterval: 200 });
});
afterAll(async () => {
  await peer?.close();
  await postgres?.close();
});
beforeEach(() => peer.sql('truncate todos'));

const todos = { fields: ['text', 'owner'], mode: 'live' } as const;
const insert = (id: string, owner: string, text = 'x') =>
  peer.sql('insert into todos (id, text, owner) values ($1, $2, $3)', [id, text, owner]);
const ids = async (client: Awaited<ReturnType<typeof openClient>>): Promise<string[]> =>
  [...(await client.rows('todos')).keys()].sort();

test.each(['stream', 'live'] as const)(
  '%s: a token that ends while connected is renewed before, without a loss',
  async (mode) => {
    let asked = 0;
    const authToken = async () => {
      asked += 1;
      return peer.token({ userId: 'ann', expiresIn: 3 });
    };
    const client = await openClient(peer, { todos: { ...todos, mode } }, {}, { authToken });
    await client.live();
    const lost: unknown[] = [];
    client.sync.events.on('realtimeDisconnected', (event) => void lost.push(event));
    const before = peer.accepted;
    await insert('first', 'ann');
    // Twice: the renewed one is renewed as well.
    await until('two renewals', () => peer.accepted >= before + 2);
    await insert('second', 'ann');
    await insert("bob's", 'bob');
    await until('the second row', async () => (await ids(client)).includes('second'));
    await until('the sockets before are closed', () => peer.sockets === 1);
    expect(await ids(client)).toEqual(['first', 'second']);
    expect([lost, client.errors]).toEqual([[], []]);
    expect(asked).toBeGreaterThan(2);
  },
);

test('a token that ends and is not renewed ends in needs-auth; edits wait for the next one', async () => {
  const short = await peer.token({ userId: 'ann', expiresIn: 2 });
  const client = await openClient(peer, { todos }, {}, { authToken: async () => short });
  await client.live();
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth');
  await client.sync.collection('todos').save({ text: 'mine', owner: 'ann' }, 'offline');
  await insert('meanwhile', 'ann');
  expect(client.sync.status.pending).toBe(1);
  for (const { message } of client.errors) expect(message).not.toContain(short);
  client.sync.setAuthToken(() => peer.token({ userId: 'ann' }));
  await client.live();
  await until('both', async () => (await ids(client)).includes('meanwhile'));
  expect(await peer.sql("select text from todos where id = 'offline'")).toEqual([{ text: 'mine' }]);
});

test('a token that is refused at a reconnect is asked for anew, and the next one serves', async () => {
  const given: string[] = [];
  let ended = false;
  const authToken = async () => {
    const token = await peer.token({ userId: 'ann', ...(ended && { expiresIn: -10 }) });
    ended = false;
    given.push(token);
    return token;
  };
  const client = await openClient(peer, { todos }, {}, { authToken });
  await client.live();
  const before = given.length;
  ended = true;
  peer.cut();
  await insert('after', 'ann');
  await until('the row', async () => (await ids(client)).includes('after'));
  await client.live();
  expect(given.length).toBeGreaterThan(before + 1);
  expect(client.errors.map(({ code }) => code)).toContain('AUTH_REQUIRED');
});

// How each version refuses a connection_init.
test.each(['2.48.1', '2.27.0', '2.20.0', '2.0.9'])(
  'Hasura %s: a refused token is asked for once more, then needs-auth',
  async (version) => {
    const old = await startHasuraPeer({ postgres, schema, permissions, pollInterval: 30, version });
    onTestFinished(old.close);
    let asked = 0;
    const client = await openClient(
      old,
      { todos },
      {},
      {
        authToken: async () => {
          asked += 1;
          return 'eyJhbGciOiJIUzI1NiJ9.e30.hush';
        },
      },
    );
    await until(
      'needs-auth',
      () => client.sync.status.phase === 'needs-auth',
      () => client.sync.inspect(),
    );
    expect(client.errors[0]).toMatchObject({ code: 'AUTH_REQUIRED' });
    expect(asked).toBeLessThan(6);
    for (const { message } of client.errors) expect(message).not.toContain('hush');
    client.sync.setAuthToken(() => old.token({ userId: 'ann' }));
    await client.live();
  },
);

test('a server that knows only the older subprotocol: an error that says so', async () => {
  const old = await startHasuraPeer({ postgres, schema, pollInterval: 30, version: '1.3.3' });
  onTestFinished(old.close);
  const client = await openClient(old, { todos });
  await until('an error', () => client.errors.length > 0);
  expect(client.errors[0]?.message).toContain('older subprotocol "graphql-ws"');
  await client.sync.close();
});

test.each([4408, 4429, 1012, 1000])('a close with %i is made good by a new connection', async (code) => {
  const client = await openClient(peer, { todos });
  await client.live();
  const before = peer.accepted;
  peer.cut(code);
  await until('the next connection', () => peer.accepted > before);
  await insert('after', 'bob');
  await until('the row', async () => (await ids(client)).includes('after'));
  await client.live();
});

test('what a permission refuses is kept aside, an update that matches nothing as well, and the rest goes on', async () => {
  await insert('locked', 'ann', 'locked');
  const client = await openClient(peer, { todos }, {}, { authToken: () => peer.token({ userId: 'ann' }) });
  await client.live();
  const rows = client.sync.collection('todos');
  await client.sync.pause();
  await rows.save({ text: 'not mine', owner: 'bob' }, 'foreign');
  await rows.update('locked', { text: 'may not' });
  await rows.save({ text: 'mine', owner: 'ann' }, 'good');
  client.sync.resume();
  await client.live();
  const failed = client.sync.outbox.failed();
  expect(failed.map(({ recordId, error }) => [recordId, error?.code]).sort()).toEqual([
    ['foreign', 'PUSH_REJECTED'],
    ['locked', 'PUSH_REJECTED'],
  ]);
  expect(await peer.sql('select id, text from todos order by id')).toEqual([
    { id: 'good', text: 'mine' },
    { id: 'locked', text: 'locked' },
  ]);
});

test('a refusal that comes late says nothing about the token in use', async () => {
  const [first, next] = [await peer.token({ userId: 'ann' }), await peer.token({ userId: 'ann', expiresIn: 500 })];
  await expectLateRefusalIsSpared({
    tokens: [first, next],
    row: { text: 'mine', owner: 'ann' },
    isWrite: (request) => request.includes('mutation'),
    open: (fetch, authToken) => openClient(peer, { todos }, { fetch }, { authToken }),
  });
  expect(await peer.sql("select text from todos where id = 'late'")).toEqual([{ text: 'mine' }]);
});

test.each(['2.48.1', '2.27.0', '2.20.0', '2.0.9'])(
  'Hasura %s: an auth webhook that is away for a while is no matter of the token',
  async (version) => {
    const old = await startHasuraPeer({ postgres, schema, permissions, pollInterval: 30, version });
    onTestFinished(old.close);
    const token = await old.token({ userId: 'ann' });
    const client = await openClient(old, { todos }, {}, { authToken: token });
    await client.live();
    const phases = new Set<string>();
    client.sync.events.on('statusChanged', ({ phase }) => void phases.add(phase));
    old.webhook(false);
    old.cut();
    await until('an attempt that failed', () => client.errors.some(({ code }) => code === 'CONNECT_FAILED'));
    await client.sync.collection('todos').save({ text: 'mine', owner: 'ann' }, `mine ${version}`);
    old.webhook(true);
    await client.live();
    expect([...phases]).not.toContain('needs-auth');
    expect(client.sync.outbox.failed()).toEqual([]);
    expect(await old.sql('select id from todos')).toContainEqual({ id: `mine ${version}` });
  },
);
