import { askGraphql } from '../../src/adapter-kit/graphql.js';
import {
  type Change,
  type Cursor,
  isObject,
  isSyncLayerError,
  type PullPage,
  type PullRequest,
  parseUrl,
  type RecordKey,
  type SyncLayerError,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { createUploads } from '../../src/adapter-kit/uploads.js';
import type { ErrorEntry, errorOf } from './errors.js';
import { COMPLETE, fromItem, idOf } from './normalize.js';
import { type ParsedOptions, problem } from './options.js';
import type { FieldRequest, Item, Request, Table } from './table.js';

/** What is to be let in. */
export type Purpose = 'http' | 'connect' | 'start';

/** Headers that let a request in. Also those of a subscription, which go as JSON over the socket. */
export interface Authorizer {
  /** For a request of this body by HTTP, for the beginning of a socket (`connect`, whose body is `{}`), or for a subscription. */
  headers(body: string, what: Purpose): Promise<Record<string, string>>;
  /** The token in such headers, where there is one. */
  tokenIn(headers: Readonly<Record<string, string>>): string | undefined;
  /** What to fail with, where something that such headers should have let in failed. */
  explain(headers: Readonly<Record<string, string>>, error: SyncLayerError): SyncLayerError;
}

/** How requests and subscriptions are let in. Asked for each of them: others renew tokens and keys. */
export function createAuthorizer(
  { auth, authToken, url, region }: ParsedOptions,
  host: () => TransportHost,
): Authorizer {
  const name = parseUrl(url)?.host ?? '';
  const tokenIn = (headers: Readonly<Record<string, string>>): string | undefined =>
    auth.type === 'apiKey' || auth.type === 'iam' ? undefined : headers.Authorization;
  return {
    async headers(body, what) {
      if (auth.type === 'apiKey') return { host: name, 'x-api-key': auth.apiKey };
      if (auth.type === 'iam') {
        const { signedHeaders } = await loadPart(() => import('./sign.js'));
        return signedHeaders(auth, { url, region }, what, body, host());
      }
      const token = await host().authToken(authToken);
      // The platform's own error for such a header quotes it.
      if (!token || !/^[\x20-\x7e]+$/.test(token))
        throw problem('AUTH_REQUIRED', 'There is no token that a header can carry. Sign in, or set authToken.');
      return { host: name, Authorization: token };
    },
    tokenIn,
    explain: (headers, error) => host().refused?.(tokenIn(headers), error) ?? error,
  };
}

/** What a query or a mutation was answered with. */
export interface Answer {
  readonly data: Readonly<Record<string, unknown>>;
  /** Of single fields: the rest of `data` is good. */
  readonly errors: readonly ErrorEntry[];
  /** The server's clock, ms, where the platform shows it. */
  readonly serverTime: number | undefined;
}

export type Ask = (what: string, kind: 'read' | 'write', request: Request, signal: AbortSignal) => Promise<Answer>;

/** `errorOf`, which is in a chunk of its own: most requests work. */
const failureOf = async (...about: Parameters<typeof errorOf>): Promise<SyncLayerError> => {
  const part = await loadPart(() => import('./errors.js'));
  return part.errorOf(...about);
};

/** Queries and mutations. Resolves where GraphQL answered, whatever it said of single fields; rejects otherwise. */
export function createAsk(options: ParsedOptions, authorizer: Authorizer, host: () => TransportHost): Ask {
  const { url, requestTimeout, fetch } = options;
  const uploads = createUploads();
  return async (what, kind, request, signal) => {
    const body = JSON.stringify({ query: request.query, variables: request.variables });
    const signed = await authorizer.headers(body, 'http');
    // The platform sets the host itself.
    const { host: _, ...headers } = signed;
    if (signal.aborted) throw problem('CLOSED', `${what} was given up.`);
    const http = { url, requestTimeout, fetch, uploads, problem, host: host() };
    const sent = { body, headers: { 'content-type': 'application/json', ...headers } };
    const { response, said, serverTime } = await askGraphql(http, what, sent, signal);
    const { data, errors = [] } = (said ?? {}) as Partial<Pick<Answer, 'data' | 'errors'>>;
    // An error that names no field is about the whole request.
    if (response.status >= 400 || data == null || errors.some(({ path }) => path == null))
      throw authorizer.explain(signed, await failureOf(what, kind, response.status, said && errors));
    return { data, errors, serverTime: serverTime() };
  };
}

/** Where a catch-up stands. Times are the server's, ms, but for `begun`. */
export interface Place {
  /** What was changed since then is to be read; left out: everything. */
  readonly since?: number | undefined;
  /** All rows are read, so that those which are not among them are gone. */
  readonly snapshot?: true | undefined;
  /** The reading has ended: an empty page is to say so. */
  readonly done?: boolean | undefined;
  /** While the pages of one reading are on their way: the next one. */
  readonly token?: string | undefined;
  /** What the reading began with, `overlap` included; left out: everything. */
  readonly from?: number | undefined;
  /** When it began, by our clock; only differences of it are used. */
  readonly begun?: number | undefined;
  /** With conflict detection: when it began, by the server's. */
  readonly startedAt?: number | undefined;
  /** Without: the newest change that it saw. */
  readonly newest?: number | undefined;
  /** It was interrupted: what has changed meanwhile in the part that was read is still to be read. */
  readonly again?: boolean | undefined;
}

/** A stored cursor. Anything strange is the beginning. */
export function placeOf(cursor: Cursor | null): Place {
  const place = Object(cursor) as Place;
  return typeof place.since === 'number' || place.token ? place : {};
}

/** What a catch-up begins with: a new reading, or the rest of one that was interrupted. */
export const begin = ({ since, ...reading }: Place): Place =>
  reading.token ? { since, ...reading, again: true } : { since };

export interface PageFacts {
  readonly token: string | undefined;
  readonly startedAt: number | undefined;
  /** The newest change on the page; 0: there is none. */
  readonly newest: number;
}

/** Where it stands after a page. */
export function advance(place: Place, page: PageFacts, now: number): Place {
  const { since, from, begun = now } = place;
  const { token } = page;
  const startedAt = place.startedAt ?? page.startedAt;
  const newest = Math.max(place.newest ?? 0, page.newest);
  const snapshot = place.snapshot ?? (from === undefined || undefined);
  if (token) return { ...place, snapshot, token, startedAt, newest };
  // A scan has no order: a row can change behind it, before the newest that it saw. That row's change is no older than the
  // scan's beginning, and the newest no younger than its end.
  const next = startedAt ?? (newest && newest - Math.max(0, now - begun));
  // 0 for an empty table: the next reading must not be taken for a snapshot, since a scan may lag behind the first rows.
  return { since: Math.max(next, since ?? 0), snapshot, done: !place.again };
}

/** The beginning of a new reading. */
function startOf({ versioned }: Table, place: Place, { overlap, deltaTtl }: ParsedOptions): Place {
  const begun = Date.now();
  const from = place.since === undefined ? undefined : Math.max(0, place.since - overlap);
  // What the delta table has forgotten only the base table holds. Asked for without `lastSync`, it is that for certain.
  const forgotten = versioned && from !== undefined && from < begun - deltaTtl;
  return { ...place, begun, from: forgotten ? undefined : from };
}

/** Rows by id in one query: each costs AppSync a resolver. */
const BATCH = 25;

/** Keys per request; DynamoDB reads at most 1 MB for a page. */
const KEYS = 1000;

/** Items by their ids. `unreadable`: it is there; `hidden`: if so, not for this user. */
export type ById = Map<string, Item | 'unreadable' | 'hidden'>;

/** Pages and items, and what cannot be read of them. */
function createPages(ask: Ask, host: () => TransportHost) {
  /** What was reported: the same item is read again and again. */
  const reported = new Set<string>();
  function report(code: 'VALIDATION_FAILED' | 'PROTOCOL_VIOLATION', message: string): void {
    if (reported.has(message)) return;
    reported.add(message);
    host().report(problem(code, message));
  }

  /** Reports what cannot be read of single items. Throws where that is no fault of theirs. `depth`: of an item's own path. */
  async function itemErrors(what: string, errors: readonly ErrorEntry[], depth: number): Promise<void> {
    for (const entry of errors) {
      const error = await failureOf(what, 'read', 200, [entry]);
      const isOfItem = Array.isArray(entry.path) && entry.path.length >= depth;
      // A null where the schema allows none comes without a type, or as a failure of AppSync's own.
      const isFinal = error.code === 'SUBSCRIBE_REJECTED' || /non-null/.test(String(entry.message));
      if (!isOfItem || !isFinal) throw error;
      const field = entry.path.length > depth ? ` (${String(entry.path.at(-1))})` : '';
      report(
        'VALIDATION_FAILED',
        `${what}: a part of an item${field} cannot be read: ${String(entry.message)}. It is left out. Correct it at its source.`,
      );
    }
  }

  /** `items` of a page. One that cannot be read, e.g. for a field that must not be null and is, keeps no others back. */
  async function page(what: string, request: FieldRequest, signal: AbortSignal) {
    const { data, errors, serverTime } = await ask(what, 'read', request, signal);
    const found = data[request.field];
    if (!isObject(found) || !Array.isArray(found.items))
      throw await failureOf(what, 'read', 200, errors.length > 0 ? errors : [{ message: `no ${request.field}` }]);
    await itemErrors(what, errors, 3);
    const { nextToken, startedAt } = found as { nextToken?: string | null; startedAt?: number };
    const items: readonly unknown[] = found.items.filter((item) => item !== null);
    const incomplete = items.length < found.items.length;
    return { items, incomplete, token: nextToken ?? undefined, startedAt, serverTime: startedAt ?? serverTime };
  }

  /** The delta table holds each change by itself: of a row only the newest on the page is news. */
  function toChanges(table: Table, items: readonly unknown[]) {
    const changes = new Map<string, Change>();
    let incomplete = false;
    for (const item of items) {
      const change = isObject(item) ? fromItem(table, item) : undefined;
      const before = change && changes.get(change.recordId);
      if (change && !(before && before.version > change.version)) changes.set(change.recordId, change);
      if (change) continue;
      incomplete = true;
      const id = isObject(item) ? idOf(table, item) : undefined;
      const what = id === undefined ? 'An item' : `The item ${JSON.stringify(id)}`;
      const lacks = id === undefined ? 'usable key' : table.versioned ? '_version' : `usable ${table.updatedAt}`;
      report(
        'PROTOCOL_VIOLATION',
        `${what} of "${table.collection}" has no ${lacks}; it is left out. Set it once, by any write.`,
      );
    }
    return { changes: [...changes.values()], incomplete };
  }

  return { itemErrors, page, toChanges };
}

/** All that is read by HTTP. */
export function createReads(ask: Ask, options: ParsedOptions, host: () => TransportHost) {
  const { itemErrors, page, toChanges } = createPages(ask, host);
  /** Each is charged for; a query that finds nothing costs as much as one. */
  const count = (rows: number): void => host().reads?.(Math.max(1, rows));

  async function next(table: Table, from: Place, limit: number, signal: AbortSignal) {
    const place = from.token ? from : startOf(table, from, options);
    const request = table.page({ from: place.from, limit, nextToken: place.token });
    const what = `Reading "${table.collection}"`;
    const read = await page(what, request, signal);
    // A filter is applied to what was read: a page that is not the last has read as much as it may hold.
    count(read.token && !table.versioned ? Math.max(limit, read.items.length) : read.items.length);
    const { serverTime = Number.POSITIVE_INFINITY } = read;
    const { changes, incomplete } = toChanges(table, read.items);
    // A time in the future must not hide those of the present.
    const newest = Math.max(0, ...changes.map(({ timestamp = 0 }) => Math.min(timestamp, serverTime)));
    return {
      changes,
      incomplete: incomplete || read.incomplete,
      serverTime: read.startedAt,
      at: advance(place, { ...read, newest }, Date.now()),
    };
  }

  async function byIds(table: Table, ids: readonly string[], signal: AbortSignal): Promise<ById> {
    const what = `Reading rows of "${table.collection}"`;
    const found: ById = new Map();
    for (let from = 0; from < ids.length; from += BATCH) {
      const part = ids.slice(from, from + BATCH);
      const { data, errors } = await ask(what, 'read', table.get(part), signal);
      count(part.length);
      await itemErrors(what, errors, 1);
      for (const [at, id] of part.entries()) {
        const item = data[`a${at}`];
        if (isObject(item)) found.set(id, fromItem(table, item) ? item : 'unreadable');
        else {
          const entry = errors.find(({ path }) => (path as readonly unknown[])[0] === `a${at}`);
          if (entry) found.set(id, entry.errorType === 'Unauthorized' ? 'hidden' : 'unreadable');
        }
      }
    }
    return found;
  }

  return {
    byIds,

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      let place = placeOf(cursor);
      let changes: readonly Change[] = [];
      let incomplete = false;
      let serverTime: number | undefined;
      if (start) place = begin(place);
      let resumed = start && place.token !== undefined;
      // An empty page may have others behind it: filters are applied to what was read.
      while (changes.length === 0 && !place.done) {
        try {
          const read = await next(table, place, limit, signal);
          ({ changes, serverTime, at: place } = read);
          incomplete ||= read.incomplete;
        } catch (error) {
          if (!(resumed && isSyncLayerError(error) && error.code === 'SUBSCRIBE_REJECTED')) throw error;
          // The token of an interrupted reading may be too old by now.
          place = { since: place.since, snapshot: place.snapshot };
        }
        resumed = false;
      }
      return {
        changes,
        cursor: (changes.length > 0 ? place : { since: place.since }) as unknown as Cursor,
        ...(place.snapshot && { snapshot: true }),
        ...(incomplete && { incomplete }),
        ...(serverTime !== undefined && { serverTime }),
      };
    },

    /** The rows of these ids as they are now, deleted ones too where they leave a trace. */
    async fetch(table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
      const found = await byIds(table, ids, signal);
      return [...found.values()].flatMap((item) =>
        typeof item === 'string' ? [] : (fromItem(table, item, COMPLETE) ?? []),
      );
    },

    async *keys(table: Table, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      const what = `Reading the keys of "${table.collection}"`;
      // A scan may not see yet what was written a moment ago.
      yield table.recent().map((recordId) => ({ recordId }));
      for (let nextToken: string | undefined; ; ) {
        const read = async (select: 'key' | 'id') => {
          const found = await page(what, table.page({ select, limit: KEYS, nextToken }), signal);
          count(found.items.length);
          return found;
        };
        let { items, token, incomplete } = await read('key');
        // What cannot be read of an item may be its version: it is there all the same.
        if (incomplete) ({ items, token, incomplete } = await read('id'));
        if (incomplete) throw problem('PROTOCOL_VIOLATION', `${what} gave an item without its key.`);
        yield items.flatMap((item) => {
          if (!isObject(item) || (table.versioned && item._deleted === true)) return [];
          const recordId = idOf(table, item);
          if (recordId === undefined) throw problem('PROTOCOL_VIOLATION', `${what} gave an item without its key.`);
          const version = table.versionOf(item);
          return [{ recordId, ...(version !== undefined && { version }) }];
        });
        if (token === undefined) return;
        nextToken = token;
      }
    },
  };
}

export type Reads = ReturnType<typeof createReads>;
