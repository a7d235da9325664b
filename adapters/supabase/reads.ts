import type { SupabaseClient } from '@supabase/supabase-js';
import { inParts } from '../../src/adapter-kit/ask-http.js';
import {
  type Change,
  type Cursor,
  isTimeout,
  joined,
  type PullPage,
  type PullRequest,
  type RecordKey,
  type Row,
  type TransportHost,
  type Version,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { cursorAfter, cursorOf, type TimeCursor } from '../../src/adapter-kit/postgres-cursor.js';
import { type Columns, changeOf, isSendable } from '../../src/adapter-kit/postgres-rows.js';
import { stampOf, timeOf, versionOf } from '../../src/adapter-kit/postgres-time.js';
import { serverClock } from '../../src/adapter-kit/server-clock.js';
import { createUploads } from '../../src/adapter-kit/uploads.js';
import type { RestFailure } from './errors.js';
import type { Link } from './link.js';
import { type ParsedOptions, problem } from './options.js';
import { behind, conditionOf, inUrls, listOf, nameOf, type Table } from './table.js';

/** What is used of supabase-js' builders, whose types want to know the whole database. */
export interface Query
  extends PromiseLike<{ data: unknown; error: Omit<RestFailure, 'status'> | null; status: number }> {
  select(columns: string): Query;
  filter(column: string, operator: string, value: string): Query;
  or(conditions: string): Query;
  order(column: string): Query;
  limit(rows: number): Query;
  abortSignal(signal: AbortSignal): Query;
  retry(yes: boolean): Query;
  setHeader(name: string, value: string): Query;
}
export interface From {
  select(columns: string): Query;
  upsert(rows: readonly Row[], how: object): Query;
  update(columns: Row): Query;
  delete(): Query;
}

export interface Answer {
  readonly rows: readonly Columns[];
  readonly serverTime: number | undefined;
}

/** The version of a row that was read to complete an event: newer than any event of that stamp, whichever that was. */
export const completeVersion = (version: Version): string => `${version}~`;

/** Keys per request; PostgREST gives fewer where `db-max-rows` says so. */
const KEYS = 1000;

/** The schema of a table: its own, else the client's. */
export const schemaOf = (client: SupabaseClient, { schema }: Table): string =>
  schema ?? (client as unknown as { rest?: { schemaName?: string } }).rest?.schemaName ?? 'public';

/** Asks PostgREST for something, with the token and the limit of a request. */
function createRequest(link: Link, { requestTimeout }: ParsedOptions, host: () => TransportHost) {
  const uploads = createUploads();
  return async (
    what: string,
    kind: 'read' | 'write',
    table: Table,
    build: (from: From) => Query,
    signal: AbortSignal,
  ): Promise<Answer> => {
    const { client, token } = await link.request();
    const rest = client.schema(schemaOf(client, table));
    let serverTime: number | undefined;
    let heard = (): void => undefined;
    let wait: (more: number) => void = heard;
    let bytes = 0;
    let isAnswered = false;
    const counted: typeof fetch = async (input, init) => {
      const sentAt = Date.now();
      bytes = typeof init?.body === 'string' ? init.body.length : 0;
      host().traffic('out', bytes);
      wait(uploads.limit(bytes));
      // The client's own: it knows the keys and what the app gave for fetch.
      const response = await (rest.fetch ?? fetch)(input, init);
      isAnswered = true;
      uploads.met(bytes, Date.now() - sentAt);
      heard();
      serverTime = serverClock(response, sentAt, host());
      host().traffic('in', Number(response.headers.get('content-length') ?? 0));
      return inParts(response, heard);
    };
    const ask = async (limited: AbortSignal, onHeard: (more?: number) => void) => {
      wait = onHeard;
      heard = () => {
        onHeard();
        host().alive?.(signal);
      };
      const query = build(rest.from(table.table, { fetch: counted }) as unknown as From).abortSignal(limited);
      const signed = token === undefined ? query : query.setHeader('Authorization', `Bearer ${token}`);
      return signed.retry(false);
    };
    const { data, error, status } = await joined([signal], ask, requestTimeout).catch((cause: unknown) => {
      if (signal.aborted) throw problem('CLOSED', `${what} was given up.`);
      if (!isAnswered && isTimeout(cause)) uploads.missed(bytes);
      const why = isTimeout(cause) ? ` within ${requestTimeout} ms` : '';
      throw problem('CONNECTION_LOST', `${what} got no answer${why}. Is the server up?`, { cause });
    });
    if (signal.aborted) throw problem('CLOSED', `${what} was given up.`);
    if (error) {
      // In a chunk of its own: most requests work.
      const { restError } = await loadPart(() => import('./errors.js'));
      const failure = restError(what, kind, { ...error, status });
      throw host().refused?.(token, failure) ?? failure;
    }
    if (!Array.isArray(data)) throw problem('PROTOCOL_VIOLATION', `${what} was answered without rows (${status}).`);
    return { rows: data, serverTime };
  };
}

/** Only the rows of the collection's own condition. */
function filtered(query: Query, { where }: Table): Query {
  const condition = where && conditionOf(where);
  return condition ? query.filter(condition.column, condition.operator, condition.value) : query;
}

/** Where a pull begins: behind the last row, or at its start back in time for what was committed late. */
function beginning(query: Query, table: Table, from: TimeCursor | undefined, start: boolean, overlap: number): Query {
  const time = nameOf(table.updatedAt);
  if (from && !start)
    // The first condition says less than the second; it lets an index be used.
    return query.filter(time, 'gte', from.at).or(behind(table, from.at, from.id));
  const since = from?.max ? new Date(timeOf(from.max) - overlap).toISOString() : '-infinity';
  return query.filter(time, 'gte', since);
}

function learn(table: Table, rows: readonly Columns[]): void {
  const [row] = rows;
  if (row) table.learn(table.resolve(row));
}

/** All that is read, and how to ask. */
export function createReads(link: Link, options: ParsedOptions, host: () => TransportHost) {
  const request = createRequest(link, options, host);

  function toChange(table: Table, row: Columns): Change[] {
    const change = changeOf(table, table.resolve(row));
    if (change) return [change];
    const { collection, id, updatedAt } = table;
    host().report(
      problem('PROTOCOL_VIOLATION', `A row of "${collection}" has no usable ${id} or ${updatedAt}; it was skipped.`),
    );
    return [];
  }

  async function byIds(table: Table, ids: readonly string[], signal: AbortSignal, all: boolean): Promise<Change[]> {
    const parts = inUrls(ids.filter(isSendable), (id) => id);
    const changes: Change[] = [];
    for (const part of parts) {
      const { rows } = await request(
        `Reading rows of "${table.collection}"`,
        'read',
        table,
        (from) => {
          const query = from.select(table.select).filter(nameOf(table.id), 'in', listOf(part));
          return all ? query : filtered(query, table);
        },
        signal,
      );
      learn(table, rows);
      const found = rows.flatMap((row) => toChange(table, row));
      changes.push(...(all ? found : found.map((row) => ({ ...row, version: completeVersion(row.version) }))));
    }
    return changes;
  }

  return {
    request,

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      const [time, key] = [nameOf(table.updatedAt), nameOf(table.id)];
      let from = cursorOf(cursor);
      for (let first = start; ; first = false) {
        const { rows, serverTime } = await request(
          `Reading "${table.collection}"`,
          'read',
          table,
          (query) =>
            beginning(filtered(query.select(table.select), table), table, from, first, options.overlap)
              .order(time)
              .order(key)
              .limit(limit),
          signal,
        );
        learn(table, rows);
        const changes = rows.flatMap((row) => toChange(table, row));
        from = cursorAfter({ ...table, id: 'sl_key' }, rows, from, serverTime) ?? from;
        // Empty would say that this is the end.
        if (changes.length === 0 && rows.length > 0) continue;
        const next = (from ?? { at: '-infinity', id: '', max: '' }) as unknown as Cursor;
        return { changes, cursor: next };
      }
    },

    /** The rows of these ids as they are now, deleted ones too. */
    fetch: (table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> =>
      byIds(table, ids, signal, false),
    /** The same, whatever the collection's condition says: what stands in the way of a write. */
    current: (table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> =>
      byIds(table, ids, signal, true),

    async *keys(table: Table, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      const { updatedAt, deletedAt } = table;
      const key = nameOf(table.id);
      const select = `sl_key:${key}::text,sl_time:${nameOf(updatedAt)}`;
      for (let last: string | undefined; ; ) {
        const { rows } = await request(
          `Reading the keys of "${table.collection}"`,
          'read',
          table,
          (from) => {
            let query = filtered(from.select(select), table).filter(nameOf(updatedAt), 'gte', '-infinity');
            if (deletedAt !== undefined) query = query.filter(nameOf(deletedAt), 'is', 'null');
            if (last !== undefined) query = query.filter(key, 'gt', last);
            return query.order(key).limit(KEYS);
          },
          signal,
        );
        if (rows.length === 0) return;
        last = String(rows.at(-1)?.sl_key);
        yield rows.map((row) => {
          const stamp = stampOf(row.sl_time);
          return { recordId: String(row.sl_key), ...(stamp !== undefined && { version: versionOf(stamp) }) };
        });
      }
    },
  };
}

export type Reads = ReturnType<typeof createReads>;
