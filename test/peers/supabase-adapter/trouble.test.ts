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
      `create table busy (code text);
       create function fails() returns trigger language plpgsql security definer as $$
         declare wanted text;
         begin
           select code into wanted from busy;
           if wanted is not null then raise exception using errcode = wanted; end if;
           return new;
         end $$;
       create trigger fails before insert or update on tasks for each row execute function fails();`,
    ].join('\n'),
  });
});
afterAll(() => project?.close());
beforeEach(() => project.sql('truncate todos, tasks'));

const idsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `row ${index}`);

test('the database crashes, and PostgREST answers some requests with 400 and an empty code: nothing is given up, and nothing fails', async () => {
  const statuses = new Set<number>();
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await briefFetch(input, init);
    statuses.add(response.status);
    return response;
  };
  const client = await openClient(project, ['tasks'], { fetch }, { maxRetries: 0 });
  await client.live();
  const { sync } = client;
  await project.stopPostgres({ crash: true });
  await sync.collection('tasks').saveMany(idsOf(20).map((id) => ({ id, text: 'mine' })));
  await until('both answers were given, to writes and to reads', async () => {
    await sync.syncNow().catch(() => undefined);
    return statuses.has(400) && statuses.has(503) && client.errors.length > 8;
  });
  expect(client.errors.map(({ code }) => code).filter((code) => /REJECTED/.test(code))).toEqual([]);
  await project.startPostgres();
  await client.live();
  expect(sync.outbox.failed()).toEqual([]);
  expect(await project.sql('select count(*)::int from tasks')).toEqual([{ count: 20 }]);
});

test('right after a migration PostgREST does not know the new column: the edit is held, others go, and it follows', async () => {
  const client = await openClient(project, ['todos', 'tasks'], {}, { maxRetries: 0 });
  await client.live();
  const { sync } = client;
  await project.holdSchema();
  await project.sql('alter table todos add column colour text');
  await sync.collection('todos').save({ text: 'x', colour: 'red' }, 'new');
  await until('it is listed as waiting', () => sync.outbox.pending()[0]?.waiting !== undefined);
  expect(sync.outbox.pending()).toMatchObject([
    { attempts: 0, waiting: { message: expect.stringContaining('PGRST204') } },
  ]);
  await sync.collection('tasks').save({ text: 'y' }, 'other');
  await until('the other edit is in', () => sync.status.pending === 1);
  await project.reloadSchema();
  await client.live();
  expect(sync.outbox.failed()).toEqual([]);
  expect(await project.sql('select id, colour from todos')).toEqual([{ id: 'new', colour: 'red' }]);
  await project.sql('alter table todos drop column colour');
});

test.each(['57014', '40001', '55P03', '53300'])(
  '%s to every write, as under a lock or overload: all waits, and arrives',
  async (code) => {
    const client = await openClient(project, ['tasks'], {}, { maxRetries: 0 });
    await client.live();
    const { sync } = client;
    await project.sql('insert into busy values ($1)', [code]);
    await sync.collection('tasks').saveMany(idsOf(20).map((id) => ({ id, text: 'mine' })));
    await until('several attempts', () => client.errors.filter(({ message }) => message.includes(code)).length > 6);
    await project.sql('truncate busy');
    await client.live();
    expect(sync.outbox.failed()).toEqual([]);
    expect(await project.sql('select count(*)::int from tasks')).toEqual([{ count: 20 }]);
  },
);
