/**
 * From a commit in Postgres to the app: SyncLayer's watcher beside a bare supabase-js listener, on the same project in one
 * run. Run with `npm run bench:supabase`.
 */
import { createClient } from '@supabase/supabase-js';
import { placeOf, setupSql } from '../adapters/supabase/doctor/setup.js';
import { supabaseTransport } from '../adapters/supabase/index.js';
import { createSyncLayer } from '../src/index.js';
import { startSupabasePeer } from '../test/peers/supabase/index.js';
import { compare, type Listener, waiter } from './commit-to-app.js';

const peer = await startSupabasePeer({
  schema: `create table todos (id text primary key, count int not null default 0, text text, done boolean);
    ${setupSql([placeOf('todos')], 'postgres_changes')}
    grant all on todos to anon;
    insert into todos (id, text, done) values ('a', 'Milk', false)`,
});

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

try {
  await compare({
    name: 'supabase-js listener',
    bare,
    synced,
    commit: (count) => peer.sql('update todos set count = $1', [count]),
    commits: 300,
    rounds: 4,
  });
} finally {
  await peer.close();
}
