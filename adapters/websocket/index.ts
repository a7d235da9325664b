import {
  createLifetime,
  parseUrl,
  problemsOf,
  type RealtimeTransport,
  type TransportCapabilities,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { unattached } from '../../src/adapter-kit/unattached.js';
import type { Live } from './live.js';
import { readOptions, type WebSocketTransportOptions } from './options.js';

export type { WebSocketTransportOptions } from './options.js';

/** Not that of errors.ts, which the parts share that are loaded later. */
const problem = problemsOf('websocket');

const sequenced: TransportCapabilities = {
  push: true,
  deletes: 'tombstones',
  cursor: 'sequence',
  reconnect: 'core',
  filters: true,
  idempotent: true,
  editTimes: true,
};
const timed: TransportCapabilities = {
  push: true,
  deletes: 'none',
  cursor: 'timestamp',
  reconnect: 'core',
  filters: false,
};

/**
 * A backend that speaks the SyncLayer protocol over one WebSocket, with HTTP while the socket is down. With our server it
 * counts changes, so nothing is missed; with a server of the original protocol it needs `baseUrl`, takes live events for
 * hints, and reads the truth by HTTP.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * const transport = websocketTransport({ url: 'wss://api.example.com/ws', baseUrl: 'https://api.example.com' });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 */
export function websocketTransport(input: WebSocketTransportOptions): RealtimeTransport {
  const options = readOptions(input);
  const address = parseUrl(options.url ?? options.baseUrl);
  const life = createLifetime();
  let attached = unattached;
  let live: Live | undefined;

  async function load(): Promise<Live> {
    const { createLive } = await loadPart(() => import('./live.js'));
    live ??= createLive(options, () => attached);
    return live;
  }

  function checkOpen(): void {
    if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
  }

  return {
    name: 'websocket',
    source: `${address?.host}${address?.path}`,
    get capabilities() {
      return { ...(live?.counts === false ? timed : sequenced), live: Boolean(options.url) };
    },
    attach(given) {
      attached = given;
      // It comes while the store is read. Should it fail, it is loaded again when it is needed.
      load().catch(() => undefined);
    },

    async connect({ signal }) {
      checkOpen();
      if (!options.url)
        throw problem('UNSUPPORTED', 'There is an address for polling only. Set websocketUrl (url) for a live link.');
      const { connect } = await load();
      checkOpen();
      await connect(signal);
    },

    subscribe(request, sink) {
      if (live) return live.subscribe(request, sink);
      let over = false;
      queueMicrotask(() => over || sink.error(problem('CONNECTION_LOST', 'The socket is not connected.')));
      return () => {
        over = true;
      };
    },
    pull: (request) => life.during(request.signal, async (signal) => (await load()).pull({ ...request, signal })),
    push: (changes, { signal }) => life.during(signal, async (signal) => (await load()).push(changes, signal)),
    keys: (collection, { signal, filter }) =>
      life.each(signal, async function* keys(signal) {
        yield* (await load()).keys(collection, signal, filter);
      }),
    get fetch() {
      const { counts, fetch } = live ?? {};
      if (counts !== false || !fetch) return undefined;
      return (collection: string, ids: readonly string[], { signal }: { readonly signal: AbortSignal }) =>
        life.during(signal, (signal) => fetch(collection, ids, signal));
    },

    disconnect: async () => live?.close(),
    async close() {
      life.end();
      await live?.close();
    },
  };
}
