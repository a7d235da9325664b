import { timedCapabilities } from '../../src/backends/capabilities.js';
import { loadPart } from '../../src/backends/load-part.js';
import { unattached } from '../../src/backends/unattached.js';
import type { RealtimeTransport, TransportHost } from '../../src/kit.js';
import type { Live } from './live.js';
import { type HasuraTransportOptions, readOptions } from './options.js';
import { problem } from './problem.js';
import { createRest } from './rest.js';
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
  const { host: server, pathname } = new URL(options.url);
  const tables = createTables(options);
  const lifetime = new AbortController();
  let attached = unattached;
  let live: Live | undefined;
  const host = (): TransportHost => attached;
  const during = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, lifetime.signal]);
  const rest = createRest(options, host);
  const checkOpen = (): void => {
    if (lifetime.signal.aborted) throw problem('CLOSED', 'This transport is closed; make a new one.');
  };

  return {
    name: 'hasura',
    // Several may be behind one host.
    source: `${server}${pathname}`,
    mapping: tables.find,
    get capabilities() {
      return timedCapabilities(tables.allSoft());
    },
    capabilitiesOf: (name) => timedCapabilities(tables.find(name)?.deletedAt !== undefined),
    values: () => ({ fields: 'columns' }),
    attach(to) {
      attached = to;
    },

    async connect({ signal }) {
      checkOpen();
      // In a chunk of its own: what is only polled needs no socket.
      const { createLive } = await loadPart(() => import('./live.js'));
      checkOpen();
      live ??= createLive(options, host, tables, rest);
      await live.connect(during(signal));
    },
    subscribe(request, sink) {
      if (!live) throw problem('CONNECTION_LOST', 'Hasura is not connected.');
      return live.subscribe(request, sink);
    },

    pull: async (request) => rest.pull(tables.get(request.collection), { ...request, signal: during(request.signal) }),
    async push(changes, { signal }) {
      // In a chunk of its own: an app reads first.
      const { pushChanges } = await loadPart(() => import('./push.js'));
      return pushChanges(rest, tables, changes, during(signal));
    },
    fetch: async (collection, ids, { signal }) =>
      (await rest.byIds(tables.get(collection), ids, during(signal))).changes,
    keys: (collection, { signal }) => rest.keys(tables.get(collection), during(signal)),

    disconnect: async () => live?.disconnect(),
    async close() {
      lifetime.abort();
      await live?.disconnect();
    },
  };
}
