import { timedCapabilities } from '../../src/adapter-kit/capabilities.js';
import { createLifetime, parseUrl, type RealtimeTransport, type TransportHost } from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { unattached } from '../../src/adapter-kit/unattached.js';
import type { Live } from './live.js';
import { type AppsyncTransportOptions, fieldsOf, problem, readOptions } from './options.js';
import { createAsk, createAuthorizer, createReads } from './reads.js';
import { createTables } from './table.js';

export type {
  AppsyncAuth,
  AppsyncCollection,
  AppsyncNames,
  AppsyncTransportOptions,
  AwsCredentials,
} from './options.js';

/**
 * AWS AppSync: live changes by GraphQL subscriptions, over AppSync's own protocol, reads and writes by queries and mutations as
 * Amplify's schemas have them. With Amplify's configuration it uses Amplify's sign-in.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * const transport = appsyncTransport({
 *   url: 'https://abc.appsync-api.eu-central-1.amazonaws.com/graphql',
 *   auth: { type: 'userPool' },
 *   collections: { todos: { table: 'Todo', fields: ['text', 'done'], versioned: true } },
 * });
 * const sync = await createSyncLayer({ transport, collections: ['todos'], authToken: async () => (await session()).accessToken });
 */
export function appsyncTransport(input: AppsyncTransportOptions): RealtimeTransport {
  const options = readOptions(input);
  const address = parseUrl(options.url);
  const tables = createTables(options);
  const life = createLifetime();
  let attached = unattached;
  const host = (): TransportHost => attached;
  const authorizer = createAuthorizer(options, host);
  const ask = createAsk(options, authorizer, host);
  const reads = createReads(ask, options, host);
  let live: Live | undefined;

  async function disconnect(): Promise<void> {
    const closing = live?.end();
    live = undefined;
    await closing;
  }

  return {
    name: 'appsync',
    source: `${address?.host}${address?.path}`,
    mapping: (name) => ({ ...options.collections[name], fields: fieldsOf(options.collections[name]?.fields ?? []) }),
    get capabilities() {
      return { ...timedCapabilities(tables.all()), staleReads: true };
    },
    capabilitiesOf: (name) => ({ ...timedCapabilities([tables.find(name) ?? []].flat()), staleReads: true }),
    // `Int` holds 32 bits.
    values: () => ({ fields: 'columns', anyShape: false, maxInteger: 2 ** 31 - 1 }),
    attach(to) {
      attached = to;
    },

    async connect({ signal }) {
      if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
      void live?.end(problem('CONNECTION_LOST', 'A new link is being made.'));
      live = undefined;
      const { openLive } = await loadPart(() => import('./live.js'));
      const opened = await life.during(signal, (signal) =>
        openLive({ options, authorizer, reads, host: attached, signal }),
      );
      if (!signal.aborted && !life.over && opened.isOpen) {
        live = opened;
        return;
      }
      void opened.end();
      throw problem('CONNECT_FAILED', 'The connection was given up.');
    },
    subscribe({ collection }, sink) {
      if (!live?.isOpen) throw problem('CONNECTION_LOST', 'The socket is not connected.');
      return live.subscribe(tables.get(collection), sink);
    },

    pull: (request) =>
      life.during(request.signal, (signal) => reads.pull(tables.get(request.collection), { ...request, signal })),
    async push(changes, { signal }) {
      // In a chunk of its own: an app reads first.
      const { pushChanges } = await loadPart(() => import('./writes.js'));
      return life.during(signal, (signal) =>
        pushChanges({ ask, tables, reads, host, concurrency: options.concurrency }, changes, signal),
      );
    },
    fetch: (collection, ids, { signal }) =>
      life.during(signal, (signal) => reads.fetch(tables.get(collection), ids, signal)),
    keys: (collection, { signal }) => life.each(signal, (signal) => reads.keys(tables.get(collection), signal)),

    disconnect,
    async close() {
      life.end();
      await disconnect();
    },
  };
}
