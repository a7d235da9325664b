import { timedCapabilities } from '../../src/adapter-kit/capabilities.js';
import { createLifetime, parseUrl, type RealtimeTransport, type TransportHost } from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { unattached } from '../../src/adapter-kit/unattached.js';
import type { Live } from './live.js';
import { type HasuraTransportOptions, problem, readOptions } from './options.js';
import { createReads } from './reads.js';
import { createTables } from './table.js';

export type {
  ColumnType,
  GraphqlWsClientLike,
  HasuraCollection,
  HasuraFields,
  HasuraSchema,
  HasuraTransportOptions,
  InputType,
  NamingConvention,
  RootField,
} from './options.js';

/**
 * A Hasura GraphQL API (v2: self-hosted, cloud, Nhost): live changes by GraphQL subscriptions through `graphql-ws`, reads and
 * writes by HTTP. Each table needs a unique key that the client makes, and an `updated_at` that a trigger sets; the adapter's
 * README has the SQL and the permissions.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * const transport = hasuraTransport({
 *   url: 'https://abc.hasura.app/v1/graphql',
 *   collections: { todos: { fields: ['text', 'done'], deletedAt: 'deleted_at' } },
 * });
 * const sync = await createSyncLayer({ transport, collections: ['todos'], authToken: async () => (await session()).token });
 */
export function hasuraTransport(input: HasuraTransportOptions): RealtimeTransport {
  const options = readOptions(input);
  const address = parseUrl(options.url);
  const tables = createTables(options);
  const life = createLifetime();
  let attached = unattached;
  let live: Live | undefined;
  const host = (): TransportHost => attached;
  const reads = createReads(options, host);
  const checkOpen = (): void => {
    if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
  };

  return {
    name: 'hasura',
    // Several may be behind one host.
    source: `${address?.host}${address?.path}`,
    mapping: tables.find,
    get capabilities() {
      return timedCapabilities(tables.all());
    },
    capabilitiesOf: (name) => timedCapabilities([tables.find(name) ?? []].flat()),
    values: () => ({ fields: 'columns' }),
    attach(to) {
      attached = to;
    },
    prepare: async () => options.client ?? (await loadPart(() => import('./live.js'))).loadSdk(),

    async connect({ signal }) {
      checkOpen();
      // In a chunk of its own: what is only polled needs no socket.
      const { createLive } = await loadPart(() => import('./live.js'));
      checkOpen();
      live ??= createLive(options, host, tables, reads);
      await life.during(signal, live.connect);
    },
    subscribe(request, sink) {
      if (!live) throw problem('CONNECTION_LOST', 'Hasura is not connected.');
      return live.subscribe(request, sink);
    },

    pull: (request) =>
      life.during(request.signal, (signal) => reads.pull(tables.get(request.collection), { ...request, signal })),
    async push(changes, { signal }) {
      // In a chunk of its own: an app reads first.
      const { pushChanges } = await loadPart(() => import('./writes.js'));
      return life.during(signal, (signal) => pushChanges(reads, host(), tables, changes, signal));
    },
    fetch: async (collection, ids, { signal }) =>
      (await life.during(signal, (signal) => reads.byIds(tables.get(collection), ids, signal))).changes,
    keys: (collection, { signal }) => life.each(signal, (signal) => reads.keys(tables.get(collection), signal)),

    disconnect: async () => live?.disconnect(),
    async close() {
      life.end();
      await live?.disconnect();
    },
  };
}
