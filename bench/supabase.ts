/**
 * From a commit in Postgres to the app: SyncLayer's watcher beside a bare supabase-js listener, on the same project in one
 * run. Run with `npm run bench:supabase`.
 */
import { createClient } from '@supabase/supabase-js';
import { supabaseTransport } from '../adapters/supabase/index.js';
import { placeOf, setupSql } from '../adapters/supabase/tools/setup.js';
import { createSyncLayer } from '../src/index.js';
import { startSupabasePeer } from '../test/peers/supabase/index.js';

const COMMITS = 300;
const ROUNDS = 4;

/** Hears of commits: `next(count)` resolves with the time at which the row with this count was seen, ms. */
interface Listener {
  next(count: number): Promise<number>;
  close(): Promise<unknown>;
}

const peer = await startSupabasePeer({
  schema: `create table todos (id text primary key, count int not null default 0, text text, done boolean);
    ${setupSql([placeOf('todos')], 'postgres_changes')}
    grant all on todos to anon;
    insert into todos (id, text, done) values ('a', 'Milk', false)`,
});

/** Waiting for one count at a time. */
function waiter() {
  let wanted = -1;
  let resolve: (time: number) => void = () => undefined;
  return {
    saw(count: unknown): void {
      if (count === wanted) resolve(performance.now());
    },
    next: (count: number): Promise<number> =>
      new Promise((done) => {
        wanted = count;
        resolve = done;
      }),
  };
}

async function bare(): Promise<Listener> {
  const { saw, next } = waiter();
  const client = createClient(peer.url, peer.anonKey);
  await new Promise<void>((live) => {
    client
      .channel('bench')
      .on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ new: row }) =>
        saw((row as { count?: number }).count),
      )
      .on('system', {}, ({ extension, status }: { extension?: string; status?: string }) => {
        if (extension === 'postgres_changes' && status === 'ok') live();
      })
      .subscribe();
  });
  return { next, close: () => client.removeAllChannels() };
}

async function synced(): Promise<Listener> {
  const { saw, next } = waiter();
  const sync = await createSyncLayer({
    transport: supabaseTransport({ url: peer.url, key: peer.anonKey }),
    collections: ['todos'],
  });
  sync.collection('todos').watch((rows) => saw(rows[0]?.count));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  return { next, close: () => sync.close() };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

const times = { bare: [] as number[], synclayer: [] as number[] };
let count = 0;
try {
  for (let round = 0; round < ROUNDS; round++) {
    // Realtime sends to one socket after the other: each is the first in half of the rounds.
    const [one, two] = round % 2 === 0 ? [await bare(), await synced()] : [await synced(), await bare()];
    const [plain, ours] = round % 2 === 0 ? [one, two] : [two, one];
    for (let commit = 0; commit < COMMITS; commit++) {
      count += 1;
      const seen = Promise.all([plain.next(count), ours.next(count)]);
      const start = performance.now();
      await peer.sql('update todos set count = $1', [count]);
      const [atPlain, atOurs] = await seen;
      // The first ones warm up.
      if (commit < 50) continue;
      times.bare.push(atPlain - start);
      times.synclayer.push(atOurs - start);
    }
    await Promise.all([one.close(), two.close()]);
  }
} finally {
  await peer.close();
}
const ratio = median(times.synclayer) / median(times.bare);
console.log(`Commit to app, median of ${times.bare.length} commits
  supabase-js listener  ${median(times.bare).toFixed(2)} ms
  SyncLayer watcher     ${median(times.synclayer).toFixed(2)} ms
  ratio                 ${ratio.toFixed(3)}`);
