import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Database } from '../database.js';
import type { Claims, Tokens } from '../tokens.js';
import { claimsOf } from './auth.js';
import { readBody } from './body.js';
import type { Catalog } from './catalog.js';
import { asPostgrestError, PostgrestError } from './errors.js';
import { type Preferences, parsePreferences } from './preferences.js';
import { parseQuery, type Query } from './query.js';
import { callFunction } from './rpc.js';
import { readStatement, type Statement, writeStatement } from './sql.js';

export interface PostgrestOptions {
  readonly database: Database;
  readonly catalog: Catalog;
  readonly tokens: Tokens;
  readonly maxRows: number;
  /** Those that are exposed; the first one is meant where a request names none. */
  readonly schemas: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Call {
  readonly schema: string;
  readonly method: string;
  /** Below `/rest/v1/`, decoded. */
  readonly path: readonly string[];
  readonly params: URLSearchParams;
  readonly request: IncomingMessage;
  readonly body: string;
  readonly claims: Claims;
  readonly preferences: Preferences;
  /** One object instead of a list. */
  readonly single: boolean;
}

interface Rows {
  readonly body: string;
  readonly page_total: number;
  readonly total?: number | null;
  readonly updated?: number;
}

const SINGLE = 'application/vnd.pgrst.object+json';

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString('utf8');
}

/** The schema that is asked for; the first exposed one, where none is. */
function schemaOf(request: IncomingMessage, method: string, schemas: readonly string[]): string {
  const header = request.headers[method === 'GET' || method === 'HEAD' ? 'accept-profile' : 'content-profile'];
  const [first = 'public'] = schemas;
  const schema = typeof header === 'string' ? header : first;
  if (!schemas.includes(schema))
    throw new PostgrestError(406, 'PGRST106', `Invalid schema: ${schema}`, {
      hint: `Only the following schemas are exposed: ${schemas.join(', ')}`,
    });
  return schema;
}

function checkAccept(request: IncomingMessage): boolean {
  const accepted = (request.headers.accept ?? '*/*').split(',').map((part) => part.split(';')[0]?.trim() ?? '');
  if (accepted.includes(SINGLE)) return true;
  if (!accepted.some((type) => ['*/*', 'application/*', 'application/json'].includes(type)))
    throw new PostgrestError(406, 'PGRST107', `None of these media types are available: ${request.headers.accept}`);
  return false;
}

/** The `Range` header, where the query has neither limit nor offset. */
function withRange(query: Query, request: IncomingMessage): Query {
  const [, from, to] = /^(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined || query.limit !== undefined || query.offset !== 0) return query;
  return { ...query, offset: Number(from), limit: to === '' ? undefined : Number(to) - Number(from) + 1 };
}

function checkRange({ limit, offset }: Query): void {
  if ((limit ?? 0) < 0 || offset < 0)
    throw new PostgrestError(416, 'PGRST103', 'Requested range not satisfiable', {
      details: 'Limit should be greater than or equal to zero.',
    });
}

const contentRange = (offset: number, rows: number, total: number | null | undefined): string =>
  `${rows === 0 ? '*' : `${offset}-${offset + rows - 1}`}/${total ?? '*'}`;

function singleBody({ body, page_total: rows }: Rows): string {
  if (rows !== 1)
    throw new PostgrestError(406, 'PGRST116', 'Cannot coerce the result to a single JSON object', {
      details: `The result contains ${rows} rows`,
    });
  return body.slice(1, -1);
}

export function createPostgrest({ database, catalog, tokens, maxRows, schemas }: PostgrestOptions) {
  /** One transaction with the rights of the bearer. `check` may still undo it. */
  const run = (call: Call, statement: Statement, check: (rows: Rows) => void): Promise<Rows> =>
    database.with('authenticator', async (client) => {
      const { claims, method, path } = call;
      await client.query(method === 'GET' || method === 'HEAD' ? 'begin read only' : 'begin');
      try {
        const settings = `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
          set_config('request.method', $3, true), set_config('request.path', $4, true)`;
        await client.query(settings, [claims.role, JSON.stringify(claims), method, `/${path.join('/')}`]);
        const { rows } = await client.query<Rows>(statement.text, [...statement.values]);
        const [row] = rows;
        if (row === undefined) throw new Error('The statement gave no row.');
        check(row);
        await client.query(call.preferences.rollback ? 'rollback' : 'commit');
        return row;
      } catch (cause) {
        await client.query('rollback').catch(() => {});
        throw cause;
      }
    });

  const headersOf = (call: Call, range: string, withBody: boolean): Record<string, string> => ({
    'Content-Range': range,
    ...(call.preferences.applied === '' ? {} : { 'Preference-Applied': call.preferences.applied }),
    ...(withBody
      ? {
          'Content-Type': `${call.single ? SINGLE : 'application/json'}; charset=utf-8`,
          'Content-Profile': call.schema,
        }
      : {}),
  });

  const read = async (call: Call, name: string): Promise<Answer> => {
    const query = withRange(parseQuery(call.params), call.request);
    checkRange(query);
    const table = await catalog.table(call.schema, name);
    const limit = Math.min(query.limit ?? maxRows, maxRows);
    const rows = await run(call, readStatement(table, query, limit, call.preferences.count), () => {});
    const range = contentRange(query.offset, rows.page_total, rows.total);
    const { total } = rows;
    if (typeof total === 'number' && query.offset > total) {
      const details = `An offset of ${query.offset} was requested, but there are only ${total} rows.`;
      const body = JSON.stringify({
        code: 'PGRST103',
        details,
        hint: null,
        message: 'Requested range not satisfiable',
      });
      return { status: 416, body, headers: headersOf(call, range, true) };
    }
    const partial = typeof total === 'number' && rows.page_total < total;
    const body = call.single ? singleBody(rows) : rows.body;
    return { status: partial ? 206 : 200, body, headers: headersOf(call, range, true) };
  };

  const write = async (call: Call, name: string, kind: 'insert' | 'update' | 'delete'): Promise<Answer> => {
    const { preferences } = call;
    const query = parseQuery(call.params);
    const table = await catalog.table(call.schema, name);
    const contentType = call.request.headers['content-type'];
    const body = kind === 'delete' ? undefined : readBody(call.body, contentType, query.columns);
    const returning = preferences.returning === 'representation';
    const answer = (rows: Rows): Answer => {
      const total = preferences.count ? rows.page_total : null;
      const range = contentRange(0, kind === 'update' ? rows.page_total : 0, total);
      const created = kind === 'insert' && rows.page_total !== rows.updated ? 201 : 200;
      const status = kind === 'insert' ? created : returning ? 200 : 204;
      if (!returning) return { status, body: '', headers: headersOf(call, range, false) };
      return { status, body: call.single ? singleBody(rows) : rows.body, headers: headersOf(call, range, true) };
    };
    const nothing = body?.empty === true || (kind === 'update' && body?.columns.length === 0);
    if (nothing) return answer({ body: '[]', page_total: 0, updated: -1 });
    const statement = writeStatement(table, query, {
      kind,
      body: body?.text ?? '',
      columns: body?.columns ?? [],
      returning,
      missingDefault: preferences.missingDefault,
      resolution: kind === 'insert' ? preferences.resolution : undefined,
    });
    const rows = await run(call, statement, (found) => {
      if (call.single) singleBody(found);
      if (preferences.maxAffected !== undefined && found.page_total > preferences.maxAffected)
        throw new PostgrestError(400, 'PGRST124', 'Query result exceeds max-affected preference constraint', {
          details: `The query affects ${found.page_total} rows`,
        });
    });
    // Rows that were ignored count as created.
    const updated = preferences.resolution === 'merge-duplicates' ? (rows.updated ?? 0) : -1;
    return answer({ ...rows, updated });
  };

  const rpc = async (call: Call, name: string): Promise<Answer> => {
    const args = call.method === 'GET' ? JSON.stringify(Object.fromEntries(call.params)) : call.body;
    const statement = await callFunction(database, call.schema, name, args);
    const rows = await run(call, statement, () => {});
    return { status: 200, body: rows.body, headers: headersOf(call, contentRange(0, rows.page_total, null), true) };
  };

  const route = (call: Call): Promise<Answer> => {
    const [name = '', inner, ...deeper] = call.path;
    if (name === 'rpc' && inner !== undefined && deeper.length === 0) return rpc(call, inner);
    if (name === '' || inner !== undefined)
      throw new PostgrestError(404, 'PGRST125', 'Invalid path specified in request URL');
    switch (call.method) {
      case 'GET':
      case 'HEAD':
        return read(call, name);
      case 'POST':
        return write(call, name, 'insert');
      case 'PATCH':
        return write(call, name, 'update');
      case 'DELETE':
        return write(call, name, 'delete');
      default:
        throw new PostgrestError(405, 'PGRST117', `Unsupported HTTP method: ${call.method}`);
    }
  };

  let away = 0;
  const blank: Answer = {
    status: 400,
    body: '{"code":"","details":null,"hint":null,"message":""}',
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    let anonymous = true;
    try {
      const { method = 'GET', headers } = request;
      const url = new URL(request.url ?? '/', 'http://localhost');
      const body = await readAll(request);
      const claims = await claimsOf(tokens, headers.authorization);
      anonymous = claims.role === 'anon';
      const prefer = headers.prefer;
      const preferences = parsePreferences(Array.isArray(prefer) ? prefer.join(',') : prefer);
      const schema = schemaOf(request, method, schemas);
      const path = url.pathname.split('/').slice(3).map(decodeURIComponent);
      const single = checkAccept(request);
      const { searchParams: params } = url;
      return await route({ schema, method, path, params, request, body, claims, preferences, single });
    } catch (cause) {
      const error = asPostgrestError(cause, anonymous);
      // While its database crashes some requests, of each kind, are answered without a code (seen with 14.17).
      if (error.code === 'PGRST002' && ++away % 3 === 0) return blank;
      const { code, details, hint, message } = error;
      const headers = { 'Content-Type': 'application/json; charset=utf-8', 'Proxy-Status': `PostgREST; error=${code}` };
      return {
        status: error.status,
        body: JSON.stringify({ code, details, hint, message }),
        headers: { ...headers, ...error.headers },
      };
    }
  };

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { status, body, headers } = await answer(request);
    response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
  };
}
