import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../until.js';
import { openClient } from './harness.js';
import { briefFetch, type Project, startProject, table, touch } from './peer.js';

let project: Project;
beforeAll(async () => {
  project = await startProject({
    schema: [
      touch,
      table('todos', true),
      table('tasks', false),
      `create table lists (id text primary key, slug text unique, updated_at timestamptz not null default now());
       create trigger touch before insert or update on lists for each row execute function touch();
       create table items (id text primary key, list text not null references lists, updated_at timestamptz not null default now());
       create trigger touch before insert or update on items for each row execute function touch();
       alter publication supabase_realtime add table lists, items;
       create function moody() returns trigger language plpgsql as $$
         begin
           if new.text = 'deadlock' then raise exception using errcode = '40P01'; end if;
           return new;
         end $$;
       create trigger moody before update on tasks for each row execute function moody();`,
    ].join('\n'),
  });
});
afterAll(() => project?.close());
beforeEach(async () => {
  await project.sql('truncate todos, tasks, lists, items');
});

/** Counts the requests that write, by method. */
function counting() {
  const writes: string[] = [];
  const fetch: typeof globalThis.fetch = (input, init) => {
    if (init?.method !== 'GET') writes.push(init?.method ?? '');
    return briefFetch(input, init);
  };
  return { writes, fetch };
}

const texts = async (name: string): Promise<unknown> =>
  Object.fromEntries((await project.sql(`select id, text from ${name} order by id`)).map(({ id, text }) => [id, text]));

test('200 inserts are one request, 200 equal updates and 200 deletes a few', async () => {
  for (const name of ['todos', 'tasks']) {
    const { writes, fetch } = counting();
    const client = await openClient(project, [name], {
      fetch,
      collections: { todos: { deletedAt: 'deleted_at' } },
    });
    await client.live();
    const rows = client.sync.collection(name);
    const ids = Array.from({ length: 200 }, (_, index) => `row ${index}`);
    await rows.saveMany(ids.map((id) => ({ id, text: id })));
    await client.live();
    expect(writes.splice(0)).toEqual(['POST']);
    await client.sync.pause();
    for (const id of ids) await rows.update(id, { done: true });
    client.sync.resume();
    await client.live();
    const updates = writes.splice(0);
    expect(updates.length).toBeLessThanOrEqual(10);
    expect(new Set(updates)).toEqual(new Set(['PATCH']));
    expect(await project.sql(`select count(*)::int from ${name} where done`)).toEqual([{ count: 200 }]);
    await client.sync.pause();
    await rows.deleteMany(ids);
    client.sync.resume();
    await client.live();
    expect(writes.splice(0).length).toBeLessThanOrEqual(10);
    const left = name === 'todos' ? 'where deleted_at is null' : '';
    expect(await project.sql(`select count(*)::int from ${name} ${left}`)).toEqual([{ count: 0 }]);
    await client.sync.close();
  }
});

test('one bad row of many is kept aside alone', async () => {
  const { writes, fetch } = counting();
  const client = await openClient(project, ['tasks'], { fetch });
  await client.live();
  const tasks = client.sync.collection('tasks');
  await tasks.saveMany(
    Array.from({ length: 64 }, (_, index) => ({ id: `row ${index}`, text: index === 40 ? 'refused' : 'fine' })),
  );
  await client.live();
  expect(client.sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['row 40']);
  expect(await project.sql('select count(*)::int from tasks')).toEqual([{ count: 63 }]);
  expect(writes.length).toBeLessThanOrEqual(1 + 2 * 6);
});

test('a row that was deleted softly can be created again, by its id', async () => {
  const client = await openClient(project, ['todos'], { collections: { todos: { deletedAt: 'deleted_at' } } });
  await client.live();
  const todos = client.sync.collection('todos');
  for (const text of ['first', 'second', 'third']) {
    await todos.save({ text }, 'again');
    await client.live();
    expect(await project.sql("select text, deleted_at from todos where id = 'again'")).toEqual([
      { text, deleted_at: null },
    ]);
    await todos.delete('again');
    await client.live();
    expect(await project.sql('select deleted_at is not null as gone from todos')).toEqual([{ gone: true }]);
  }
  expect(client.sync.outbox.failed()).toEqual([]);
});

test('answers cut off in the middle: each edit is in the database once, and nothing is given up', async () => {
  const client = await openClient(project, ['tasks'], { fetch: briefFetch });
  await client.live();
  const tasks = client.sync.collection('tasks');
  await client.sync.pause();
  for (let index = 0; index < 30; index++) await tasks.save({ text: 'new', count: index }, `row ${index}`);
  let cuts = 0;
  client.sync.resume();
  for (const bytes of [2500, 4000, 6000, 9000]) {
    await Promise.race([
      project.proxy.cutAfter(bytes, { direction: 'down', reset: true }).then(() => cuts++),
      client.live(),
    ]);
  }
  await client.live();
  await client.sync.pause();
  for (let index = 0; index < 30; index++) await tasks.update(`row ${index}`, { text: `edit ${index}` });
  await tasks.delete('row 7');
  client.sync.resume();
  for (const bytes of [3000, 7000, 12_000])
    await Promise.race([
      project.proxy.cutAfter(bytes, { direction: 'down', reset: true }).then(() => cuts++),
      client.live(),
    ]);
  await client.live();
  expect(cuts).toBeGreaterThan(0);
  expect(client.sync.outbox.failed()).toEqual([]);
  const expected = Array.from({ length: 30 }, (_, index) => [`row ${index}`, `edit ${index}`]);
  expect(await texts('tasks')).toEqual(Object.fromEntries(expected.filter(([id]) => id !== 'row 7')));
});

test('a child whose parent is still on its way goes after it; one without a parent is held until it comes', async () => {
  const client = await openClient(project, ['items', 'lists'], {}, { maxRetries: 0 });
  await client.live();
  const { sync } = client;
  await sync.pause();
  // The child was made first.
  await sync.collection('items').save({ list: 'l' }, 'i');
  await sync.collection('lists').save({ slug: 's' }, 'l');
  await sync.collection('items').save({ list: 'late' }, 'orphan');
  sync.resume();
  await until(
    'the orphan is listed as waiting',
    () => sync.outbox.pending().length === 1 && sync.outbox.pending()[0]?.waiting !== undefined,
  );
  expect(sync.outbox.pending()).toMatchObject([
    {
      recordId: 'orphan',
      attempts: 0,
      waiting: { code: 'WAITING', message: expect.stringContaining('items_list_fkey') },
    },
  ]);
  expect(await project.sql('select id from items')).toEqual([{ id: 'i' }]);
  // Somebody else makes the parent; another edit of ours is taken.
  await project.sql("insert into lists (id, slug) values ('late', 'x')");
  await sync.collection('lists').save({ slug: 'y' }, 'other');
  await client.live();
  expect(sync.outbox.failed()).toEqual([]);
  expect((await project.sql('select id from items order by id')).map(({ id }) => id)).toEqual(['i', 'orphan']);
});

test('a deadlock, a statement timeout or Postgres away is no reason to give an edit up, nor to hold others up for good', async () => {
  await project.sql("insert into tasks (id, text) values ('a', 'x'), ('b', 'x')");
  const { writes, fetch } = counting();
  const client = await openClient(project, ['tasks'], { fetch }, { maxRetries: 0 });
  await client.live();
  const tasks = client.sync.collection('tasks');
  await client.sync.pause();
  await tasks.update('a', { text: 'deadlock' });
  await tasks.update('b', { text: 'first' });
  client.sync.resume();
  await until('the other edit is in', () => client.sync.status.pending === 1);
  expect(await texts('tasks')).toEqual({ a: 'x', b: 'first' });
  await project.stopPostgres();
  writes.length = 0;
  await tasks.update('b', { text: 'mine' });
  await until(
    'several attempts',
    () => writes.length > 4,
    () => [writes, client.sync.inspect(), client.errors.map(({ message }) => message)],
  );
  await project.startPostgres();
  await until('it is in', () => client.sync.status.pending === 1);
  expect(await texts('tasks')).toEqual({ a: 'x', b: 'mine' });
  expect(client.sync.outbox.failed()).toEqual([]);
  expect(client.sync.outbox.pending().map(({ recordId }) => recordId)).toEqual(['a']);
});

test('two clients write many rows crosswise: each conflict is settled, and both end with the same', async () => {
  const ids = Array.from({ length: 40 }, (_, index) => `row ${index}`);
  await project.sql('insert into tasks (id, text, count) select unnest($1::text[]), $2, 0', [ids, 'x']);
  const clients = await Promise.all([0, 1].map(() => openClient(project, ['tasks'], { fetch: briefFetch })));
  for (const client of clients) await client.live();
  await Promise.all(
    clients.map(async ({ sync }, who) => {
      for (const id of who === 0 ? ids : [...ids].reverse())
        await sync.collection('tasks').update(id, who === 0 ? { text: 'of one' } : { done: true });
    }),
  );
  for (const client of clients) await client.live();
  await until('all rows have both edits', async () =>
    (await Promise.all(clients.map(({ rows }) => rows('tasks')))).every((rows) =>
      [...rows.values()].every(({ text, done }) => text === 'of one' && done === true),
    ),
  );
  expect(await project.sql("select count(*)::int from tasks where text = 'of one' and done")).toEqual([{ count: 40 }]);
});

test('half of a character is refused before it is sent, and alone', async () => {
  const client = await openClient(project, ['tasks']);
  await client.live();
  const refused = client.sync.events.once('operationFailed');
  await client.sync.collection('tasks').saveMany([
    { id: 'cut', text: '😀'.slice(0, 1) },
    { id: 'whole', text: '😀' },
  ]);
  expect((await refused).error).toMatchObject({ code: 'VALIDATION_FAILED' });
  await client.live();
  expect(await project.sql("select id, text from tasks where id in ('cut', 'whole')")).toEqual([
    { id: 'whole', text: '😀' },
  ]);
});
