import type { SupabaseClient } from '@supabase/supabase-js';
import { timedCapabilities } from '../../src/adapter-kit/capabilities.js';
import {
  type ChangeSink,
  createLifetime,
  parseUrl,
  type RealtimeTransport,
  type SubscribeRequest,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { unattached } from '../../src/adapter-kit/unattached.js';
import { type ChannelEvents, openChannel } from './channel.js';
import { appLink, loadSdk, ownLink } from './link.js';
import { readOptions, type SupabaseTransportOptions } from './options.js';
import { problem } from './problem.js';
import { createRest, schemaOf } from './rest.js';
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
  const rest = createRest(link, options, host);
  /** What ends each subscription. */
  const stops = new Set<Unsubscribe>();
  /** Collections whose last subscription was refused. */
  const refused = new Set<string>();
  /** Channels that are being left: a broadcast topic is free only afterwards. */
  const leaving = new Set<Promise<void>>();

  /** The topic is the trigger's, so it may be the app's as well: then supabase-js would give us the app's own channel. */
  const isTaken = (client: SupabaseClient, topic: string): boolean =>
    client.getChannels().some((channel) => channel.topic === `realtime:${topic}`);

  function subscribe({ collection }: SubscribeRequest, sink: ChangeSink): Unsubscribe {
    const table = tables.get(collection);
    let over = false;
    let end: (() => Promise<void>) | undefined;
    const stop = (): void => {
      over = true;
      stops.delete(stop);
      const left = end?.();
      if (!left) return;
      leaving.add(left);
      void left.then(() => leaving.delete(left));
    };
    const fail = (error: SyncLayerError): void => {
      if (!over) sink.error(error);
    };
    const open = async (): Promise<void> => {
      await Promise.all(leaving);
      if (over) return;
      const client = link.current;
      if (!client?.realtime.isConnected()) return fail(problem('CONNECTION_LOST', 'Realtime is not connected.'));
      if (options.mode === 'broadcast' && isTaken(client, table.topic)) {
        const what = `The app has a channel for the topic "${table.topic}" already`;
        return fail(problem('SUBSCRIBE_REJECTED', `${what}; give supabaseTransport a client of its own.`));
      }
      const events: ChannelEvents = {
        report: (error) => host().report(error),
        failed(error) {
          if (error.code === 'SUBSCRIBE_REJECTED') refused.add(collection);
          sink.error(link.judge(error));
        },
      };
      end = openChannel(client, schemaOf(client, table), table, options, sink, events, refused.delete(collection));
    };
    stops.add(stop);
    void open().catch((error: unknown) =>
      fail(toSyncLayerError(error, 'CONNECT_FAILED', `Subscribing to "${collection}" failed; it is tried again.`)),
    );
    return stop;
  }

  async function leaveAll(): Promise<void> {
    for (const stop of [...stops]) stop();
    await Promise.all(leaving);
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
      if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
      await life.during(signal, (signal) => link.connect(signal));
    },
    subscribe,

    pull: (request) =>
      life.during(request.signal, (signal) => rest.pull(tables.get(request.collection), { ...request, signal })),
    async push(changes, { signal }) {
      // In a chunk of its own: an app reads first.
      const { pushChanges } = await loadPart(() => import('./push.js'));
      return life.during(signal, (signal) => pushChanges(rest, host, tables, changes, signal));
    },
    fetch: (collection, ids, { signal }) =>
      life.during(signal, (signal) => rest.fetch(tables.get(collection), ids, signal)),
    keys: (collection, { signal }) => life.each(signal, (signal) => rest.keys(tables.get(collection), signal)),

    disconnect: leaveAll,
    async close() {
      life.end();
      await leaveAll();
      link.close?.();
    },
  };
}
