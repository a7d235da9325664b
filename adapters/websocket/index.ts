import { loadPart } from '../../src/backends/load-part.js';
import { unattached } from '../../src/backends/unattached.js';
import {
  type Cursor,
  createLifetime,
  type OutgoingChange,
  type PullPage,
  type PullRequest,
  type PushResult,
  parseUrl,
  problemsOf,
  type RealtimeTransport,
  type RecordKey,
  type TransportCapabilities,
  type TransportHost,
} from '../../src/kit.js';
import type { Channel } from './channel.js';
import { seqCursor } from './cursor.js';
import type { Fallback } from './fallback.js';
import { readOptions, type WebSocketTransportOptions } from './options.js';

export type { WebSocketTransportOptions } from './options.js';

/** Ids in one page. */
const KEYS = 10_000;
/** Not that of problem.ts, which the parts share that are loaded later. */
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
  /** Whether the server counts changes; unknown until its first answer. */
  let counts: boolean | undefined;
  /** Less than the option, once a frame was too big for the server. */
  let { maxPayload } = options;
  /** What this device has came from an original server that was here before: the versions cannot be compared. */
  let outdated = false;

  const host = (): TransportHost => attached;
  const loadLive = () => loadPart(() => import('./live.js'));
  let channel: Channel | undefined;
  async function openChannel(): Promise<Channel> {
    const { createChannel } = await loadLive();
    channel ??= createChannel(options, {
      host,
      counts: (yes) => {
        counts = yes;
      },
      tooLarge: (bytes) => {
        maxPayload = Math.min(maxPayload, bytes);
      },
    });
    return channel;
  }
  let http: Fallback | undefined;
  /** HTTP is for polling, for a socket that is down and for old servers: most apps never load it. */
  async function fallback(): Promise<Fallback> {
    const { createFallback } = await loadPart(() => import('./fallback.js'));
    http ??= createFallback(options, host);
    return http;
  }

  async function original(): Promise<Fallback['original']> {
    if (options.baseUrl) return (await fallback()).original;
    const what = 'This server speaks the original protocol, which repeats and acknowledges nothing.';
    throw problem('UNSUPPORTED', `${what} Set baseUrl, where its /sync/... is.`);
  }

  function checkOpen(): void {
    if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
  }

  function checkReachable(): void {
    if (channel?.isOpen || options.baseUrl) return;
    throw problem('CONNECTION_LOST', 'The socket is down, and there is no baseUrl for HTTP.');
  }

  function checkComparable(): void {
    if (!outdated) return;
    const what = 'The server at this address spoke the original protocol, and now counts changes.';
    throw problem('UNSUPPORTED', `${what} Give it another path, or call sync.clear() on this device.`);
  }

  /** Undefined: the server does not count changes. */
  async function pullCounted(request: PullRequest, keys = false): Promise<PullPage | undefined> {
    const cursor = seqCursor(request.cursor);
    const from = cursor ?? { seq: 0 };
    const page = channel?.isOpen
      ? await channel.pull(request, from, keys).catch((error: unknown) => {
          if (counts !== false) throw error;
          return undefined;
        })
      : await (await fallback()).rest.pull(request, from, keys);
    counts = page !== undefined;
    outdated = page !== undefined && cursor === undefined;
    checkComparable();
    // Empty would say that this is the end.
    const isSkipped = page && page.changes.length === 0 && !page.ended;
    return isSkipped ? pullCounted({ ...request, cursor: page.cursor }, keys) : page;
  }

  /** The ids that a server which counts changes holds. */
  async function countedKeys(request: Omit<PullRequest, 'cursor'>): Promise<RecordKey[]> {
    checkReachable();
    const keys = new Map<string, RecordKey>();
    for (let cursor: Cursor | null = null; ; ) {
      const page: PullPage | undefined = await pullCounted({ ...request, cursor }, true);
      if (!page) throw problem('CONNECTION_LOST', 'The server was changed while its records were listed.');
      if (page.changes.length === 0) return [...keys.values()];
      for (const { type, recordId, version } of page.changes)
        if (type === 'delete') keys.delete(recordId);
        else keys.set(recordId, { recordId, version });
      ({ cursor } = page);
    }
  }

  async function pull(request: PullRequest): Promise<PullPage> {
    checkReachable();
    const page = counts === false ? undefined : await pullCounted(request);
    return page ?? (await original()).pull(request);
  }

  async function push(changes: readonly OutgoingChange[], signal: AbortSignal): Promise<PushResult[]> {
    const collection = changes[0]?.collection ?? '';
    const { pushWrites } = await loadLive();
    // Which protocol the server speaks shows in its answer to a read. An original one would not answer a write.
    if (counts === undefined) {
      await pull({ collection, cursor: null, start: true, limit: 1, signal }).catch((error: unknown) => {
        if (counts === undefined) throw error;
      });
    }
    checkReachable();
    checkComparable();
    if (counts) {
      const deliver = channel?.isOpen ? channel.deliver : (await fallback()).rest.deliver;
      return pushWrites(changes, maxPayload, deliver, signal);
    }
    // Such a server tells its other sockets only of what came by a socket. So Flutter apps send it both ways, too.
    return (await original()).push(changes, signal, (message) => channel?.tell(message));
  }

  return {
    name: 'websocket',
    source: `${address?.host}${address?.path}`,
    get capabilities() {
      return { ...(counts === false ? timed : sequenced), live: Boolean(options.url) };
    },
    attach(given) {
      attached = given;
      // It comes while the store is read. Should it fail, connecting loads it again.
      if (options.url) void loadLive().catch(() => undefined);
    },

    async connect({ signal }) {
      checkOpen();
      if (options.url) {
        const opened = await openChannel();
        checkOpen();
        return opened.connect(signal);
      }
      throw problem('UNSUPPORTED', 'There is an address for polling only. Set websocketUrl (url) for a live link.');
    },

    subscribe(request, sink) {
      if (channel) return channel.subscribe(request, sink);
      let over = false;
      queueMicrotask(() => over || sink.error(problem('CONNECTION_LOST', 'The socket is not connected.')));
      return () => {
        over = true;
      };
    },
    pull: (request) => life.during(request.signal, (signal) => pull({ ...request, signal })),

    push: (changes, { signal }) => life.during(signal, (signal) => push(changes, signal)),

    keys: (collection, { signal, filter }) =>
      life.each(signal, async function* keys(signal) {
        if (counts === false) yield* (await original()).keys(collection, signal);
        else yield await countedKeys({ collection, start: false, limit: KEYS, signal, ...(filter && { filter }) });
      }),
    get fetch() {
      if (counts !== false) return undefined;
      return async (collection: string, ids: readonly string[], { signal }: { signal: AbortSignal }) =>
        life.during(signal, async (signal) => (await original()).fetch(collection, ids, signal));
    },

    disconnect: async () => channel?.close(),
    async close() {
      life.end();
      await channel?.close();
    },
  };
}
