import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import { ConflictResolvers, createSyncLayer, type SyncLayerConfig } from '../../../src/index.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { until } from '../until.js';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

async function open(projectId: string, config: Partial<SyncLayerConfig> = {}, lose?: () => Promise<boolean>) {
  const transport = firestoreTransport({
    config: { projectId, apiKey: 'none' },
    emulator: `${emulator.host}:${emulator.port}`,
    collections: { todos: { deletedAt: 'deletedAt', opId: 'opId', editedAt: 'editedAt' } },
  });
  const sync = await createSyncLayer({
    ...config,
    collections: ['todos'],
    enableRealtimeSync: false,
    enableAutoSync: false,
    syncInterval: 3_600_000,
    transport: {
      ...transport,
      async push(changes, options) {
        const results = await transport.push(changes, options);
        if (await lose?.()) throw new Error('The test lost this answer.');
        return results;
      },
    },
  } as SyncLayerConfig);
  onTestFinished(() => sync.close());
  return { sync, todos: sync.collection('todos') };
}

test('a counter is summed right although the answer was lost and somebody else counted since', async () => {
  const other = await open('summed');
  await other.todos.save({ count: 5 }, 'a');
  await other.sync.syncNow();
  let lost = false;
  const counting = {
    conflictStrategy: 'custom',
    customConflictResolver: ConflictResolvers.sumNumbers(['count']),
  } as const;
  const client = await open('summed', counting, async () => {
    if (lost) return false;
    lost = true;
    await other.sync.syncNow();
    await other.todos.update('a', { count: ((await other.todos.get('a'))?.count as number) + 10 });
    await other.sync.syncNow();
    return true;
  });
  await client.sync.syncNow();
  await client.todos.update('a', { count: 6 });
  await client.sync.syncNow().catch(() => undefined);
  await client.sync.syncNow();
  await until('the answer', () => client.sync.status.pending === 0);
  await other.sync.syncNow();
  expect([await client.todos.get('a'), await other.todos.get('a')]).toEqual([
    { id: 'a', count: 16 },
    { id: 'a', count: 16 },
  ]);
});

test.each([
  [-3_600_000, 'has written'],
  [3_600_000, 'has written'],
  [-3_600_000, 'has only read'],
  [3_600_000, 'has only read'],
])('the later edit wins although the clock of a device is off by %i ms, which %s', async (off, how) => {
  const projectId = `clock${off}-${how.length}`;
  const [right, wrong] = [await open(projectId), await open(projectId)];
  await right.todos.save({ first: 'base', second: 'base' }, 'a');
  await right.sync.syncNow();
  const real = Date.now.bind(Date);
  /** Does something on a device whose clock shows another time. */
  const shifted = async <T>(ms: number, work: () => Promise<T>): Promise<T> => {
    const spy = vi.spyOn(Date, 'now').mockImplementation(() => real() + ms);
    try {
      return await work();
    } finally {
      spy.mockRestore();
    }
  };
  const offDevice = <T>(work: () => Promise<T>): Promise<T> => shifted(off, work);
  // Its own write shows it the server's clock, and so does a document that it reads.
  await offDevice(async () => {
    await wrong.sync.syncNow();
    if (how === 'has only read') return;
    await wrong.todos.save({ mine: true }, 'b');
    await wrong.sync.syncNow();
  });
  const ago = (seconds: number): number => -1000 * seconds;
  await shifted(off + ago(60), () => wrong.todos.update('a', { first: 'earlier' }));
  await shifted(ago(40), () => right.todos.update('a', { first: 'later', second: 'earlier' }));
  await shifted(off + ago(20), () => wrong.todos.update('a', { second: 'later' }));
  await right.sync.syncNow();
  await offDevice(() => wrong.sync.syncNow());
  await right.sync.syncNow();
  const row = { id: 'a', first: 'later', second: 'later' };
  expect([await right.todos.get('a'), await wrong.todos.get('a')]).toEqual([row, row]);
});
