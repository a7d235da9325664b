import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Row } from '../../../src/change.js';
import {
  ConflictResolvers,
  createSyncLayer,
  memoryStore,
  type SyncLayerConfig,
  SyncLayerError,
} from '../../../src/index.js';
import {
  type MemoryBackend,
  type MemoryTransportOptions,
  type MemoryWire,
  memoryBackend,
  memoryTransport,
} from '../../../src/testing/index.js';
import { closed, fakeTimers, lost, type Sync, watchedStore } from './harness.js';

/*
 * Three clients do random things over a backend that does random wrong. In the end, when every line works again, all must
 * hold what the backend holds. Time is fake, so a run depends on its seed alone:
 * `SYNCLAYER_SEED=<seed> SYNCLAYER_PATH=<path> npx vitest run test/conformance/laws/convergence.test.ts` repeats one.
 */
const replay = {
  ...(process.env.SYNCLAYER_SEED && { seed: Number(process.env.SYNCLAYER_SEED) }),
  ...(process.env.SYNCLAYER_PATH && { path: process.env.SYNCLAYER_PATH }),
};

const CLIENTS = 3;
const who = fc.nat({ max: CLIENTS - 1 });
const id = fc.constantFrom('a', 'b', 'c', 'd');
const field = fc.constantFrom('x', 'y', 'z');
const value = fc.nat({ max: 3 });

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('save' as const), who, id, row: fc.dictionary(field, value) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('update' as const), who, id, field, value }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), who, id }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('write elsewhere' as const), id, row: fc.dictionary(field, value) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete elsewhere' as const), id }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(0, 0, 5, 50, 2000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'gap' as const, 'live' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('deliver' as const), who, on: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose answers' as const), who, on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copies' as const), who, on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('partial' as const), who, on: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('break' as const),
      who,
      what: fc.constantFrom('connect', 'pull', 'push', 'fetch', 'keys'),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), who, ms: fc.constantFrom(0, 5, 500) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Client {
  readonly store: ReturnType<typeof watchedStore>;
  sync: Sync;
  wire: MemoryWire;
  /** What is shown at this moment: read before an `await` it would be old. */
  shown: readonly Row[];
  /** Steps that fail, and how often. */
  readonly broken: Map<string, number>;
}

type Settings = Pick<MemoryTransportOptions, 'cursor' | 'deletes' | 'idempotent' | 'pageCap'> & {
  readonly config: Partial<SyncLayerConfig>;
};

async function start(
  client: Omit<Client, 'sync' | 'wire' | 'shown'>,
  backend: MemoryBackend,
  settings: Settings,
): Promise<Client> {
  const { config, ...options } = settings;
  const transport = memoryTransport({ backend, ...options });
  transport.wire.before = (current) => {
    const left = client.broken.get(current) ?? 0;
    client.broken.set(current, left - 1);
    if (left > 0) throw lost();
  };
  const sync = (await createSyncLayer({
    ...config,
    websocketReconnectDelay: 10,
    maxReconnectDelay: 100,
    syncInterval: 1000,
    store: client.store,
    collections: ['todos'],
    transport,
  } as SyncLayerConfig)) as unknown as Sync;
  const started = Object.assign(client, { sync, wire: transport.wire, shown: [] as readonly Row[] });
  sync.collection('todos').watch((rows) => {
    started.shown = rows;
  });
  return started;
}

/** A save that the disk refused before a crash. */
const ignore = (): void => undefined;

const flush = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

async function take(current: Step, clients: readonly Client[], backend: MemoryBackend, settings: Settings) {
  const client = clients['who' in current ? current.who : 0] as Client;
  const { sync, wire } = client;
  const todos = sync.collection('todos');
  const hard = settings.deletes === 'none';
  switch (current.do) {
    case 'save':
      void todos.save(current.row, current.id).catch(ignore);
      break;
    case 'update':
      void todos.update(current.id, { [current.field]: current.value }).catch(ignore);
      break;
    case 'delete':
      void todos.delete(current.id).catch(ignore);
      break;
    case 'write elsewhere':
      backend.write('todos', current.id, current.row);
      break;
    case 'delete elsewhere':
      if (backend.get('todos', current.id)?.data) backend.delete('todos', current.id, { hard });
      break;
    case 'time':
      await vi.advanceTimersByTimeAsync(current.ms);
      break;
    case 'cut':
      wire.cut();
      break;
    case 'gap':
      wire.gap();
      break;
    case 'live':
      wire.goLive();
      break;
    case 'deliver':
      wire.deliver = current.on;
      // A backend that stops and starts again delivering says so.
      if (current.on) wire.gap();
      break;
    case 'lose answers':
      wire.loseAnswers = current.on;
      break;
    case 'copies':
      wire.copies = current.on ? 2 : 1;
      break;
    case 'partial':
      wire.partialFields = current.on ? ['x'] : undefined;
      break;
    case 'break':
      client.broken.set(current.what, current.times);
      break;
    case 'pause':
      await sync.pause();
      break;
    case 'resume':
      sync.resume();
      break;
    case 'crash':
      // The disk takes nothing more; what happens until the end is forgotten.
      client.store.fails = () => true;
      await vi.advanceTimersByTimeAsync(current.ms);
      await closed(sync);
      client.store.fails = () => false;
      await start(client, backend, settings);
      break;
    case 'restart':
      await sync.close();
      await start(client, backend, settings);
      break;
  }
}

/** Mends all that is broken, and lets everybody come to rest. */
async function heal(clients: readonly Client[]): Promise<void> {
  for (const { sync, wire, broken } of clients) {
    Object.assign(wire, { deliver: true, loseAnswers: false, copies: 1, partialFields: undefined });
    broken.clear();
    sync.resume();
    wire.gap();
  }
  for (let round = 0; round < 40; round++) {
    await vi.advanceTimersByTimeAsync(200);
    if (clients.every(({ sync }) => sync.status.phase === 'live' && sync.status.pending === 0)) break;
  }
  for (const { sync } of clients) {
    const done = sync.syncNow();
    await flush();
    await done;
  }
  await flush();
}

const rowsOf = async ({ sync }: Client): Promise<Record<string, Row>> =>
  Object.fromEntries((await sync.collection('todos').getAll()).map((row) => [row.id, row as Row]));

async function run(
  settings: Settings,
  seedRows: Record<string, Row>,
  work: (clients: readonly Client[], backend: MemoryBackend) => Promise<void>,
) {
  const backend = memoryBackend();
  for (const [key, row] of Object.entries(seedRows)) backend.write('todos', key, row);
  const clients: Client[] = [];
  for (let n = 0; n < CLIENTS; n++)
    clients.push(await start({ store: watchedStore(memoryStore()), broken: new Map() }, backend, settings));
  try {
    await flush();
    await work(clients, backend);
    await heal(clients);
    for (const client of clients) {
      expect(client.sync.status).toEqual({ phase: 'live', pending: 0 });
      expect(client.sync.outbox.pending()).toEqual([]);
      expect(client.sync.outbox.failed()).toEqual([]);
      expect(client.sync.metrics().errors.VALIDATION_FAILED).toBeUndefined();
      expect(await rowsOf(client)).toEqual(Object.fromEntries(backend.rows('todos')));
    }
  } finally {
    for (const { sync } of clients) await sync.close();
    vi.clearAllTimers();
  }
  return { backend, clients };
}

const backendKind = fc.constantFrom<Settings>(
  { cursor: 'sequence', deletes: 'tombstones', config: {} },
  { cursor: 'sequence', deletes: 'none', config: {} },
  { cursor: 'timestamp', deletes: 'tombstones', config: {} },
  { cursor: 'timestamp', deletes: 'none', config: {} },
  { cursor: 'snapshot', deletes: 'none', config: {} },
);

test('whatever happens, in the end all clients hold what the backend holds', { timeout: 600_000 }, async () => {
  fakeTimers();
  await fc.assert(
    fc.asyncProperty(
      backendKind,
      fc.boolean(),
      fc.constantFrom('lastWriteWins' as const, 'serverWins' as const, 'clientWins' as const),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(1, 3, 10_000),
      fc.array(step, { minLength: 10, maxLength: 60 }),
      async (kind, idempotent, conflictStrategy, pageCap, bufferLimit, steps) => {
        const settings = { ...kind, idempotent, pageCap, config: { conflictStrategy, bufferLimit } };
        await run(settings, { a: { x: 0 }, b: { y: 0 } }, async (clients, backend) => {
          for (const current of steps) await take(current, clients, backend, settings);
        });
      },
    ),
    { numRuns: Number(process.env.SYNCLAYER_RUNS ?? 150), ...replay },
  );
});

test('every increment of a shared counter counts once, whatever is cut, lost or repeated', {
  timeout: 60_000,
}, async () => {
  fakeTimers();
  const trouble = step.filter(
    (current) => !['save', 'update', 'delete', 'write elsewhere', 'delete elsewhere', 'crash'].includes(current.do),
  );
  await fc.assert(
    fc.asyncProperty(
      backendKind,
      fc.array(fc.oneof({ weight: 2, arbitrary: who }, { weight: 3, arbitrary: trouble }), {
        minLength: 10,
        maxLength: 60,
      }),
      async (kind, steps) => {
        const customConflictResolver = ConflictResolvers.sumNumbers(['n']);
        const settings: Settings = { ...kind, config: { conflictStrategy: 'custom', customConflictResolver } };
        let increments = 0;
        const { backend } = await run(settings, { counter: { n: 0 } }, async (clients, all) => {
          for (const current of steps) {
            if (typeof current !== 'number') await take(current, clients, all, settings);
            else {
              const { sync, shown } = clients[current] as Client;
              const row = shown.find((one) => one.id === 'counter');
              if (!row) continue;
              void sync.collection('todos').update('counter', { n: (row.n as number) + 1 });
              increments += 1;
            }
          }
        });
        expect(backend.get('todos', 'counter')?.data).toEqual({ id: 'counter', n: increments });
      },
    ),
    { numRuns: Number(process.env.SYNCLAYER_RUNS ?? 150), ...replay },
  );
});

test('this test can fail: a client that ignores what it is told does not converge', async () => {
  fakeTimers();
  const settings: Settings = { cursor: 'sequence', deletes: 'tombstones', config: {} };
  const deaf = run(settings, {}, async ([first], backend) => {
    backend.write('todos', 'a', { x: 1 });
    if (first) first.wire.decide = () => ({ type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'no') });
    await first?.sync.collection('todos').save({ x: 2 }, 'b');
  });
  await expect(deaf).rejects.toThrow();
});
