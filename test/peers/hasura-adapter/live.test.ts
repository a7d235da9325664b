import { createClient } from 'graphql-ws/client';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { HasuraCollection } from '../../../adapters/hasura/options.js';
import { createTcpProxy } from '../../../src/testing/tcp-proxy.js';
import { table, touch } from '../hasura/hand.js';
import { type HasuraPeer, startHasuraPeer } from '../hasura/index.js';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { until } from '../until.js';
import { openClient } from './harness.js';

const schema = [
  touch,
  table('todos', true),
  table('tasks', false),
  // No trigger: the tests set the time.
  'create table events (id text primary key, text text, updated_at timestamptz not null)',
  `create table numbers (id text primary key, big bigint, price numeric, plain bigint, updated_at timestamptz not null default now());
   create trigger touch before insert or update on numbers for each row execute function touch()`,
].join(';\n');

let postgres: Postgres;
let peer: HasuraPeer;
beforeAll(async () => {
  postgres = await startPostgres();
  peer = await startHasuraPeer({ postgres, schema, pollInterval: 30, pingInterval: 200 });
});
afterAll(async () => {
  await peer?.close();
  await postgres?.close();
});
beforeEach(() => peer.sql('truncate todos, tasks, events, numbers'));

const fields = ['text', 'done', 'count'];
const soft: HasuraCollection = { fields, deletedAt: 'deleted_at' };
const events: HasuraCollection = { fields: ['text'] };
const modes = ['stream', 'live'] as const;

test.each(modes)('%s: 500 rows of one identical time at batch size 100', async (mode) => {
  const client = await openClient(peer, { events: { ...events, mode } }, { batchSize: 100 });
  await client.live();
  await peer.sql(`insert into events select 'row ' || n, 'x', now() from generate_series(1, 500) n`);
  await until('all 500', async () => (await client.rows('events')).size === 500);
  expect(client.told).toHaveLength(500);
  expect(client.errors).toEqual([]);
});

test.each(modes)('%s: rows committed with an earlier time than one that was seen already', async (mode) => {
  const client = await openClient(peer, { events: { ...events, mode } });
  await client.live();
  await peer.sql("insert into events values ('on time', 'x', now())");
  await until('the first', async () => (await client.rows('events')).has('on time'));
  // The stream is past that time: only the check that follows can find these.
  await peer.sql("insert into events values ('late', 'x', now() - interval '500 milliseconds')");
  await until('the late one', async () => (await client.rows('events')).has('late'));
});

test('stream: a late commit behind the last of several bursts is found too', async () => {
  const client = await openClient(peer, { events });
  await client.live();
  await peer.sql("insert into events values ('a', 'x', now())");
  await until('the first', async () => (await client.rows('events')).has('a'));
  let checks = 0;
  client.sync.events.on('realtimeSync', () => void checks++);
  const before = (await client.rows('events')).size;
  expect(before).toBe(1);
  await peer.sql("insert into events values ('b', 'x', now())");
  await until('the second', async () => (await client.rows('events')).has('b'));
  for (const id of ['late 1', 'late 2']) {
    await peer.sql("insert into events values ($1, 'x', now() - interval '300 milliseconds')", [id]);
    await until(id, async () => (await client.rows('events')).has(id));
    await peer.sql("insert into events values ($1, 'x', now())", [`after ${id}`]);
    await until(`after ${id}`, async () => (await client.rows('events')).has(`after ${id}`));
  }
});

test('stream: a row from the future hides nothing', async () => {
  const client = await openClient(peer, { events });
  await client.live();
  await peer.sql("insert into events values ('future', 'x', now() + interval '1 hour')");
  await until('it', async () => (await client.rows('events')).has('future'));
  await peer.sql("insert into events values ('present', 'x', now())");
  await until('the one of now', async () => (await client.rows('events')).has('present'));
  await peer.sql("insert into events values ('later', 'x', now())");
  await until('the next', async () => (await client.rows('events')).has('later'));
});

test.each<[string, HasuraCollection]>([
  ['live', { fields, mode: 'live' }],
  ['stream with watchCount', { fields, watchCount: true }],
])('%s: hard deletes', async (_, tasks) => {
  await peer.sql("insert into tasks (id, text) select 'row ' || n, 'x' from generate_series(1, 5) n");
  const client = await openClient(peer, { tasks });
  await client.live();
  expect((await client.rows('tasks')).size).toBe(5);
  await peer.sql("delete from tasks where id in ('row 2', 'row 4')");
  await until('they are gone', async () => (await client.rows('tasks')).size === 3);
  expect(client.told.filter(({ type }) => type === 'Delete').map(({ recordId }) => recordId)).toEqual([
    'row 2',
    'row 4',
  ]);
  await peer.sql("insert into tasks (id, text) values ('row 2', 'again')");
  await until('it is back', async () => (await client.rows('tasks')).get('row 2')?.text === 'again');
});

test('stream without watchCount: a hard delete shows at the check after the next change', async () => {
  await peer.sql("insert into tasks (id, text) values ('a', 'x')");
  const client = await openClient(peer, { tasks: { fields } });
  await client.live();
  await peer.sql("delete from tasks where id = 'a'");
  await peer.sql("insert into tasks (id, text) values ('b', 'x')");
  await until('it is gone', async () => [...(await client.rows('tasks')).keys()].join() === 'b');
});

test('live: one changed row of 5 000 is one event', async () => {
  await peer.sql("insert into tasks (id, text) select 'row ' || n, repeat('x', 100) from generate_series(1, 5000) n");
  const client = await openClient(peer, { tasks: { fields, mode: 'live' } });
  await client.live();
  expect((await client.rows('tasks')).size).toBe(5000);
  client.told.length = 0;
  const batches: number[] = [];
  client.sync.collection('tasks').watch((rows) => void batches.push(rows.length));
  await peer.sql("update tasks set text = 'changed' where id = 'row 7'");
  await until('the change', () => client.told.length > 0);
  await peer.sql("update tasks set text = 'again' where id = 'row 8'");
  await until('the next change', () => client.told.length > 1);
  expect(client.told.map(({ type, recordId }) => [type, recordId])).toEqual([
    ['Update', 'row 7'],
    ['Update', 'row 8'],
  ]);
});

test.each(modes)(
  '%s: data null while Postgres is away deletes nothing, and afterwards it is live again',
  async (mode) => {
    const own = await startPostgres();
    const away = await startHasuraPeer({
      postgres: own,
      schema,
      pollInterval: 30,
      silentAfterRestart: true,
    });
    onTestFinished(async () => {
      await away.close();
      await own.close();
    });
    await away.sql("insert into tasks (id, text) values ('a', 'x'), ('b', 'x')");
    const client = await openClient(away, { tasks: { fields, mode } });
    await client.live();
    await away.stopPostgres();
    await until('an error', () => client.errors.some(({ message }) => message.includes('postgres-error')));
    expect((await client.rows('tasks')).size).toBe(2);
    await away.startPostgres();
    await client.live();
    // Not by a subscription that stays silent after a restart.
    await away.sql("insert into tasks (id, text) values ('c', 'x')");
    await until('the new row', async () => (await client.rows('tasks')).has('c'));
    expect(client.told.filter(({ type }) => type === 'Delete')).toEqual([]);
  },
);

test('all collections share one socket, and it is left when they are', async () => {
  const before = peer.accepted;
  const client = await openClient(peer, { todos: soft, tasks: { fields, mode: 'live' }, events });
  await client.live();
  expect([peer.accepted - before, peer.sockets, peer.subscriptions]).toEqual([1, 1, 3]);
  await client.sync.close();
  await until('no socket', () => peer.sockets === 0 && peer.subscriptions === 0);
});

test("the app's own client is shared, and stays the app's", async () => {
  const headers = { 'x-hasura-admin-secret': peer.adminSecret };
  const own = createClient({
    url: peer.wsUrl,
    connectionParams: { headers },
    retryWait: async () => undefined,
    // Node tells of a cut by an error first, which graphql-ws takes for the end.
    shouldRetry: () => true,
  });
  onTestFinished(async () => void (await own.dispose()));
  const seen: unknown[] = [];
  own.subscribe(
    { query: 'subscription { todos { id } }' },
    { next: ({ data }) => void seen.push(data), error: () => undefined, complete: () => undefined },
  );
  await until('its first result', () => seen.length === 1);
  const before = peer.accepted;
  const client = await openClient(peer, { todos: soft }, { client: own });
  await client.live();
  expect(peer.accepted).toBe(before);
  await peer.sql("insert into todos (id, text) values ('a', 'x')");
  await until('both', async () => seen.length === 2 && (await client.rows('todos')).has('a'));
  peer.cut();
  await until('the next connection', () => peer.accepted === before + 1);
  await peer.sql("insert into todos (id, text) values ('b', 'x')");
  await until('what was missed', async () => (await client.rows('todos')).has('b'));
  await client.live();
  expect(peer.accepted).toBe(before + 1);
  await client.sync.close();
  // The app's subscription goes on.
  await until('only its subscription', () => peer.subscriptions === 1);
  await peer.sql("insert into todos (id, text) values ('c', 'x')");
  await until('its result', () => JSON.stringify(seen.at(-1)).includes('"c"'));
});

test('numbers: exact text where the type is told, an error where JSON rounded, and other rows go on', async () => {
  const numbers: HasuraCollection = { fields: { big: { type: 'bigint' }, price: { type: 'numeric' }, plain: {} } };
  const exact = await startHasuraPeer({ postgres, schema, pollInterval: 30, stringifyNumeric: true });
  onTestFinished(exact.close);
  const values = "('a', 9007199254740993, 1.50, 7)";
  await exact.sql(`insert into numbers values ${values}`);
  const good = await openClient(exact, { numbers: { fields: { big: {}, price: { type: 'numeric' }, plain: {} } } });
  await good.live();
  expect((await good.rows('numbers')).get('a')).toEqual({
    id: 'a',
    big: '9007199254740993',
    price: '1.50',
    plain: '7',
  });
  // Without the server's flag.
  await peer.sql(`insert into numbers values ${values}, ('b', 42, null, 7)`);
  const client = await openClient(peer, { numbers });
  await client.live();
  expect(Object.fromEntries(await client.rows('numbers'))).toEqual({
    b: { id: 'b', big: '42', price: null, plain: 7 },
  });
  expect(client.errors[0]).toMatchObject({ code: 'PROTOCOL_VIOLATION' });
  expect(client.errors[0]?.message).toContain('HASURA_GRAPHQL_STRINGIFY_NUMERIC_TYPES');
});

test.each(modes)('%s: graphql-default names', async (mode) => {
  const camel = await startHasuraPeer({
    postgres,
    schema: schema.replaceAll('tasks', 'my_tasks'),
    namingConvention: 'graphql-default',
    pollInterval: 30,
  });
  onTestFinished(camel.close);
  const myTasks: HasuraCollection = { fields, mode, ...(mode === 'stream' && { watchCount: true }) };
  const client = await openClient(camel, { myTasks }, { naming: 'graphql-default' });
  await client.live();
  await camel.sql("insert into my_tasks (id, text) values ('a', 'x')");
  await until('the row', async () => (await client.rows('myTasks')).has('a'));
  const rows = client.sync.collection('myTasks');
  await rows.save({ text: 'mine' }, 'b');
  await rows.update('a', { text: 'changed' });
  await client.live();
  expect(await camel.sql('select id, text from my_tasks order by id')).toEqual([
    { id: 'a', text: 'changed' },
    { id: 'b', text: 'mine' },
  ]);
  await rows.delete('a');
  await client.live();
  await camel.sql("delete from my_tasks where id = 'b'");
  await until('all gone', async () => (await client.rows('myTasks')).size === 0);
  expect(client.errors).toEqual([]);
});

test('custom names, other columns, and only the rows of a condition', async () => {
  const custom = await startHasuraPeer({
    postgres,
    schema: `${touch} create table t1 (key text primary key, body text, owner text, changed timestamptz not null default now());
      create function touch1() returns trigger language plpgsql as $$ begin new.changed = clock_timestamp(); return new; end $$;
      create trigger touch before insert or update on t1 for each row execute function touch1();`,
    tables: { t1: { custom_name: 'notes', custom_root_fields: { select: 'allNotes' } } },
    pollInterval: 30,
  });
  onTestFinished(custom.close);
  const notes: HasuraCollection = {
    fields: { text: 'body', owner: {} },
    id: 'key',
    updatedAt: 'changed',
    roots: { select: 'allNotes' },
    where: { owner: { _eq: 'ann' } },
  };
  const client = await openClient(custom, { notes });
  const other = await openClient(custom, { notes: { ...notes, mode: 'live' } });
  await client.live();
  await other.live();
  await custom.sql("insert into t1 (key, body, owner) values ('a', 'x', 'ann'), ('b', 'x', 'bob')");
  for (const each of [client, other]) await until('the row', async () => (await each.rows('notes')).has('a'));
  await client.sync.collection('notes').save({ text: 'mine', owner: 'ann' }, 'c');
  await client.live();
  for (const each of [client, other])
    await until('both', async () => [...(await each.rows('notes')).keys()].sort().join() === 'a,c');
  expect((await client.rows('notes')).get('c')).toEqual({ id: 'c', text: 'mine', owner: 'ann' });
  // A row that leaves the condition is gone from the live query.
  await custom.sql("update t1 set owner = 'bob' where key = 'a'");
  await until('it has left', async () => !(await other.rows('notes')).has('a'));
});

test("a role's limit cuts the live query, and deletes nothing", async () => {
  const cut = await startHasuraPeer({
    postgres,
    schema,
    pollInterval: 30,
    permissions: { user: { tasks: { select: { columns: '*', filter: {}, limit: 3 } } } },
  });
  onTestFinished(cut.close);
  await cut.sql("insert into tasks (id, text) select 'row ' || n, 'x' from generate_series(2, 6) n");
  const authToken = () => cut.token();
  const client = await openClient(cut, { tasks: { fields, mode: 'live' } }, {}, { authToken });
  await client.live();
  expect((await client.rows('tasks')).size).toBe(5);
  // It takes the place of another one in the live query.
  await cut.sql("insert into tasks (id, text) values ('row 1', 'x')");
  await until('the new row', async () => (await client.rows('tasks')).has('row 1'));
  await cut.sql("update tasks set text = 'y' where id = 'row 1'");
  await until('the change', async () => (await client.rows('tasks')).get('row 1')?.text === 'y');
  expect((await client.rows('tasks')).size).toBe(6);
  expect(client.told.filter(({ type }) => type === 'Delete')).toEqual([]);
});

test.each([
  ['marked as deleted', 'todos', soft, "update todos set deleted_at = now() where id = 'a'"],
  ['deleted for good', 'tasks', { fields }, "delete from tasks where id = 'a'"],
] as const)('live: a row of ours that is %s before any poll has seen it', async (_, name, options, remove) => {
  const slow = await startHasuraPeer({ postgres, schema, pollInterval: 1000 });
  onTestFinished(slow.close);
  const client = await openClient(slow, { [name]: { ...options, mode: 'live' } });
  await client.live();
  await client.sync.collection(name).save({ text: 'mine' }, 'a');
  await client.live();
  await slow.sql(remove);
  expect((await client.rows(name)).size).toBe(1);
  await until('it is gone', async () => (await client.rows(name)).size === 0);
});

test('collections that are not served end alone, with what to look at', async () => {
  const before = peer.accepted;
  const client = await openClient(peer, {
    tasks: { fields, mode: 'live' },
    nothing: { fields: ['text'], mode: 'live' },
    neither: { fields: ['text'], mode: 'live' },
    nor: { fields: ['text'], mode: 'live' },
  });
  await until('an error', () => client.errors.length > 0);
  expect(client.errors[0]).toMatchObject({ code: 'SUBSCRIBE_REJECTED' });
  await peer.sql("insert into tasks (id, text) values ('a', 'x')");
  await until('the other goes on', async () => (await client.rows('tasks')).has('a'));
  expect(peer.accepted - before).toBe(1);
});

test('a large first result over a slow line: nothing is begun again while bytes arrive', {
  timeout: 300_000,
}, async () => {
  await peer.sql(`insert into events select 'row ' || n, repeat('x', 150), now() from generate_series(1, 1500) n`);
  const line = await createTcpProxy({ port: Number(new URL(peer.url).port), bytesPerSecond: 150_000 });
  onTestFinished(() => line.close());
  const url = peer.url.replace(/:\d+/, `:${line.port}`);
  // Both the result and a page of rows take longer than these.
  const limits = { subscribeTimeout: 300, requestTimeout: 300 };
  const client = await openClient(peer, { events: { ...events, mode: 'live' } }, { url, ...limits });
  await client.live();
  expect((await client.rows('events')).size).toBe(1500);
  expect(client.errors).toEqual([]);
});
