import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { losses } from '../firestore/losses.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { type Client, openClient, startLine, stored } from './clients.js';

const MINUTE = 60_000;
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** A short heartbeat, for short tests; not so short that a busy machine misses it. */
const heartbeatInterval = 2000;

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

const newProject = () => {
  const projectId = `f-${crypto.randomUUID()}`;
  return { projectId, hand: emulator.project(projectId) };
};

/** Waits until the client has what the backend has. */
async function same({ rows }: Client, expected: ReadonlyMap<string, unknown>, timeout = MINUTE): Promise<void> {
  await expect.poll(rows, { timeout, interval: 20 }).toEqual(expected);
}

/** No record was told of twice in the same way, and none came back. */
const twice = (told: readonly string[]): string[] => told.filter((event, index) => told.indexOf(event) !== index);

const loss = (client: Client): Promise<unknown> =>
  client.sync.events.once('realtimeDisconnected').then(() => performance.now());

test.each(losses)('a line that is lost: $how', async ({ begin, end }) => {
  const { projectId, hand } = newProject();
  await hand.writeAll(new Map(['a', 'b', 'c'].map((id) => [`todos/${id}`, { text: id }])));
  const line = await startLine(emulator);
  const client = await openClient(projectId, line.port, { heartbeatInterval });
  await client.live();

  const began = performance.now();
  const lost = loss(client);
  await begin(line);
  await hand.write('todos/a', { text: 'changed' });
  await hand.touch('todos/b', ['updatedAt', 'deletedAt']);
  await hand.write('todos/d', { text: 'new' });
  await client.todos.update('c', { text: 'mine' });
  await lost;
  const noticed = performance.now() - began;
  await end(line);
  const back = performance.now();
  await same(client, new Map(Object.entries({ a: 'changed', c: 'mine', d: 'new' })));
  await client.live();
  const consistent = performance.now() - back;
  console.log(`noticed after ${noticed.toFixed(0)} ms, consistent ${consistent.toFixed(0)} ms after the return`);
  await expect.poll(() => stored(hand)).toEqual(await client.rows());
  expect(twice(client.told)).toEqual([]);
  expect(client.told.filter((event) => event.startsWith('insert')).sort()).toEqual([
    'insert a',
    'insert b',
    'insert c',
    'insert d',
  ]);
});

test('the emulator is killed and started again, with what was written meanwhile', async () => {
  const { projectId, hand } = newProject();
  await hand.writeAll(new Map(['a', 'b'].map((id) => [`todos/${id}`, { text: id }])));
  const client = await openClient(projectId, emulator.port, { heartbeatInterval });
  await client.live();
  const lost = loss(client);
  const kept = await hand.all();
  await emulator.kill();
  await lost;
  await client.todos.save({ text: 'offline' }, 'mine');
  await client.todos.delete('a');
  await emulator.start();
  const back = performance.now();
  await hand.restore(kept);
  await hand.write('todos/c', { text: 'theirs' });
  // No promise of a time here: an emulator that has just started may leave a request without an answer, for the whole of its timeout.
  await same(client, new Map(Object.entries({ b: 'b', mine: 'offline', c: 'theirs' })));
  await client.live();
  console.log(`consistent ${(performance.now() - back).toFixed(0)} ms after the return`);
  await expect.poll(() => stored(hand)).toEqual(await client.rows());
  expect(twice(client.told)).toEqual([]);
});

test('pause and close while the client is being made', async () => {
  const { projectId, hand } = newProject();
  await hand.write('todos/a', { text: 'a' });
  for (let turns = 0; turns < 6; turns++) {
    const client = await openClient(projectId, emulator.port);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await client.sync.pause();
    client.sync.resume();
    if (turns % 2 === 0) await same(client, new Map([['a', 'a']]));
    await client.sync.close();
  }
});

test('5 000 documents written while away arrive once each', async () => {
  const { projectId, hand } = newProject();
  await hand.writeAll(new Map(['a', 'b'].map((id) => [`todos/${id}`, { text: id }])));
  const line = await startLine(emulator);
  const client = await openClient(projectId, line.port, { heartbeatInterval });
  await client.live();
  const lost = loss(client);
  await line.refuse();
  line.cut();
  await lost;
  const many = new Map(Array.from({ length: 5000 }, (_, index) => [`todos/n${index}`, { text: `n${index}` }]));
  await hand.writeAll(many);
  await line.accept();
  await expect.poll(() => client.told.length, { timeout: 2 * MINUTE }).toBe(5002);
  await client.live();
  expect((await client.rows()).size).toBe(5002);
  expect(twice(client.told)).toEqual([]);
});

test('hard deletes made while away are found', async () => {
  const { projectId, hand } = newProject();
  await hand.writeAll(new Map(['a', 'b', 'c'].map((id) => [`todos/${id}`, { text: id }])));
  const line = await startLine(emulator);
  const client = await openClient(projectId, line.port, { heartbeatInterval, collections: {} });
  await client.live();
  const lost = loss(client);
  await line.refuse();
  line.cut();
  await lost;
  await hand.delete('todos/a');
  await hand.delete('todos/b');
  await hand.write('todos/b', { text: 'again' });
  await line.accept();
  await same(client, new Map(Object.entries({ b: 'again', c: 'c' })));
  await client.live();
  expect(client.told).toEqual(['insert a', 'insert b', 'insert c', ...client.told.slice(3)]);
  expect(client.told.slice(3).sort()).toEqual(['delete a', 'update b']);
});

test('rules changed under a listener: an error, no delete; once they allow it again all is there', async () => {
  const { projectId, hand } = newProject();
  const rules = (allow: string): Promise<void> =>
    hand.rules(
      `service cloud.firestore { match /databases/{db}/documents { match /{name}/{id} { allow read, write: if ${allow}; } } }`,
    );
  await rules('true');
  await hand.write('todos/a', { text: 'a' });
  const client = await openClient(projectId, emulator.port, { heartbeatInterval });
  await client.live();
  const refused = client.sync.events.once('error', ({ error }) => error.code === 'SUBSCRIBE_REJECTED');
  await rules("name != 'todos'");
  // Firestore looks at the rules of a listener at its next write.
  await hand.write('todos/b', { text: 'b' });
  await refused;
  expect(await client.rows()).toEqual(new Map([['a', 'a']]));
  await rules('true');
  await client.sync.pause();
  client.sync.resume();
  await same(client, new Map(Object.entries({ a: 'a', b: 'b' })));
  expect(client.told).toEqual(['insert a', 'insert b']);
});

test.each([
  ['that are marked as deleted', { todos: { deletedAt: 'deletedAt' } }],
  ['that are deleted for good', {}],
])(
  'an own write is told of by nobody else, and what a first snapshot repeats is no insert: documents %s',
  async (_, collections) => {
    const { projectId, hand } = newProject();
    const client = await openClient(projectId, emulator.port, { collections });
    await client.live();
    const settled: string[] = [];
    client.sync.events.on('operationSynced', ({ recordId }) => void settled.push(recordId));
    await client.todos.save({ text: 'one' }, 'a');
    await client.live();
    await client.todos.update('a', { text: 'two' });
    await client.live();
    await client.todos.save({ text: 'short' }, 'b');
    await client.live();
    await client.todos.delete('b');
    await client.live();
    await hand.write('todos/end', { text: 'theirs' });
    await same(client, new Map(Object.entries({ a: 'two', end: 'theirs' })));
    expect(settled).toEqual(['a', 'a', 'b', 'b']);
    expect(client.told).toEqual(['insert end']);
    // Another listener, and another first snapshot, which holds all of it once more.
    await client.sync.pause();
    client.sync.resume();
    await client.live();
    await hand.write('todos/last', { text: 'theirs' });
    await expect.poll(() => client.told, { timeout: 2 * MINUTE }).toEqual(['insert end', 'insert last']);
  },
);
