import { askGraphql } from '../../src/adapter-kit/graphql.js';
import { headerToken } from '../../src/adapter-kit/header-token.js';
import {
  type Change,
  type Cursor,
  isObject,
  OUTSIDE_LIMIT,
  type PullPage,
  type PullRequest,
  type RecordKey,
  type TransportHost,
  toSyncLayerError,
  within,
} from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { cursorAfter, cursorOf, type TimeCursor } from '../../src/adapter-kit/postgres-cursor.js';
import { type Columns, changeOf, isSendable, keyOf } from '../../src/adapter-kit/postgres-rows.js';
import { stampOf, timeOf, versionOf } from '../../src/adapter-kit/postgres-time.js';
import { createUploads } from '../../src/adapter-kit/uploads.js';
import { type ParsedOptions, problem } from './options.js';
import { allOf, behind, type Document, dated, keysDocument, notDeleted, pageDocument, type Table } from './table.js';

interface Answer {
  /** By root field. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The server's clock, in ms, where the platform shows it: browsers hide it from other origins. */
  readonly serverTime: number | undefined;
}

/** Keys in one page, ids in one request. */
const MOST = 1000;

/** What to sign requests and the socket with. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly token: string | undefined;
}

const noHeaders = () =>
  problem('CONNECT_FAILED', `headers() has not answered for ${OUTSIDE_LIMIT} ms; it is asked again.`);

function createRequests(options: ParsedOptions, host: () => TransportHost) {
  const { url, fetch, requestTimeout } = options;
  const uploads = createUploads();

  /** Asks for the token and the headers. Throws AUTH_REQUIRED, also for a token that no header can carry. */
  async function credentials(): Promise<Credentials> {
    const token = headerToken(await host().authToken(options.authToken), problem);
    const { headers } = options;
    const more =
      typeof headers === 'function' ? await within(headers(), { ms: OUTSIDE_LIMIT, late: noHeaders }) : headers;
    return { token, headers: { ...more, ...(token !== undefined && { Authorization: `Bearer ${token}` }) } };
  }

  async function request(
    what: string,
    kind: 'read' | 'write',
    query: Document,
    variables: object,
    signal: AbortSignal,
    signed?: Credentials,
  ): Promise<Answer> {
    const { headers, token } = signed ?? (await credentials());
    const http = { url, fetch, requestTimeout, uploads, problem, host: host() };
    const sent = {
      body: JSON.stringify({ query, variables }),
      headers: { 'Content-Type': 'application/json', ...headers },
    };
    const { response, text, said, serverTime } = await askGraphql(http, what, sent, signal);
    const { data, errors } = said ?? {};
    // Also beside data: what could not be read is not empty.
    if (Array.isArray(errors) || !response.ok || !isObject(data)) {
      // In a chunk of its own: most requests work.
      const { graphqlError, httpError } = await loadPart(() => import('./errors.js'));
      const error = Array.isArray(errors) ? graphqlError(what, kind, errors) : httpError(what, response.status, text);
      throw host().refused?.(token, error) ?? error;
    }
    return { data, serverTime: serverTime() };
  }

  return { credentials, request };
}

/** All that goes by HTTP. */
export function createReads(options: ParsedOptions, host: () => TransportHost) {
  const { credentials, request } = createRequests(options, host);
  /** Called with each row that is read or written, by collection. */
  const observers = new Map<string, (change: Change) => void>();

  async function rows(
    what: string,
    document: Document,
    variables: object,
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly Columns[]; readonly serverTime: number | undefined }> {
    const { data, serverTime } = await request(what, 'read', document, variables, signal);
    if (!Array.isArray(data.rows)) throw problem('PROTOCOL_VIOLATION', `${what} was answered without rows.`);
    return { rows: data.rows.map((row) => Object(row)), serverTime };
  }

  /** The row's change, or none with a report. */
  function toChange(table: Table, row: unknown): Change[] {
    try {
      const change = changeOf(table, row);
      if (change) {
        observers.get(table.collection)?.(change);
        return [change];
      }
      const what = `A row of "${table.collection}" has no usable ${table.id} or ${table.updatedAt}`;
      host().report(problem('PROTOCOL_VIOLATION', `${what}; it was skipped.`));
    } catch (error) {
      host().report(toSyncLayerError(error, 'PROTOCOL_VIOLATION', 'A row was skipped.'));
    }
    return [];
  }

  /** Where a pull begins: behind the last row, or at its start back in time for what was committed late. */
  function beginning(table: Table, from: TimeCursor | undefined, start: boolean): object {
    if (from && !start) return behind(table, from.at, from.id);
    if (!from?.max) return dated(table);
    return { [table.updatedAt]: { _gte: new Date(timeOf(from.max) - options.overlap).toISOString() } };
  }

  async function byIds(table: Table, ids: readonly string[], signal: AbortSignal, all = false) {
    const missing = new Set(ids.filter(isSendable));
    const present = new Set<string>();
    const changes: Change[] = [];
    let serverTime: number | undefined;
    while (missing.size > 0) {
      const some = [...missing].slice(0, MOST);
      const keys = { [table.id]: { _in: some.map(table.keyValue) } };
      const variables = { where: allOf(all ? undefined : table.where, keys), limit: MOST };
      const page = await rows(`Reading rows of "${table.collection}"`, pageDocument(table), variables, signal);
      changes.push(...page.rows.flatMap((row) => toChange(table, row)));
      const found = page.rows.map((row) => String(row[table.id]));
      for (const id of found) present.add(id);
      // A role's limit may have cut it: only what a page without news was asked for is not there. Rows that were not asked for by that
      // text are no news: the database may write a key its own way (a uuid in lower case), and would be asked for ever.
      const news = found.filter((id) => missing.has(id));
      for (const id of news.length > 0 ? news : some) missing.delete(id);
      serverTime = page.serverTime;
    }
    return { changes, present, serverTime };
  }

  return {
    observers,
    credentials,
    request,
    rows,
    toChange,

    async pull(table: Table, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      let from = cursorOf(cursor);
      for (let first = start; ; first = false) {
        const variables = { where: allOf(table.where, beginning(table, from, first)), limit };
        const page = await rows(`Reading "${table.collection}"`, pageDocument(table), variables, signal);
        const { serverTime } = page;
        const changes = page.rows.flatMap((row) => toChange(table, row));
        from = cursorAfter(table, page.rows, from, serverTime) ?? from;
        // Empty would say that this is the end.
        if (changes.length === 0 && page.rows.length > 0) continue;
        const next = (from ?? { at: '', id: '', max: '' }) as unknown as Cursor;
        return { changes, cursor: next };
      }
    },

    /**
     * The rows of these ids as they are now, those marked as deleted too. `all`: whatever the table's condition says, as for
     * what stands in the way of a write. `present`: all ids that are there, also of rows that cannot be used.
     */
    byIds,

    async *keys(table: Table, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      const { id: key, updatedAt } = table;
      for (let last: string | undefined; ; ) {
        const after = last === undefined ? undefined : { [key]: { _gt: table.keyValue(last) } };
        const variables = { where: allOf(table.where, notDeleted(table), dated(table), after), limit: MOST };
        const what = `Reading the keys of "${table.collection}"`;
        const { rows: found } = await rows(what, keysDocument(table), variables, signal);
        if (found.length === 0) return;
        yield found.map((row) => {
          const stamp = stampOf(row[updatedAt]);
          last = keyOf(row[key]);
          if (last === undefined) throw problem('PROTOCOL_VIOLATION', `${what} gave one that JSON cannot hold.`);
          return { recordId: last, ...(stamp !== undefined && { version: versionOf(stamp) }) };
        });
      }
    },
  };
}

export type Reads = ReturnType<typeof createReads>;
