import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { listen, openClient } from './client.js';
import { type HasuraPeer, startHasuraPeer } from './index.js';

let postgres: Postgres;
let peer: HasuraPeer;
const schema = 'create table todos (id int primary key, text text, updated_at timestamptz not null default now())';
beforeAll(async () => {
  postgres = await startPostgres();
  peer = await startHasuraPeer({ postgres, schema, pollInterval: 25 });
});
afterAll(async () => {
  await peer.close();
  await postgres.close();
});
beforeEach(async () => void (await peer.sql('truncate todos')));

function open(to = peer) {
  const client = openClient(to);
  onTestFinished(async () => void (await client.dispose()));
  return client;
}

const live = 'subscription { todos(order_by: { id: asc }) { id text } }';
const stream = `subscription ($since: timestamptz!, $size: Int!) {
  todos_stream(cursor: { initial_value: { updated_at: $since } }, batch_size: $size) { id text }
}`;
const LONG_AGO = '2020-01-01T00:00:00+00:00';
const ids = (result: unknown): number[] =>
  (result as { data: { todos_stream: { id: number }[] } }).data.todos_stream.map(({ id }) => id);

test('a live query gives its whole result at once, and again whenever it is another', async () => {
  const listener = listen(open(), live);
  expect(await listener.result(0)).toEqual({ data: { todos: [] } });
  await peer.sql("insert into todos values (1, 'Milk'), (2, 'Bread')");
  expect(await listener.result(1)).toEqual({
    data: {
      todos: [
        { id: 1, text: 'Milk' },
        { id: 2, text: 'Bread' },
      ],
    },
  });
  // A write that changes nothing that is selected is no result.
  await peer.sql('update todos set updated_at = now()');
  await peer.sql('delete from todos where id = 1');
  expect(await listener.result(2)).toEqual({ data: { todos: [{ id: 2, text: 'Bread' }] } });
  expect(listener.results).toHaveLength(3);
});

test('a second subscription of the same shape gets its first result from the same poller', async () => {
  const client = open();
  const [one, two] = [listen(client, live), listen(client, live)];
  expect(await two.result(0)).toEqual(await one.result(0));
  expect(peer.subscriptions).toBe(2);
  two.stop();
  await peer.sql("insert into todos values (1, 'Milk')");
  await one.result(1);
  expect(peer.subscriptions).toBe(1);
  expect(two.results).toHaveLength(1);
});

test('a stream gives rows after its cursor, in batches, and says nothing while there are none', async () => {
  const listener = listen(open(), stream, { since: LONG_AGO, size: 2 });
  await peer.sql(`insert into todos select n, 'row', '2024-01-01'::timestamptz + n * interval '1 microsecond'
    from generate_series(1, 5) n`);
  expect([ids(await listener.result(0)), ids(await listener.result(1)), ids(await listener.result(2))]).toEqual([
    [1, 2],
    [3, 4],
    [5],
  ]);
  await peer.sql("insert into todos values (6, 'late', '2024-01-01'), (7, 'new', '2024-01-02')");
  // What was committed with a time before the cursor never comes; what is deleted is not told.
  expect(ids(await listener.result(3))).toEqual([7]);
  await peer.sql('delete from todos where id = 7');
  await peer.sql("insert into todos values (8, 'new', '2024-01-03')");
  expect(ids(await listener.result(4))).toEqual([8]);
});

test('a stream skips rows that share the timestamp at which a batch was cut', async () => {
  await peer.sql("insert into todos select n, 'row', '2024-01-01' from generate_series(1, 5) n");
  const listener = listen(open(), stream, { since: LONG_AGO, size: 2 });
  expect(ids(await listener.result(0))).toHaveLength(2);
  await peer.sql("insert into todos values (9, 'after', '2024-01-02')");
  expect(ids(await listener.result(1))).toEqual([9]);
});

test('a batch that reads as the one before is not sent, and the cursor is past it', async () => {
  const listener = listen(open(), stream.replace('{ id text }', '{ text }'), { since: LONG_AGO, size: 1 });
  await peer.sql(`insert into todos values
    (1, 'same', '2024-01-01'), (2, 'same', '2024-01-02'), (3, 'other', '2024-01-03')`);
  expect(await listener.result(0)).toEqual({ data: { todos_stream: [{ text: 'same' }] } });
  expect(await listener.result(1)).toEqual({ data: { todos_stream: [{ text: 'other' }] } });
});

test('what is wrong with a subscription is an error of its own, and the socket stays', async () => {
  const client = open();
  await expect(listen(client, 'subscription { notes { id } }').ended).rejects.toEqual([
    {
      message: "field 'notes' not found in type: 'subscription_root'",
      extensions: { path: '$.selectionSet.notes', code: 'validation-failed' },
    },
  ]);
  const unfit = listen(client, live.replace('order_by: { id: asc }', 'where: { updated_at: { _gt: "soon" } }'));
  // What shows only in the database is told at each poll, and ends nothing.
  for (const index of [0, 1])
    expect(await unfit.result(index)).toMatchObject({
      data: null,
      errors: [{ extensions: { code: 'data-exception' } }],
    });
  expect(await listen(client, live).result(0)).toEqual({ data: { todos: [] } });
});

test('while Postgres is away every poll says so with data null, and afterwards all is as before', async () => {
  await peer.sql("insert into todos values (1, 'Milk')");
  const listener = listen(open(), live);
  const before = await listener.result(0);
  await peer.stopPostgres();
  for (const index of [1, 2])
    expect(await listener.result(index)).toMatchObject({
      data: null,
      errors: [{ message: 'connection error', extensions: { code: 'postgres-error', path: '$' } }],
    });
  await peer.startPostgres();
  let index = 3;
  while ((await listener.result(index)).data === null) index++;
  expect(listener.results[index]).toEqual(before);
});

test('a Hasura whose subscriptions stay silent without a word tells nothing at all', async () => {
  const mute = await startHasuraPeer({ postgres, schema, pollInterval: 25, silentAfterRestart: 'without a word' });
  onTestFinished(mute.close);
  const listener = listen(open(mute), live);
  await listener.result(0);
  mute.trouble('postgres-error');
  // A subscription that is told of it has seen a poll that this one has seen too.
  const told = await startHasuraPeer({ postgres, schema, pollInterval: 25 });
  onTestFinished(told.close);
  const other = listen(open(told), live);
  await other.result(0);
  told.trouble('rate-limit-exceeded');
  expect(await other.result(1)).toMatchObject({
    data: null,
    errors: [{ extensions: { code: 'rate-limit-exceeded' } }],
  });
  mute.trouble(undefined);
  expect(listener.results).toHaveLength(1);
});

test('a Hasura whose subscriptions stay silent after a restart of Postgres serves new ones', async () => {
  const mute = await startHasuraPeer({ postgres, schema, pollInterval: 25, silentAfterRestart: true });
  onTestFinished(mute.close);
  const client = open(mute);
  const listener = listen(client, live);
  await listener.result(0);
  await mute.stopPostgres();
  await listener.result(1);
  await mute.startPostgres();
  await mute.sql("insert into todos values (1, 'Milk')");
  const other = listen(client, live.replace('text', 'text updated_at'));
  // It may still hear of a connection that was lost.
  let index = 0;
  while ((await other.result(index)).data === null) index++;
  expect(other.results[index]).toMatchObject({ data: { todos: [{ id: 1 }] } });
  expect(listener.results.every(({ data }, index) => index === 0 || data === null)).toBe(true);
});
