import type { SupabaseClient } from '@supabase/supabase-js';
import { timedCapabilities } from '../../src/adapter-kit/capabilities.js';
import { createLifetime, parseUrl, type RealtimeTransport, type TransportHost } from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { unattached } from '../../src/adapter-kit/unattached.js';
import { appLink, loadSdk, ownLink } from './link.js';
import type { Live } from './live.js';
import { problem, readOptions, type SupabaseTransportOptions } from './options.js';
import { createReads } from './reads.js';
import { createTables } from './table.js';

export type { LossyType, SupabaseClientLike, SupabaseCollection, SupabaseTransportOptions } from './options.js';

/**
 * A Supabase project: live changes by Realtime, reads and writes by PostgREST, both through `@supabase/supabase-js`. Each
 * table needs a unique key that the client makes, and an `updated_at` that a trigger sets; the adapter's README has the SQL.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * const transport = supabaseTransport({ url: 'https://abc.supabase.co', key, collections: { todos: { deletedAt: 'deleted_at' } } });
 * const sync = await createSyncLayer({ transport, collections: ['todos'], authToken: async () => (await session()).token });
 */
export function supabaseTransport(input: SupabaseTransportOptions): RealtimeTransport {
  const options = readOptions(input);
  const given = options.client as SupabaseClient | undefined;
  const tables = createTables(options);
  const life = createLifetime();
  let attached = unattached;
  const host = (): TransportHost => attached;
  const link = given ? appLink(given, host) : ownLink(options, host);
  const reads = createReads(link, options, host);
  let live: Live | undefined;
  const checkOpen = (): void => {
    if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
  };

  async function leaveAll(): Promise<void> {
    await live?.stop();
    await link.disconnect();
  }

  const address = parseUrl(String(options.url ?? (given as unknown as { supabaseUrl: unknown }).supabaseUrl));
  return {
    name: 'supabase',
    // Several may be behind one host: a gateway of the app's own.
    source: `${address?.host}${address?.path.replace(/\/+$/, '')}`,
    mapping: (name) => options.collections[name],
    get capabilities() {
      return timedCapabilities(tables.all());
    },
    capabilitiesOf: (name) => timedCapabilities([tables.get(name)]),
    values: () => ({ fields: 'columns' }),
    attach(to) {
      attached = to;
    },
    prepare: async () => given ?? loadSdk(),

    async connect({ signal }) {
      checkOpen();
      // In a chunk of its own: what is only polled does not listen.
      const { createLive } = await loadPart(() => import('./live.js'));
      checkOpen();
      live ??= createLive(link, options, tables, host);
      await life.during(signal, (signal) => link.connect(signal));
    },
    subscribe(request, sink) {
      if (!live) throw problem('CONNECTION_LOST', 'Supabase is not connected.');
      return live.subscribe(request, sink);
    },

    pull: (request) =>
      life.during(request.signal, (signal) => reads.pull(tables.get(request.collection), { ...request, signal })),
    async push(changes, { signal }) {
      // In a chunk of its own: an app reads first.
      const { pushChanges } = await loadPart(() => import('./writes.js'));
      return life.during(signal, (signal) => pushChanges(reads, host, tables, changes, signal));
    },
    fetch: (collection, ids, { signal }) =>
      life.during(signal, (signal) => reads.fetch(tables.get(collection), ids, signal)),
    keys: (collection, { signal }) => life.each(signal, (signal) => reads.keys(tables.get(collection), signal)),

    disconnect: leaveAll,
    async close() {
      life.end();
      await leaveAll();
      link.close?.();
    },
  };
}
