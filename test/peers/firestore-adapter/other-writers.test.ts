import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { openClient, stored } from './clients.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());
afterEach(() => vi.restoreAllMocks());

const HOUR = 3_600_000;
const kinds = [
  { kind: 'marked as deleted', collection: { deletedAt: 'deletedAt' } },
  { kind: 'deleted for good', collection: {} },
] as const;
let projects = 0;

/** A client of a project of its own, once it is live; and another app, which writes as it likes. */
async function opened(
  collection: object,
  documents: readonly (readonly [id: string, text: string, age: number])[] = [],
) {
  const projectId = `writers-${++projects}`;
  const hand = emulator.project(projectId);
  for (const [id, text, age] of documents) await hand.write(`todos/${id}`, { text }, { age });
  const messages: string[] = [];
  const client = await openClient(projectId, emulator.port, { collections: { todos: collection } });
  client.sync.events.on('error', ({ error }) => void messages.push(error.message));
  await client.live();
  const shows = (id: string, text: unknown) =>
    expect.poll(async () => (await client.rows()).get(id), { timeout: 20_000 }).toBe(text);
  return { ...client, hand, messages, shows };
}

describe.each(kinds)('documents $kind', ({ collection }) => {
  test('a time that goes back is what the backend shows now, and an edit goes on from there', async () => {
    const { hand, shows, todos, live, sync } = await opened(collection, [['a', 'ahead', -HOUR]]);
    await shows('a', 'ahead');
    await hand.write('todos/a', { text: 'now' });
    await shows('a', 'now');
    const { reads } = sync.metrics();
    await todos.update('a', { text: 'mine' });
    await live();
    expect((await stored(hand)).get('a')).toBe('mine');
    expect(sync.metrics().reads - reads).toBeLessThan(20);
  });

  test('so is one that went back while nobody listened, for an edit that was made meanwhile', async () => {
    const { hand, shows, todos, live, sync } = await opened(collection, [['a', 'ahead', -HOUR]]);
    await shows('a', 'ahead');
    await sync.pause();
    await hand.write('todos/a', { text: 'restored' }, { age: HOUR });
    await todos.update('a', { done: true });
    const { reads } = sync.metrics();
    sync.resume();
    await live();
    await shows('a', 'restored');
    expect(await todos.get('a')).toMatchObject({ text: 'restored', done: true });
    expect(sync.metrics().reads - reads).toBeLessThan(40);
  });

  test('a device whose clock is ahead, and one time from it, hide nothing of others', async () => {
    const real = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => real() + HOUR);
    // The age is by the clock of this device, as another app on it would write.
    const { hand, shows, sync, live } = await opened(collection, [
      ['a', 'old', 2 * HOUR],
      ['mine', 'by this clock', 0],
    ]);
    await hand.write('todos/ahead', { text: 'ahead' }, { age: 1 });
    await shows('ahead', 'ahead');
    await hand.write('todos/b', { text: 'theirs' });
    await shows('b', 'theirs');
    await sync.pause();
    await hand.write('todos/c', { text: 'while away' });
    sync.resume();
    await live();
    await shows('c', 'while away');
    await hand.write('todos/d', { text: 'live' });
    await shows('d', 'live');
  });
});

test('a change that leaves its time alone is taken, and reported once', async () => {
  const { hand, shows, messages, todos } = await opened({}, [
    ['a', 'one', HOUR],
    ['b', 'two', HOUR],
  ]);
  const { documents } = { documents: await hand.all() };
  const changed = documents.map((document) => ({
    ...document,
    fields: { ...document.fields, text: { stringValue: 'changed' } },
  }));
  await hand.restore(changed);
  await shows('a', 'changed');
  await shows('b', 'changed');
  await expect.poll(() => messages.filter((message) => message.includes('version was not'))).toHaveLength(1);
  expect(messages.join()).toContain('synclayer doctor');
  await todos.update('a', { text: 'mine' });
  await expect.poll(async () => (await stored(hand)).get('a'), { timeout: 20_000 }).toBe('mine');
});

test('a change that left its time alone while nobody listened is taken at the next start', async () => {
  const { hand, shows, sync, live } = await opened({}, [['a', 'one', HOUR]]);
  await sync.pause();
  const [document] = await hand.all();
  if (document) await hand.restore([{ ...document, fields: { ...document.fields, text: { stringValue: 'changed' } } }]);
  sync.resume();
  await live();
  await shows('a', 'changed');
});

test.each([
  { what: 'no time at all', stamp: { field: null }, raw: {} },
  { what: 'a number for a time', stamp: { field: null }, raw: { updatedAt: { integerValue: '5' } } },
  { what: 'a text for a time', stamp: { field: null }, raw: { updatedAt: { stringValue: '2026-01-01' } } },
])('documents with $what are reported once, with where to look', async ({ stamp, raw }) => {
  for (const { collection } of kinds) {
    const projectId = `writers-${++projects}`;
    const hand = emulator.project(projectId);
    for (const id of ['a', 'b']) await hand.write(`todos/${id}`, { text: 'x' }, stamp, raw);
    const messages: string[] = [];
    const client = await openClient(projectId, emulator.port, { collections: { todos: collection } });
    client.sync.events.on('error', ({ error }) => void messages.push(error.message));
    await client.live();
    await expect.poll(() => messages, { timeout: 20_000 }).toHaveLength(1);
    expect(messages[0]).toMatch(/"todos".*"updatedAt" is no timestamp.*serverTimestamp.*synclayer doctor/);
    await client.sync.close();
  }
});

test('so are those among others, by the first comparison, with how many', async () => {
  const projectId = `writers-${++projects}`;
  const hand = emulator.project(projectId);
  await hand.write('todos/a', { text: 'x' });
  for (const id of ['b', 'c']) await hand.write(`todos/${id}`, { text: 'x' }, { field: null });
  const messages: string[] = [];
  const collections = { todos: { deletedAt: 'deletedAt' } };
  const client = await openClient(projectId, emulator.port, { collections }, { auditInterval: 1000 });
  client.sync.events.on('error', ({ error }) => void messages.push(error.message));
  await client.live();
  await expect.poll(() => messages, { timeout: 20_000 }).toHaveLength(1);
  expect(messages[0]).toMatch(/^2 documents of "todos"/);
});
