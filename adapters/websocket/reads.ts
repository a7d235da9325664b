import type {
  Cursor,
  PullPage,
  PullRequest,
  RecordKey,
  SyncFilter,
  SyncLayerError,
  TransportHost,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { problem } from './errors.js';
import type { Fallback } from './fallback.js';
import type { Original } from './legacy/original.js';
import type { Channel } from './live.js';
import { seqCursor } from './normalize.js';
import type { ParsedOptions } from './options.js';

/** Ids in one page. */
const KEYS = 10_000;

/** What the server has shown of itself. */
export interface ServerState {
  /** Whether it counts changes; undefined until its first answer. */
  counts: boolean | undefined;
  /** What this device has came from an original server that was here before: the versions cannot be compared. */
  outdated: boolean;
}

/** Pages and ids, by the socket where it is open, or by HTTP. */
export function createReads(
  options: ParsedOptions,
  host: () => TransportHost,
  channel: Pick<Channel, 'isOpen' | 'pull'>,
  server: ServerState,
) {
  let http: Fallback | undefined;
  /** HTTP is for polling, for a socket that is down and for old servers: most apps never load it. */
  async function fallback(): Promise<Fallback> {
    const { createFallback } = await loadPart(() => import('./fallback.js'));
    http ??= createFallback(options, host);
    return http;
  }

  const loadLegacy = () => loadPart(() => import('./legacy/original.js'));
  let legacy: Original | undefined;
  /** A server of the original protocol, in a chunk of its own. */
  async function original(): Promise<Original> {
    const { createOriginal } = await loadLegacy();
    const { http } = await fallback();
    legacy ??= createOriginal(http, options);
    return legacy;
  }

  function checkReachable(): void {
    if (channel.isOpen || options.baseUrl) return;
    throw problem('CONNECTION_LOST', 'The socket is down, and there is no baseUrl for HTTP.');
  }

  const notComparable = async (): Promise<SyncLayerError> => (await loadLegacy()).notComparable();

  /** Undefined: the server does not count changes. */
  async function pullCounted(request: PullRequest, keys = false): Promise<PullPage | undefined> {
    const cursor = seqCursor(request.cursor);
    const from = cursor ?? { seq: 0 };
    const page = channel.isOpen
      ? await channel.pull(request, from, keys).catch((error: unknown) => {
          if (server.counts !== false) throw error;
          return undefined;
        })
      : await (await fallback()).rest.pull(request, from, keys);
    server.counts = page !== undefined;
    server.outdated = page !== undefined && cursor === undefined;
    if (server.outdated) throw await notComparable();
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
    const page = server.counts === false ? undefined : await pullCounted(request);
    return page ?? (await original()).pull(request);
  }

  return {
    fallback,
    original,
    checkReachable,
    notComparable,
    pull,
    async *keys(
      collection: string,
      signal: AbortSignal,
      filter?: SyncFilter,
    ): AsyncGenerator<readonly RecordKey[], void> {
      if (server.counts === false) yield* (await original()).keys(collection, signal);
      else yield await countedKeys({ collection, start: false, limit: KEYS, signal, ...(filter && { filter }) });
    },
    fetch: async (collection: string, ids: readonly string[], signal: AbortSignal) =>
      (await original()).fetch(collection, ids, signal),
  };
}
