import { setTimeout } from 'node:timers/promises';
import { setLogLevel } from 'firebase/firestore';
import { appsyncTransport } from '../adapters/appsync/index.js';
import { firestoreTransport } from '../adapters/firestore/index.js';
import { stampOfMs } from '../adapters/firestore/normalize.js';
import { createSyncLayer, type LocalStore, memoryStore, type SyncLayerInstance } from '../src/index.js';
import { createAuditPace } from '../src/sync/audit-pace.js';
import type { Cursor, RealtimeTransport } from '../src/transport/transport.js';
import { startAppsyncPeer } from '../test/peers/appsync/index.js';
import { startEmulator } from '../test/peers/firestore/start-emulator.js';

/**
 * What an idle client costs a day where the backend charges for each row that it reads: what a start, a pull and a comparison read is
 * measured (`metrics().reads`), against Google's emulator and the local AppSync API; how often a day has them is what core decides.
 * Run with `npx tsx bench/idle-reads.ts [rows...]`. 100 000 documents take the emulator some minutes.
 */

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** Days of which the mean is taken. */
const DAYS = 60;
/** By then a client that has just started has looked once more, ms. */
const SETTLED = 3000;
const sizes = process.argv.slice(2).map(Number);
const rows = sizes.length > 0 ? sizes : [1000, 10_000];

interface Costs {
  readonly start: number;
  readonly pull: number;
  readonly comparison: number;
}

const isLive = async (sync: SyncLayerInstance): Promise<void> => {
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
};

/** What a client reads that has all rows, until it is live and has looked once more. */
async function measureStart(transport: RealtimeTransport, store: LocalStore): Promise<number> {
  const sync = await createSyncLayer({ transport, store, collections: ['todos'] });
  await isLive(sync);
  await setTimeout(SETTLED);
  const { reads } = sync.metrics();
  await sync.close();
  return reads;
}

/** What a pull reads that finds nothing. */
async function measurePull(transport: RealtimeTransport, cursor: Cursor | null): Promise<number> {
  let reads = 0;
  const { signal } = new AbortController();
  transport.attach?.({
    authToken: async () => undefined,
    log: () => undefined,
    traffic: () => undefined,
    report: () => undefined,
    reads: (rows) => {
      reads += rows;
    },
  });
  const pull = async (from: Cursor | null): Promise<Cursor> => {
    for (let at = from, start = true; ; start = false) {
      const page = await transport.pull({ collection: 'todos', cursor: at, start, limit: 500, signal });
      at = page.cursor;
      if (page.changes.length === 0) return at;
    }
  };
  const from = cursor ?? (await pull(null));
  await setTimeout(SETTLED);
  // A catch-up that goes back for what may be late comes once; the next ones find nothing.
  const next = await pull(from);
  reads = 0;
  await pull(next);
  await transport.close();
  return reads;
}

/** What a look reads that compares everything, its pull included. */
async function measureComparison(transport: RealtimeTransport, store: LocalStore): Promise<number> {
  const sync = await createSyncLayer({ transport, store, collections: ['todos'], auditInterval: SETTLED + 1000 });
  await isLive(sync);
  // The first one looks for documents without a time as well.
  await sync.events.once('syncCompleted');
  const before = sync.metrics().reads;
  await sync.events.once('syncCompleted');
  const reads = sync.metrics().reads - before;
  await sync.close();
  return reads;
}

/** Reads a day of an idle client, heartbeats aside. */
async function readsADay({ pull, comparison }: Costs, expected: number): Promise<number> {
  let now = 0;
  let reads = 0;
  const look = async (compare: boolean) => {
    const cost = compare ? comparison : pull;
    reads += cost;
    return { reads: cost, news: 0 };
  };
  const audit = createAuditPace({ shortest: 5 * MINUTE, expected: () => expected, look }, () => now);
  for (now = 5 * MINUTE; now < DAYS * DAY; ) now += await audit();
  return Math.round(reads / DAYS);
}

function print(name: string, count: number, costs: Costs, day: number, heartbeats: number): void {
  const { start, pull, comparison } = costs;
  const cells = [name, count, start, pull, comparison, heartbeats, day + heartbeats];
  console.log(`| ${cells.map((cell) => cell.toLocaleString('fr').replaceAll('\u202f', ' ')).join(' | ')} |`);
}

console.log('| backend | rows | a start | a pull | a comparison | heartbeats a day | all, a day |');
console.log('|---|---|---|---|---|---|---|');

setLogLevel('silent');
const emulator = await startEmulator();
for (const count of rows) {
  const projectId = `idle-${count}`;
  const hand = emulator.project(projectId);
  const newest = Date.now() - DAY;
  const name = (index: number): string => `n${String(index).padStart(6, '0')}`;
  const at = (index: number): string => stampOfMs(newest - (count - index) * 1000);
  const documents = Array.from({ length: count }, (_, index) => ({
    name: `projects/${projectId}/databases/(default)/documents/todos/${name(index)}`,
    fields: { text: { stringValue: 'x' }, updatedAt: { timestampValue: at(index) } },
  }));
  await hand.restore(documents);
  const transport = () =>
    firestoreTransport({
      config: { projectId },
      emulator: `127.0.0.1:${emulator.port}`,
      requestTimeout: 60_000,
      heartbeatInterval: 60 * MINUTE,
      collections: { todos: { deletedAt: 'deletedAt' } },
    });
  // As after a first read: of 100 000 documents the emulator would need hours for that.
  const probe = transport();
  const origin = { source: JSON.stringify([probe.name, probe.source, probe.mapping?.('todos')]), filter: '{}' };
  await probe.close();
  const cursor = { at: at(count - 1), id: name(count - 1), next: stampOfMs(newest + MINUTE) };
  const filled = async () => {
    const store = memoryStore();
    await store.open();
    await store.commit([
      { table: 'meta', key: ['todos', 'origin'], value: origin },
      { table: 'meta', key: ['todos', 'cursor'], value: cursor },
      ...documents.map((_, index) => ({
        table: 'rows' as const,
        key: ['todos', name(index)] as [string, string],
        value: { row: { id: name(index), text: 'x' }, version: at(index) },
      })),
    ]);
    await store.close();
    return store;
  };
  const costs = {
    start: await measureStart(transport(), await filled()),
    pull: await measurePull(transport(), cursor),
    comparison: await measureComparison(transport(), await filled()),
  };
  print('Firestore', count, costs, await readsADay(costs, Math.ceil(count / 1000) + 2), DAY / MINUTE);
}
await emulator.close();

for (const versioned of [true, false])
  for (const count of rows) {
    const key = 'da2-of-this-bench';
    const models = [{ name: 'Todo', fields: { text: 'String' }, versioned }] as const;
    const peer = await startAppsyncPeer({ models: models as never, auth: { apiKey: key, secret: 'none' } });
    for (let index = 0; index < count; index++) peer.write('Todo', `n${index}`, { text: 'x' });
    const transport = () =>
      appsyncTransport({
        url: peer.endpoint,
        auth: { type: 'apiKey', apiKey: key },
        collections: { todos: { table: 'Todo', fields: ['text'], versioned } },
        requestTimeout: 60_000,
        // The rows were written just now.
        overlap: 1,
      });
    const store = memoryStore();
    await measureStart(transport(), store);
    const costs = {
      start: await measureStart(transport(), store),
      pull: await measurePull(transport(), null),
      comparison: await measureComparison(transport(), store),
    };
    const name = versioned ? 'AppSync with conflict detection' : 'AppSync without';
    print(name, count, costs, await readsADay(costs, count), 0);
    await peer.close();
  }
process.exit(0);
