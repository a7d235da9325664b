import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { openClient } from './clients.js';

// An emulator that has just started is slow at first, and more so on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

const [one, two, top, made] = [
  'posts/p1/comments/a',
  'posts/p2/comments/a',
  'comments/top',
  'posts/p3/comments/n',
] as const;

test.each([
  ['marked as deleted', { deletedAt: 'deletedAt' }],
  ['deleted for good', {}],
])('a collection group, %s: read by pages, live, edited, deleted, and compared', async (kind, options) => {
  const project = `group-${Object.keys(options).length}`;
  const hand = emulator.project(project);
  // In one commit, so that all have one time: only the paths tell where a page ends.
  await hand.writeAll(new Map([one, two, top].map((path) => [path, { text: path }])));
  await hand.write('posts/p1/other/x', { text: 'no comment' });
  const collections = { todos: { table: 'comments', group: true, ...options } };
  const client = await openClient(project, emulator.port, { collections }, { pageSize: 1 });
  await client.live();
  const shown = async (): Promise<Record<string, unknown>> =>
    Object.fromEntries((await client.todos.getAll()).map(({ id, ...row }) => [id, (row as { text?: unknown }).text]));
  expect(await shown()).toEqual({ [one]: one, [two]: two, [top]: top });

  const heard = client.sync.events.once('remoteUpdate', ({ recordId }) => recordId === two);
  await hand.write(two, { text: 'by another' });
  await heard;

  await client.todos.save({ text: 'made here' }, made);
  await client.todos.update(one, { text: 'changed here' });
  await client.todos.delete(top);
  await client.live();
  expect(await shown()).toEqual({ [one]: 'changed here', [two]: 'by another', [made]: 'made here' });
  const stored = new Map(
    (await hand.all()).map(({ name, fields }) => [name.replace(/^.*\/documents\//, ''), fields?.text?.stringValue]),
  );
  expect(stored.get(one)).toBe('changed here');
  expect(stored.get(made)).toBe('made here');
  if (kind === 'deleted for good') expect(stored.has(top)).toBe(false);

  const refused = client.sync.events.once('operationFailed');
  const id = await client.todos.save({ text: 'nowhere' });
  expect((await refused).error.message).toContain(`no document of the group "comments"`);
  expect(client.sync.outbox.failed()).toMatchObject([{ recordId: id }]);

  // What goes while nobody listens.
  await client.sync.pause();
  if (kind === 'deleted for good') await hand.delete(two);
  else await hand.touch(two, ['deletedAt', 'updatedAt']);
  client.sync.resume();
  await client.live();
  expect(Object.keys(await shown()).sort()).toEqual([made, one].sort());
  expect(client.errors).toEqual([]);
});
