import {
  type Change,
  type Cursor,
  type OutgoingChange,
  type PullPage,
  type PullRequest,
  type PushResult,
  type RecordKey,
  type RestBatchAnswer,
  type RestPage,
  SyncLayerError,
  type TransportHost,
  type WriteMessage,
} from '../../src/adapter-kit.js';
import { fromOriginalRecord, fromRecord, originalVersion, seqCursor, toPage, toResult } from './normalize.js';
import type { ParsedOptions } from './options.js';

type RestOptions = Pick<ParsedOptions, 'baseUrl' | 'authToken' | 'requestTimeout' | 'overlap' | 'fetch'>;

/** Where a pull from a server of the original protocol stands: `max` is the newest time seen, in ms. */
interface TimeCursor {
  readonly since: number | null;
  readonly offset: number;
  readonly max: number;
}

/** The HTTP half of the protocol: for polling, and while the socket is down. */
export function createRest(options: RestOptions, host: () => TransportHost) {
  const base = options.baseUrl?.replace(/\/+$/, '') ?? '';
  const path = (collection: string, id?: string): string =>
    `${base}/sync/${encodeURIComponent(collection)}${id === undefined ? '' : `/${encodeURIComponent(id)}`}`;

  async function call(
    method: string,
    url: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> {
    const token = await host().authToken(options.authToken);
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    const timer = setTimeout(stop, options.requestTimeout);
    signal.addEventListener('abort', stop);
    const where = `${method} ${url.split('?')[0]}`;
    try {
      signal.throwIfAborted();
      const text = body === undefined ? undefined : JSON.stringify(body);
      host().traffic('out', text?.length ?? 0);
      const response = await (options.fetch ?? fetch)(url, {
        method,
        signal: controller.signal,
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(text !== undefined && { body: text }),
      });
      const answer = await response.text();
      host().traffic('in', answer.length);
      const { status } = response;
      if (status === 401) throw problem('AUTH_REQUIRED', `${where} was refused for its token (401).`);
      if (status === 429 || status >= 500)
        throw problem('CONNECTION_LOST', `${where} answered ${status}; it is tried again.`);
      return { status, body: answer === '' ? undefined : JSON.parse(answer) };
    } catch (error) {
      if (error instanceof SyncLayerError) throw error;
      if (error instanceof SyntaxError)
        throw problem(
          'PROTOCOL_VIOLATION',
          `${where} did not answer JSON. Is baseUrl the address of a SyncLayer server?`,
          error,
        );
      throw problem('CONNECTION_LOST', `${where} got no answer. Is the server up, and baseUrl right?`, error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async function read(collection: string, query: Record<string, string>, signal: AbortSignal): Promise<RestPage> {
    const { status, body } = await call('GET', `${path(collection)}?${new URLSearchParams(query)}`, signal);
    const page = body as RestPage | undefined;
    if (status < 400 && Array.isArray(page?.records)) return page;
    const code = status === 403 || status === 404 ? 'SUBSCRIBE_REJECTED' : 'PROTOCOL_VIOLATION';
    const message = (body as { error?: string } | undefined)?.error ?? 'it has no "records"';
    throw problem(code, `Reading "${collection}" was answered with ${status}: ${message}.`);
  }

  /** Everything of one collection, of a server of the original protocol. */
  async function all(collection: string, signal: AbortSignal): Promise<Change[]> {
    const changes: Change[] = [];
    for (;;) {
      const { records } = await read(collection, changes.length > 0 ? { offset: String(changes.length) } : {}, signal);
      if (records.length === 0) return changes;
      const known = new Set(changes.map(({ recordId }) => recordId));
      const more = records.filter(({ recordId }) => !known.has(recordId));
      changes.push(...more.map((record) => fromOriginalRecord(collection, record)));
      // A server that ignores `offset` answers the same again.
      if (more.length === 0) return changes;
    }
  }

  return {
    /** Undefined: the server does not know sequence numbers. */
    async pull({ collection, cursor, limit, filter, signal }: PullRequest): Promise<PullPage | undefined> {
      const from = seqCursor(cursor);
      const query: Record<string, string> = { seq: String(from.seq), limit: String(limit) };
      if (from.snapshot !== undefined) query.snapshot = from.snapshot === true ? '1' : String(from.snapshot);
      if (filter?.where) query.filter = JSON.stringify({ where: filter.where });
      const page = await read(collection, query, signal);
      if (typeof page.seq !== 'number') return undefined;
      return toPage(
        page.records.map((record) => fromRecord(collection, record)),
        from,
        page,
        page.timestamp,
      );
    },

    async pullOriginal({ collection, cursor, start, limit, signal }: PullRequest): Promise<PullPage> {
      const stored = (cursor ?? { since: null, offset: 0, max: 0 }) as unknown as TimeCursor;
      const from: TimeCursor =
        start && cursor ? { since: stored.max - options.overlap, offset: 0, max: stored.max } : stored;
      const query: Record<string, string> = { limit: String(limit), offset: String(from.offset) };
      if (from.since !== null) query.since = new Date(from.since).toISOString();
      const { records } = await read(collection, query, signal);
      const changes = records.map((record) => fromOriginalRecord(collection, record));
      const max = changes.reduce((newest, { timestamp }) => Math.max(newest, timestamp ?? 0), from.max);
      const next: TimeCursor = { since: from.since, offset: from.offset + records.length, max };
      return { changes, cursor: next as unknown as Cursor };
    },

    async push(changes: readonly WriteMessage[], signal: AbortSignal): Promise<PushResult[] | undefined> {
      const { status, body } = await call('POST', `${base}/sync`, signal, { changes });
      if (status === 404 || status === 405) return undefined;
      const results = (body as RestBatchAnswer | undefined)?.results;
      if (status >= 400 || !Array.isArray(results))
        throw problem('PROTOCOL_VIOLATION', `Pushing was answered with ${status}.`);
      return results.map(toResult);
    },

    /**
     * One write of the original protocol: unconditional, with no answer that tells a version. The version that it started
     * from stays, so that the next pull brings the true one.
     */
    async pushOriginal(change: OutgoingChange, signal: AbortSignal): Promise<PushResult> {
      const { type, collection, recordId, data, patch, unset, baseVersion } = change;
      const timestamp = new Date(change.timestamp).toISOString();
      const { status, body } =
        type === 'delete'
          ? await call('DELETE', path(collection, recordId), signal)
          : type === 'update' && patch && !unset
            ? await call('PATCH', path(collection, recordId), signal, {
                delta: patch,
                baseVersion: originalVersion(baseVersion),
                timestamp,
              })
            : await call('POST', path(collection), signal, { recordId, data, timestamp });
      if (status < 400 || (type === 'delete' && status === 404)) return { type: 'applied', version: baseVersion ?? '' };
      const reason = (body as { error?: string } | undefined)?.error ?? '';
      return {
        type: 'rejected',
        error: problem(
          'PUSH_REJECTED',
          `The server refused the ${type} of ${collection}/${recordId} with ${status}. ${reason}`,
        ),
      };
    },

    async *keysOriginal(collection: string, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      yield (await all(collection, signal)).map(({ recordId, version }) => ({ recordId, version }));
    },

    async fetchOriginal(collection: string, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
      const wanted = new Set(ids);
      return (await all(collection, signal)).filter(({ recordId }) => wanted.has(recordId));
    },
  };
}

const problem = (
  code: 'AUTH_REQUIRED' | 'CONNECTION_LOST' | 'PROTOCOL_VIOLATION' | 'SUBSCRIBE_REJECTED' | 'PUSH_REJECTED',
  message: string,
  cause?: unknown,
): SyncLayerError => new SyncLayerError(code, message, { adapter: 'websocket', cause });
