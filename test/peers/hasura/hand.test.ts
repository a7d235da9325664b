import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, listen, openClient } from './client.js';
import { allowed, createHand, table, touch } from './hand.js';
import { type HasuraProject, startHasuraProject } from './project.js';

let project: HasuraProject;
beforeAll(async () => {
  project = await startHasuraProject({
    schema: touch + table('todos', true) + table('tasks', false),
    permissions: { user: { todos: allowed, tasks: allowed } },
    pollInterval: 25,
  });
});
afterAll(() => project?.close());

const row = { text: 'Milk', done: false, count: 1 };
const live = 'subscription { tasks { id text } }';

test('it writes, reads and deletes in both ways, and a write may be older than its commit', async () => {
  for (const [name, soft] of [
    ['todos', true],
    ['tasks', false],
  ] as const) {
    const hand = await createHand(project, ['todos', 'tasks'], soft);
    await hand.write(name, 'a', row);
    await hand.write(name, 'b', { ...row, count: 2 }, { age: 60_000 });
    expect([...(await hand.read(name))]).toEqual([
      ['a', { id: 'a', ...row }],
      ['b', { id: 'b', ...row, count: 2 }],
    ]);
    const answer = await ask(project, `{ ${name}(order_by: { updated_at: asc }) { id } }`);
    expect(answer.data?.[name]).toEqual([{ id: 'b' }, { id: 'a' }]);
    await hand.delete(name, 'a');
    expect([...(await hand.read(name)).keys()]).toEqual(['b']);
    expect((await project.sql(`select id from ${name}`)).length).toBe(soft ? 2 : 1);
  }
});

test('it cuts, and restarts server and database on the same port and data', async () => {
  const hand = await createHand(project, ['todos', 'tasks'], false);
  await hand.write('tasks', 'a', row);
  const client = openClient(project);
  const listener = listen(client, live);
  await listener.result(0);
  await hand.cut();
  await expect(listener.ended).rejects.toMatchObject({ code: 1006 });
  await hand.restart?.();
  const again = openClient(project, { authorization: `Bearer ${await project.token()}` });
  expect(await listen(again, live).result(0)).toEqual({ data: { tasks: [{ id: 'a', text: 'Milk' }] } });
  await Promise.all([client.dispose(), again.dispose()]);
});

test('a right that is taken away closes sockets with 1012, and the role then sees no such field', async () => {
  const token = await project.token();
  const headers = { authorization: `Bearer ${token}` };
  const client = openClient(project, headers);
  const listener = listen(client, live);
  await listener.result(0);
  await project.permit('user', 'tasks', 'select', undefined);
  await expect(listener.ended).rejects.toMatchObject({ code: 1012 });
  await expect(listen(openClient(project, headers), live).ended).rejects.toMatchObject([
    { message: "field 'tasks' not found in type: 'subscription_root'", extensions: { code: 'validation-failed' } },
  ]);
  await project.permit('user', 'tasks', 'select', allowed.select);
  expect(await ask(project, '{ tasks { id } }', {}, headers)).toMatchObject({ data: { tasks: expect.any(Array) } });
});
