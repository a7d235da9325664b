import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SyncLayerError, SyncStatus } from '../../../src/index.js';

/** The chunk that works with the backend: an app that is offline cannot fetch it, nor one whose server has a new version. */
const chunk = '../../../src/sync/work.js';

beforeEach(() => void vi.resetModules());
afterEach(() => void vi.doUnmock(chunk));

const unreachable = (): void =>
  void vi.doMock(chunk, () => {
    throw new TypeError('Failed to fetch dynamically imported module');
  });

async function setUp(config: { readonly enableRealtimeSync?: boolean } = {}) {
  const { createSyncLayer, memoryStore } = await import('../../../src/index.js');
  const { memoryBackend, memoryTransport } = await import('../../../src/testing/index.js');
  const backend = memoryBackend();
  const store = memoryStore();
  const open = async () => {
    const transport = memoryTransport({ backend });
    const sync = await createSyncLayer({
      ...{ transport, store, collections: ['todos'], websocketReconnectDelay: 10, syncInterval: 3_600_000 },
      ...config,
    });
    const errors: SyncLayerError[] = [];
    sync.events.on('error', ({ error }) => void errors.push(error));
    /** Resolves once this is the status. */
    const reaches = (phase: SyncStatus['phase'], pending: number): Promise<void> =>
      new Promise((resolve) => {
        const look = (status: SyncStatus): void => {
          if (status.phase === phase && status.pending === pending) resolve();
        };
        sync.events.on('statusChanged', look);
        look(sync.status);
      });
    return { sync, errors, reaches, todos: sync.collection('todos') };
  };
  return { open, backend };
}

test.each([
  ['live', true],
  ['polling', false],
] as const)(
  'what works with the backend cannot be loaded: no edit is lost, one reason is reported, and all goes on by itself (%s)',
  async (phase, enableRealtimeSync) => {
    unreachable();
    const { open, backend } = await setUp({ enableRealtimeSync });
    backend.write('todos', 'theirs', { text: 'Bread' });
    const { sync, errors, reaches, todos } = await open();
    const seen: number[] = [];
    todos.watch((rows) => void seen.push(rows.length));
    for (let edit = 0; edit < 50; edit += 1) await todos.save({ text: `Milk ${edit}` }, `mine${edit % 5}`);
    await reaches('offline', 5);
    await expect(sync.syncNow()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect(seen.at(-1)).toBe(5);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['CONNECTION_LOST']));

    vi.doUnmock(chunk);
    await reaches(phase, 0);
    expect([...backend.rows('todos').keys()].sort()).toEqual(['mine0', 'mine1', 'mine2', 'mine3', 'mine4', 'theirs']);
    expect(await todos.get('theirs')).toEqual({ id: 'theirs', text: 'Bread' });
    expect(backend.get('todos', 'mine4')?.data).toEqual({ id: 'mine4', text: 'Milk 49' });
    await sync.close();
  },
);

test('edits of a run in which it never came are sent by the next', async () => {
  unreachable();
  const { open, backend } = await setUp();
  const first = await open();
  await first.todos.save({ text: 'Milk' }, '1');
  await first.todos.save({ text: 'Bread' }, '2');
  await first.todos.delete('2');
  await first.sync.close();
  expect(first.sync.status.phase).toBe('closed');
  expect(backend.seq).toBe(0);

  vi.doUnmock(chunk);
  const next = await open();
  expect(await next.todos.get('1')).toEqual({ id: '1', text: 'Milk' });
  await next.reaches('live', 0);
  expect([...backend.rows('todos').values()]).toEqual([{ id: '1', text: 'Milk' }]);
  await next.sync.close();
});

test('while it is on its way for ever, the app works on its local data, and can be paused and closed', async () => {
  vi.doMock(chunk, () => new Promise<never>(() => undefined));
  const { open, backend } = await setUp();
  const { sync, todos } = await open();
  await todos.save({ text: 'Milk' }, '1');
  expect(await todos.get('1')).toEqual({ id: '1', text: 'Milk' });
  await sync.pause();
  sync.resume();
  const synced = sync.syncNow();
  const stopped = expect(synced).rejects.toMatchObject({ code: 'CLOSED' });
  await sync.clear();
  await todos.save({ text: 'Bread' }, '2');
  await sync.close();
  await stopped;
  expect(backend.seq).toBe(0);
});
