import { deleteApp, initializeApp } from 'firebase/app';
import { collection, connectFirestoreEmulator, getFirestore, onSnapshot, setLogLevel } from 'firebase/firestore';
import { firestoreTransport } from '../adapters/firestore/index.js';
import { createSyncLayer } from '../src/index.js';
import { createTcpProxy } from '../src/testing/index.js';
import { startEmulator } from '../test/peers/firestore/start-emulator.js';
import { compare, type Listener, median, waiter } from './commit-to-app.js';

/**
 * Firestore: SyncLayer's watcher beside a bare `onSnapshot`, on the same emulator in one run: how soon a commit is seen, and how
 * soon what was written while the line was cut is seen once it is back. Run with `npm run bench:firestore`.
 */

/** How long the line is cut, ms. */
const AWAY = 10_000;
const OUTAGES = 3;

const config = { projectId: 'bench', apiKey: 'none' };
setLogLevel('silent');
const emulator = await startEmulator();
const line = await createTcpProxy({ port: emulator.port });
const hand = emulator.project(config.projectId);
const commit = (count: number): Promise<void> => hand.write('todos/a', { text: 'Milk', done: false, count });

async function bare(port: number): Promise<Listener> {
  const { saw, next } = waiter();
  const app = initializeApp(config, crypto.randomUUID());
  const db = getFirestore(app);
  connectFirestoreEmulator(db, '127.0.0.1', port);
  await new Promise<void>((live) => {
    onSnapshot(collection(db, 'todos'), ({ docs, metadata }) => {
      if (!metadata.fromCache) live();
      saw(docs[0]?.data().count);
    });
  });
  return { next, close: () => deleteApp(app) };
}

async function synced(port: number): Promise<Listener> {
  const { saw, next } = waiter();
  const sync = await createSyncLayer({
    transport: firestoreTransport({ config, emulator: `127.0.0.1:${port}` }),
    collections: ['todos'],
  });
  sync.collection('todos').watch((rows) => saw(rows[0]?.count));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  return { next, close: () => sync.close() };
}

/** How long after the line's return what was written meanwhile is seen, ms. */
async function afterOutages(open: (port: number) => Promise<Listener>): Promise<number[]> {
  const times: number[] = [];
  for (let outage = 0; outage < OUTAGES; outage++) {
    const listener = await open(line.port);
    await line.refuse();
    line.cut({ reset: true });
    const count = -1 - Math.floor(Math.random() * 2 ** 31);
    const seen = listener.next(count);
    await commit(count);
    await new Promise((resolve) => setTimeout(resolve, AWAY));
    await line.accept();
    const start = performance.now();
    times.push((await seen) - start);
    await listener.close();
  }
  return times;
}

try {
  await commit(0);
  await compare({
    name: 'onSnapshot',
    bare: () => bare(emulator.port),
    synced: () => synced(emulator.port),
    commit,
    commits: 300,
    rounds: 4,
  });
  const seconds = (times: readonly number[]): string => times.map((ms) => (ms / 1000).toFixed(1)).join(', ');
  const [plain, ours] = [await afterOutages(bare), await afterOutages(synced)];
  console.log(`The line's return, after ${AWAY / 1000} s, to consistent
  onSnapshot            median ${seconds([median(plain)])} s (${seconds(plain)})
  SyncLayer watcher     median ${seconds([median(ours)])} s (${seconds(ours)})`);
} finally {
  await line.close();
  await emulator.close();
}
