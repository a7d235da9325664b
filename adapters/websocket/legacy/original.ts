import {
  type Change,
  type Cursor,
  isObject,
  type OutgoingChange,
  type PullPage,
  type PullRequest,
  type PushResult,
  type RecordKey,
  type SyncLayerError,
  type WriteMessage,
} from '../../../src/adapter-kit/kit.js';
import { problem } from '../errors.js';
import { checkReply, type Http, type HttpRequest, pathOf, recordsOf } from '../fallback.js';
import type { ParsedOptions } from '../options.js';

/**
 * Where a pull from a server of the original protocol stands. It can only be asked for rows changed since a time, page by
 * page with an offset.
 */
interface TimeCursor {
  /** Rows changed at or after this are wanted, in ms; null: all. */
  readonly since: number | null;
  /** How many came so far, and the last one's id. */
  readonly count: number;
  readonly last: string;
  /** The newest time seen, in ms. */
  readonly max: number;
  /** How often rows moved between pages, and it began again. */
  readonly moves: number;
}

/** Rows that keep moving are read again so often. */
const MAX_MOVES = 5;

/**
 * A time as a string that sorts: UTC with nine digits. `Date` would drop the microseconds of a server in Python. Dart and
 * Python write UTC without a zone, too.
 */
function sortable(text: unknown): { readonly time: number; readonly sorts: string } {
  const zoned = /T.*(Z|[+-]\d\d:?\d\d)$/i.test(String(text)) ? String(text) : `${text}Z`;
  const time = Date.parse(zoned) || 0;
  const digits = /\.(\d+)/.exec(zoned)?.[1] ?? '';
  const sorts = `${new Date(time).toISOString().slice(0, -1)}${digits.slice(3, 9).padEnd(6, '0')}Z`;
  return { time, sorts };
}

/**
 * A record. Its version numbers restart when it is created again, and examples of the protocol answer 1 for ever: the
 * server's time orders its states, the number only breaks ties.
 */
function toChange(collection: string, record: unknown): Change | undefined {
  if (!isObject(record) || typeof record.recordId !== 'string') return undefined;
  const { time, sorts } = sortable(record.updatedAt);
  const version = `${sorts}#${String(record.version ?? 1).padStart(10, '0')}`;
  const data = isObject(record.data) ? record.data : {};
  return { type: 'update', collection, recordId: record.recordId, version, timestamp: time, data };
}

/** The number in a version that `toChange` made, for `baseVersion`. */
const numberIn = (version: unknown): number => Number(String(version).split('#')[1] ?? 0);

/**
 * What is new on a page that was asked for from the last known record on. Undefined: rows have moved, so that one may
 * have slipped through.
 */
function follow(page: readonly Change[], known: number, last: string): readonly Change[] | undefined {
  const at = page.findIndex(({ recordId }) => recordId === last);
  if (at === 0) return page.slice(1);
  // A server that knows no offset answers from the beginning.
  return at === known - 1 ? page.slice(known) : undefined;
}

/** What this device has cannot be compared with what the server has by now. */
export function notComparable(): SyncLayerError {
  const what = 'The server at this address spoke the original protocol, and now counts changes.';
  return problem('UNSUPPORTED', `${what} Give it another path, or call sync.clear() on this device.`);
}

/**
 * The original protocol, by HTTP: the truth, since over its socket nothing is acknowledged, and what was missed is not
 * repeated. Writes are unconditional; deletes leave no trace. Throws UNSUPPORTED without `baseUrl`.
 */
export function createOriginal(http: Http, { baseUrl, overlap }: Pick<ParsedOptions, 'baseUrl' | 'overlap'>) {
  if (!baseUrl) {
    const what = 'This server speaks the original protocol, which repeats and acknowledges nothing.';
    throw problem('UNSUPPORTED', `${what} Set baseUrl, where its /sync/... is.`);
  }
  /** What a batch has already achieved: repeated, a write could undo somebody else's. */
  const done = new Set<string>();

  async function read(collection: string, query: Record<string, string>, signal: AbortSignal): Promise<Change[]> {
    const path = `${pathOf(collection)}?${new URLSearchParams(query)}`;
    const records = recordsOf(collection, await http({ method: 'GET', path, signal }));
    return records.map((record) => {
      const change = toChange(collection, record);
      // Left out it would be taken for deleted.
      if (!change) throw problem('PROTOCOL_VIOLATION', `A record of "${collection}" has no recordId.`);
      return change;
    });
  }

  /** The next page; an empty one is the end. */
  async function page(
    collection: string,
    from: TimeCursor,
    limit: number | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly changes: readonly Change[]; readonly next: TimeCursor }> {
    // From the last known record on, to see that it is still where it was.
    const again = from.count > 0 ? 1 : 0;
    const query: Record<string, string> = { offset: String(from.count - again) };
    if (limit !== undefined) query.limit = String(limit + again);
    if (from.since !== null) query.since = new Date(from.since).toISOString();
    const found = await read(collection, query, signal);
    const changes = again ? follow(found, from.count, from.last) : found;
    if (changes) {
      const max = changes.reduce((newest, { timestamp = 0 }) => Math.max(newest, timestamp), from.max);
      const last = changes.at(-1)?.recordId ?? from.last;
      return { changes, next: { ...from, count: from.count + changes.length, last, max } };
    }
    if (from.moves >= MAX_MOVES)
      throw problem('CONNECTION_LOST', `"${collection}" changes faster than its pages can be read; it is tried again.`);
    return page(collection, { ...from, count: 0, moves: from.moves + 1 }, limit, signal);
  }

  const start = (since: number | null, max: number): TimeCursor => ({ since, count: 0, last: '', max, moves: 0 });

  /** Everything. */
  async function all(collection: string, signal: AbortSignal): Promise<Change[]> {
    const found = new Map<string, Change>();
    for (let from = start(null, 0); ; ) {
      const { changes, next } = await page(collection, from, undefined, signal);
      if (changes.length === 0) return [...found.values()];
      for (const change of changes) found.set(change.recordId, change);
      from = next;
    }
  }

  function requestFor(change: OutgoingChange): Omit<HttpRequest, 'signal'> {
    const { type, collection, recordId, data, patch, unset, baseVersion } = change;
    const timestamp = new Date(change.timestamp).toISOString();
    if (type === 'delete') return { method: 'DELETE', path: pathOf(collection, recordId) };
    // A patch cannot remove a field.
    if (type === 'update' && patch && !unset) {
      const body = JSON.stringify({ delta: patch, baseVersion: numberIn(baseVersion), timestamp });
      return { method: 'PATCH', path: pathOf(collection, recordId), body };
    }
    return { method: 'POST', path: pathOf(collection), body: JSON.stringify({ recordId, data, timestamp }) };
  }

  async function fetch(collection: string, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
    const wanted = new Set(ids);
    return (await all(collection, signal)).filter(({ recordId }) => wanted.has(recordId));
  }

  async function pushOne(change: OutgoingChange, signal: AbortSignal): Promise<PushResult> {
    const { type, collection, recordId, baseVersion } = change;
    const what = `The ${type} of ${collection}/${recordId}`;
    let request: Omit<HttpRequest, 'signal'>;
    try {
      request = requestFor(change);
    } catch (error) {
      return { type: 'rejected', error: error as SyncLayerError };
    }
    const reply = await http({ ...request, signal });
    checkReply(what, reply);
    const { status, reason } = reply;
    // No answer tells a version. The one that it started from stays, so that the next pull brings the true one.
    if (status < 400 || (type === 'delete' && status === 404)) return { type: 'applied', version: baseVersion ?? '' };
    if (status === 409 || (status === 404 && type === 'update')) {
      const [current] = await fetch(collection, [recordId], signal);
      const { version = baseVersion ?? '', timestamp } = current ?? {};
      const data = current?.type === 'update' ? current.data : null;
      return { type: 'conflict', current: { data, version, ...(timestamp !== undefined && { timestamp }) } };
    }
    return { type: 'rejected', error: problem('PUSH_REJECTED', `${what} was refused with ${status}. ${reason}`) };
  }

  return {
    async pull({ collection, cursor, start: begins, limit, signal }: PullRequest): Promise<PullPage> {
      // A cursor of a server that counts changes says nothing here.
      const stored = isObject(cursor) && 'max' in cursor ? (cursor as unknown as TimeCursor) : undefined;
      const from = !stored ? start(null, 0) : begins ? start(stored.max - overlap, stored.max) : stored;
      const { changes, next } = await page(collection, from, limit, signal);
      return { changes, cursor: next as unknown as Cursor };
    },

    /** One after another; `tell` gets each that was applied, as the socket wants it. */
    async push(
      changes: readonly OutgoingChange[],
      signal: AbortSignal,
      tell: (message: WriteMessage) => void,
    ): Promise<PushResult[]> {
      const results: PushResult[] = [];
      for (const change of changes) {
        const known = done.has(change.opId);
        const result: PushResult = known
          ? { type: 'applied', version: change.baseVersion ?? '' }
          : await pushOne(change, signal);
        results.push(result);
        if (known || result.type !== 'applied') continue;
        done.add(change.opId);
        const { type, collection, recordId } = change;
        const data = (type === 'update' && change.patch) || change.data;
        tell({ type, collection, recordId, ...(data && { data }), timestamp: new Date().toISOString() });
      }
      done.clear();
      return results;
    },

    async *keys(collection: string, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      yield (await all(collection, signal)).map(({ recordId, version }) => ({ recordId, version }));
    },

    fetch,
  };
}

export type Original = ReturnType<typeof createOriginal>;
