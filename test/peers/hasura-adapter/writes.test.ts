import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HasuraCollection } from '../../../adapters/hasura/options.js';
import { table, touch } from '../hasura/hand.js';
import { type HasuraPeer, startHasuraPeer } from '../hasura/index.js';
import { until } from '../until.js';
import { openClient } from './harness.js';

let peer: HasuraPeer;
beforeAll(async () => {
  peer = await startHasuraPeer({
    schema: [
      touch,
      table('todos', true),
      table('tasks', false),
      `create table lists (id text primary key, slug text unique, updated_at timestamptz not null default now());
       create trigger touch before insert or update on lists for each row execute function touch();
       create table items (id text primary key, list text not null references lists, updated_at timestamptz not null default now());
       create trigger touch before insert or update on items for each row execute function touch();
       create table typed (id int primary key, tags text[], meta jsonb, updated_at timestamptz not null default now());
       create trigger touch before insert or update on typed for each row execute function touch()`,
    ].join(';\n'),
    pollInterval: 30,
  });
});
afterAll(() => peer?.close());
beforeEach(() => peer.sql('truncate todos, tasks, lists, items'));

const fields = ['text', 'done', 'count'];
const collections = {
  todos: { fields, deletedAt: 'deleted_at' },
  tasks: { fields, mode: 'live' },
} as const satisfies Record<string, HasuraCollection>;

/** Counts mutations; `lose`: their answers do not arrive. */
function counting() {
  const writes: string[] = [];
  const state = { writes, lose: 0 };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const isWrite = String(init?.body).includes('"mutation');
    if (isWrite) writes.push(String(init?.body));
    const response = await globalThis.fetch(input, init);
    if (isWrite && state.lose-- > 0) throw new TypeError('The answer is lost.');
    return response;
  };
  return { state, fetch };
}

test.each(['todos', 'tasks'] as const)('%s: 100 edits of all kinds are one document', async (name) => {
  const { state, fetch } = counting();
  const client = await openClient(peer, { [name]: collections[name] }, { fetch });
  await client.live();
  const rows = client.sync.collection(name);
  const ids = Array.from({ length: 60 }, (_, index) => `row ${index}`);
  await rows.saveMany(ids.map((id) => ({ id, text: id })));
  await client.live();
  expect(state.writes.splice(0)).toHaveLength(1);
  await client.sync.pause();
  await rows.saveMany(Array.from({ length: 40 }, (_, index) => ({ id: `new ${index}`, text: 'x' })));
  for (const id of ids.slice(0, 30)) await rows.update(id, { text: `changed ${id}` });
  await rows.deleteMany(ids.slice(30));
  client.sync.resume();
  await client.live();
  expect(state.writes).toHaveLength(1);
  const left = name === 'todos' ? 'where deleted_at is null' : '';
  expect(await peer.sql(`select count(*)::int from ${name} ${left}`)).toEqual([{ count: 70 }]);
  expect(await peer.sql(`select count(*)::int from ${name} where text like 'changed%'`)).toEqual([{ count: 30 }]);
});

test('one bad row of many is kept aside alone', async () => {
  const client = await openClient(peer, { tasks: collections.tasks });
  await client.live();
  const rows = client.sync.collection('tasks');
  await rows.saveMany(
    Array.from({ length: 40 }, (_, index) => ({ id: `row ${index}`, text: index === 17 ? 'refused' : 'x' })),
  );
  await client.live();
  expect(await peer.sql('select count(*)::int from tasks')).toEqual([{ count: 39 }]);
  expect(client.sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['row 17']);
});

test.each(['todos', 'tasks'] as const)('%s: a push whose answer was lost counts once', async (name) => {
  const { state, fetch } = counting();
  const client = await openClient(peer, { [name]: collections[name] }, { fetch });
  await client.live();
  const rows = client.sync.collection(name);
  state.lose = 1;
  await rows.saveMany(Array.from({ length: 20 }, (_, index) => ({ id: `row ${index}`, text: 'x' })));
  await client.live();
  // The second one meets the rows of the first, which are looked at, all in one request.
  expect(state.writes).toHaveLength(2);
  expect(await peer.sql(`select count(*)::int from ${name}`)).toEqual([{ count: 20 }]);
  state.lose = 1;
  await rows.update('row 1', { text: 'changed' });
  await client.live();
  expect(await peer.sql(`select text from ${name} where id = 'row 1'`)).toEqual([{ text: 'changed' }]);
  state.lose = 1;
  await rows.delete('row 2');
  await client.live();
  expect((await client.rows(name)).size).toBe(19);
  expect(client.sync.outbox.failed()).toEqual([]);
});

test('parents are made before their children, in one transaction; a missing one is waited for, a double row tried again', async () => {
  const plain = { lists: { fields: ['slug'] }, items: { fields: ['list'] } };
  const client = await openClient(peer, plain, {}, { maxRetries: 1 });
  await client.live();
  const { sync } = client;
  await sync.pause();
  await sync.collection('lists').save({ slug: 'one' }, 'l1');
  await sync.collection('items').save({ list: 'l1' }, 'a');
  await sync.collection('items').save({ list: 'late' }, 'orphan');
  sync.resume();
  await until(
    'the orphan is listed as waiting',
    () => sync.outbox.pending().length === 1 && sync.outbox.pending()[0]?.waiting !== undefined,
  );
  expect(sync.outbox.pending()).toMatchObject([{ recordId: 'orphan', attempts: 0, waiting: { code: 'WAITING' } }]);
  expect(await peer.sql('select id from items')).toEqual([{ id: 'a' }]);
  await sync.collection('lists').save({ slug: 'one' }, 'l2');
  await until('the double row is given up', () => sync.outbox.failed().length > 0);
  expect(sync.outbox.failed()).toMatchObject([{ recordId: 'l2', error: { code: 'CONFLICT' } }]);
  await sync.collection('lists').save({ slug: 'two' }, 'late');
  await client.live();
  expect((await peer.sql('select id from items order by id')).map(({ id }) => id)).toEqual(['a', 'orphan']);
});

test('a row that was marked as deleted is brought back by saving it again', async () => {
  const client = await openClient(peer, { todos: collections.todos });
  await client.live();
  const todos = client.sync.collection('todos');
  await todos.save({ text: 'first' }, 'a');
  await client.live();
  await todos.delete('a');
  await client.live();
  await todos.save({ text: 'second' }, 'a');
  await client.live();
  expect(await peer.sql('select id, text, deleted_at from todos')).toEqual([
    { id: 'a', text: 'second', deleted_at: null },
  ]);
});

test('half of a character is refused before it is sent, and alone: Hasura would store another one instead', async () => {
  const { state, fetch } = counting();
  const client = await openClient(peer, { tasks: collections.tasks }, { fetch });
  await client.live();
  const refused = client.sync.events.once('operationFailed');
  await client.sync.collection('tasks').saveMany([
    { id: 'cut', text: '😀'.slice(0, 1) },
    { id: 'whole', text: '😀' },
  ]);
  expect((await refused).error).toMatchObject({ code: 'VALIDATION_FAILED' });
  await client.live();
  expect(state.writes.join()).not.toContain('ud83d');
  expect(await peer.sql('select id, text from tasks')).toEqual([{ id: 'whole', text: '😀' }]);
});

test("a key that is a number and a list in an array column are written in the column's type, with introspection and without", async () => {
  for (const [index, tags] of ['tags', { type: 'array' } as const].entries()) {
    const asked: string[] = [];
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const introspects = String(init?.body).includes('__type');
      if (introspects) asked.push(String(init?.body));
      if (introspects && index === 1)
        return Response.json({
          errors: [{ message: 'introspection is disabled', extensions: { code: 'validation-failed' } }],
        });
      return globalThis.fetch(input, init);
    };
    const fields = { id: { column: 'id', type: 'Int' }, tags, meta: 'meta' } as const;
    const client = await openClient(peer, { typed: { fields } }, { fetch });
    const rows = client.sync.collection('typed');
    await client.live();
    const id = String(70 + index);
    await rows.save({ tags: ['a "quoted" one', 'b,c', 'd\\e', ''], meta: [1, { two: [2] }] }, id);
    await rows.save({ tags: null, meta: {} }, 'no number');
    await client.live();
    await rows.update(id, { tags: ['new'] });
    await client.live();
    expect(client.sync.outbox.failed()).toMatchObject([
      {
        recordId: 'no number',
        error: { code: 'VALIDATION_FAILED', message: expect.stringContaining('whole number') as string },
      },
    ]);
    expect(await peer.sql('select tags, meta from typed where id = $1', [id])).toEqual([
      { tags: ['new'], meta: [1, { two: [2] }] },
    ]);
    expect(await rows.get(id)).toMatchObject({ tags: ['new'], meta: [1, { two: [2] }] });
    expect(asked.length).toBe(1);
    await client.sync.close();
  }
});
