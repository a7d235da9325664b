import { afterAll, beforeAll, onTestFinished, test, vi } from 'vitest';
import { until } from '../until.js';
import { openClient } from './harness.js';
import { type Project, startProject, table, touch } from './peer.js';

const MINUTE = 60_000;

let project: Project;
beforeAll(async () => {
  project = await startProject({
    schema: `${touch} ${table('todos', true)} alter publication supabase_realtime drop table todos;`,
    delays: { publication: 300, resume: 400 },
  });
});
afterAll(() => project?.close());

/** What is to be done a minute from now, or later, waits until the test says that it is time. */
function holdMinutes(): () => void {
  const due: (() => void)[] = [];
  const { setTimeout } = globalThis;
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
    work: () => void,
    delay?: number,
    ...args: unknown[]
  ) => {
    if (delay !== MINUTE && delay !== 2 * MINUTE)
      return setTimeout(work as (...args: unknown[]) => void, delay, ...args);
    due.push(work);
    return undefined;
  }) as never);
  onTestFinished(() => spy.mockRestore());
  return () => {
    for (const work of due.splice(0)) work();
  };
}

/** Realtime reads by a slot for the database's changes, and by one for its own messages. */
async function isRead(): Promise<boolean> {
  const [slots] = await project.sql('select count(*)::int as count from pg_replication_slots where active');
  return slots?.count === 2;
}

test('the first table of an empty publication: what is committed until Realtime reads again is read', async () => {
  const letMinutesPass = holdMinutes();
  const client = await openClient(project, ['todos']);
  await until('the refusal', () => client.errors.length > 0);
  await project.sql('alter publication supabase_realtime add table todos');
  await client.live();
  // Before the look of Realtime, between the look and its word that all is well, and after that.
  let rows = 0;
  for (; !(await isRead()); rows++)
    await project.sql("insert into todos (id, text) values ($1, 'unread')", [`row ${rows}`]);
  letMinutesPass();
  await until('all rows', async () => (await client.rows('todos')).size === rows);
  await project.sql("insert into todos (id, text) values ('next', 'read')");
  await until('the next row', async () => (await client.rows('todos')).has('next'));
  await client.live();
});
