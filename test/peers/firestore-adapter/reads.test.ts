import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import { memoryStore } from '../../../src/index.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { openClient, startLine } from './clients.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

const MANY = 200;
const HOUR = 3_600_000;

test('a resumed client with nothing new reads next to nothing; what it reads is counted', async () => {
  const projectId = 'reads';
  const hand = emulator.project(projectId);
  const text = 'x'.repeat(1000);
  for (let index = 0; index < MANY; index++)
    await hand.write(`todos/n${index}`, { text }, { age: 2 * HOUR - index * 30_000 });
  const line = await startLine(emulator);
  const store = memoryStore();

  /** Opens the app, until nothing more is to do; its reads by its own count, and in bytes on the line. */
  async function visit(work: (client: Awaited<ReturnType<typeof openClient>>) => Promise<unknown> = async () => {}) {
    const before = line.bytes.down;
    const client = await openClient(projectId, line.port, {}, { store });
    await client.live();
    await work(client);
    const { size } = await client.rows();
    const { reads } = client.sync.metrics();
    await client.sync.close();
    return { reads, size, bytes: line.bytes.down - before };
  }

  const first = await visit();
  expect(first.size).toBe(MANY);
  expect(first.reads).toBeGreaterThanOrEqual(MANY);
  expect(first.bytes).toBeGreaterThan(MANY * text.length);

  const resumed = await visit();
  expect(resumed.size).toBe(MANY);
  // The heartbeat of the connect, the newest document, for the listener and for the pull, and what ends the pull.
  expect(resumed.reads).toBeLessThanOrEqual(6);
  expect(resumed.bytes).toBeLessThan(first.bytes / 10);

  const changed = await visit(async ({ told }) => {
    await hand.write('todos/n7', { text: 'new' });
    await expect.poll(() => told, { timeout: 120_000 }).toEqual(['update n7']);
  });
  expect(changed.reads).toBe(resumed.reads + 1);

  const edited = await visit(async (client) => {
    await client.todos.update('n8', { text: 'mine' });
    await client.live();
  });
  // Read before the write, after it, and by the listener.
  expect(edited.reads - resumed.reads).toBeLessThanOrEqual(4);
  console.log(
    `documents read: first ${first.reads}, resumed ${resumed.reads}, an edit ${edited.reads - resumed.reads}`,
  );
});

test('a read that is longer on its way than a request may take comes through all the same', async () => {
  const hand = emulator.project('slow');
  const text = 'x'.repeat(10_000);
  await hand.writeAll(new Map(Array.from({ length: 50 }, (_, index) => [`todos/n${index}`, { text }])));
  const line = await startLine(emulator);
  // A page is 500 kB: 5 s.
  line.set({ bytesPerSecond: 100_000 });
  const emulatorAt = `127.0.0.1:${line.port}`;
  const transport = firestoreTransport({ config: { projectId: 'slow' }, emulator: emulatorAt, requestTimeout: 2000 });
  onTestFinished(() => transport.close());
  const { signal } = new AbortController();
  const read = () => transport.pull({ collection: 'todos', cursor: null, start: true, limit: 100, signal });
  let late = 0;
  const lost = (error: { readonly code: string }): undefined => {
    if (error.code !== 'CONNECTION_LOST') throw error;
    late += 1;
  };
  let page = await read().catch(lost);
  while (!page) page = await read().catch(lost);
  expect(page.changes).toHaveLength(50);
  expect(late).toBeGreaterThan(0);
});

test('a link that is lost between two pages of keys does not begin with the first one again', async () => {
  const hand = emulator.project('keys');
  await hand.writeAll(new Map(Array.from({ length: 1500 }, (_, index) => [`todos/n${index}`, { text: 'x' }])));
  const line = await startLine(emulator);
  const transport = firestoreTransport({
    config: { projectId: 'keys' },
    emulator: `127.0.0.1:${line.port}`,
    requestTimeout: 5000,
  });
  onTestFinished(() => transport.close());
  const { signal } = new AbortController();
  const ids: string[] = [];
  let heardAgain: Promise<void> = Promise.resolve();
  for await (const page of transport.keys?.('todos', { signal }) ?? []) {
    ids.push(...page.map(({ recordId }) => recordId));
    if (ids.length !== 1000) continue;
    line.set({ blackHole: true });
    const before = line.accepted;
    // The link is given up, and a new one is made.
    heardAgain = expect
      .poll(() => line.accepted, { timeout: 120_000 })
      .toBeGreaterThan(before)
      .then(() => line.set({ blackHole: false }));
  }
  await heardAgain;
  expect([ids.length, new Set(ids).size]).toEqual([1500, 1500]);
});
