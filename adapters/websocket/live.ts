import type {
  Cursor,
  OutgoingChange,
  PullPage,
  PullRequest,
  PushResult,
  RecordKey,
  SyncFilter,
  TransportHost,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { createChannel } from './channel.js';
import { seqCursor } from './cursor.js';
import { problem } from './errors.js';
import type { Fallback } from './fallback.js';
import type { ParsedOptions } from './options.js';
import { pushWrites } from './writes.js';

/** Ids in one page. */
const KEYS = 10_000;

/** What is said to the server, by the socket or by HTTP; in a chunk of its own, since an app shows the rows of its store first. */
export function createLive(options: ParsedOptions, host: () => TransportHost) {
  /** Whether the server counts changes; unknown until its first answer. */
  let counts: boolean | undefined;
  /** Less than the option, once a frame was too big for the server. */
  let { maxPayload } = options;
  /** What this device has came from an original server that was here before: the versions cannot be compared. */
  let outdated = false;

  const channel = createChannel(options, {
    host,
    counts: (yes) => {
      counts = yes;
    },
    tooLarge: (bytes) => {
      maxPayload = Math.min(maxPayload, bytes);
    },
  });
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

  function checkReachable(): void {
    if (channel.isOpen || options.baseUrl) return;
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
    const page = channel.isOpen
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
    // Which protocol the server speaks shows in its answer to a read. An original one would not answer a write.
    if (counts === undefined) {
      await pull({ collection, cursor: null, start: true, limit: 1, signal }).catch((error: unknown) => {
        if (counts === undefined) throw error;
      });
    }
    checkReachable();
    checkComparable();
    if (counts) {
      const deliver = channel.isOpen ? channel.deliver : (await fallback()).rest.deliver;
      return pushWrites(changes, maxPayload, deliver, signal);
    }
    // Such a server tells its other sockets only of what came by a socket. So Flutter apps send it both ways, too.
    return (await original()).push(changes, signal, channel.tell);
  }

  return {
    /** Whether the server counts changes; undefined: it has not shown it yet. */
    get counts(): boolean | undefined {
      return counts;
    },
    connect: channel.connect,
    subscribe: channel.subscribe,
    pull,
    push,
    async *keys(
      collection: string,
      signal: AbortSignal,
      filter?: SyncFilter,
    ): AsyncGenerator<readonly RecordKey[], void> {
      if (counts === false) yield* (await original()).keys(collection, signal);
      else yield await countedKeys({ collection, start: false, limit: KEYS, signal, ...(filter && { filter }) });
    },
    fetch: async (collection: string, ids: readonly string[], signal: AbortSignal) =>
      (await original()).fetch(collection, ids, signal),
    close: channel.close,
  };
}

export type Live = ReturnType<typeof createLive>;
