import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { createProject, type SqlRow } from './database.js';
import { createCatalog } from './postgrest/catalog.js';
import { createPostgrest } from './postgrest/postgrest.js';
import { type Delays, FAST_DELAYS } from './realtime/delays.js';
import { createBroadcastApi } from './realtime/http.js';
import type { RateLimit } from './realtime/rate.js';
import { createRealtime } from './realtime/realtime.js';
import { type Claims, createTokens } from './tokens.js';

export { type Delays, FAST_DELAYS, REAL_DELAYS } from './realtime/delays.js';
export type { RateLimit } from './realtime/rate.js';

export interface SupabasePeerOptions {
  /** A running Postgres, which it shares and leaves running. Default: one of its own. */
  readonly postgres?: Postgres;
  /** SQL to run before it serves: tables, policies, `alter publication supabase_realtime add table ...`. */
  readonly schema?: string;
  /** How long Realtime takes over things, in ms. Default `FAST_DELAYS`; `REAL_DELAYS` is as a real server. */
  readonly delays?: Partial<Delays>;
  /** Realtime drops events above it without a word. A real project has 100 a second over 60 000 ms. Default: no limit. */
  readonly rateLimit?: RateLimit;
  /** PostgREST's `db-max-rows`: a longer answer is cut without a word. Default 1000. */
  readonly maxRows?: number;
  /** Schemas that PostgREST exposes, beside `public`. */
  readonly exposed?: readonly string[];
}

/** A Supabase project on this machine: real PostgreSQL, and PostgREST and Realtime as far as supabase-js uses them. */
export interface SupabasePeer {
  /** For `createClient(url, anonKey)`. */
  readonly url: string;
  /** Role `anon`. */
  readonly anonKey: string;
  /** Role `service_role`, which no policy holds back. */
  readonly serviceKey: string;
  /** For `pg`: the owner of the database. */
  readonly databaseUrl: string;
  /** Sockets that Realtime has open. */
  readonly sockets: number;
  /** Runs SQL as the owner of the database: a hand on the data that passes neither PostgREST nor Realtime. */
  sql(text: string, params?: readonly unknown[]): Promise<SqlRow[]>;
  /**
   * A token of this project. Role `authenticated` unless `claims` say otherwise.
   * `expiresIn` is in seconds, and may be negative. Default: it does not expire.
   */
  token(claims?: Claims, options?: { readonly expiresIn?: number }): Promise<string>;
  /** Cuts every socket of Realtime as a lost network does (1006), or with a close code. Clients may connect at once. */
  cutRealtime(code?: number): void;
  /** Realtime is gone (1006; `restart`: 1012), and upgrades are answered with 502, until `startRealtime`. */
  killRealtime(how?: 'kill' | 'restart'): Promise<void>;
  /** Realtime is back, and cold. */
  startRealtime(): void;
  /** Realtime starts its replication anew: every live channel gets `system` ok once more. */
  repeatSystemOk(): Promise<void>;
  /** Resolves when Realtime has sent all that was committed before. */
  delivered(): Promise<void>;
  /** Postgres restarts; Realtime's sockets stay, and what is committed until it is back is never sent. */
  restartPostgres(options?: { readonly crash?: boolean }): Promise<void>;
  /** PostgREST's schema cache is not reloaded until `reloadSchema`: what a migration makes meanwhile is PGRST204 and PGRST205. */
  holdSchema(): Promise<void>;
  reloadSchema(): void;
  /** Postgres is away until `startPostgres`: PostgREST answers 503, and now and then 400 with an empty code. */
  stopPostgres(options?: { readonly crash?: boolean }): Promise<void>;
  startPostgres(): Promise<void>;
  /** Ends everything. After it resolves no process, socket, timer or file is left. */
  close(): Promise<void>;
}

const SECRET = 'a secret of this machine only, and of at least 32 characters';

function answerOptions(response: ServerResponse): void {
  response.writeHead(200).end();
}

/** A browser's page may come from anywhere. */
function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  const { origin, 'access-control-request-headers': headers } = request.headers;
  response.setHeader('Access-Control-Allow-Origin', origin ?? '*');
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS');
  if (headers !== undefined) response.setHeader('Access-Control-Allow-Headers', headers);
  response.setHeader('Access-Control-Expose-Headers', 'Content-Range, Content-Profile, Location, Preference-Applied');
}

/**
 * Starts a Supabase project on 127.0.0.1. Postgres takes most of the second that it needs: share a peer between the tests
 * of a file, or give several peers one `postgres`.
 *
 * @throws an Error with Postgres's last words, where Postgres cannot start.
 *
 * @example
 * const peer = await startSupabasePeer({
 *   schema: `create table todos (id text primary key, text text, updated_at timestamptz default now());
 *     alter publication supabase_realtime add table todos`,
 * });
 * const client = createClient(peer.url, peer.anonKey);
 * await client.from('todos').insert({ id: '1', text: 'Buy milk' });
 * await peer.sql(`update todos set text = 'Buy bread' where id = $1`, ['1']);
 * await peer.close();
 */
export async function startSupabasePeer(options: SupabasePeerOptions = {}): Promise<SupabasePeer> {
  const postgres = options.postgres ?? (await startPostgres());
  const release = options.postgres === undefined ? postgres.close : () => Promise.resolve();
  try {
    return await serve(postgres, options, release);
  } catch (cause) {
    await release();
    throw cause;
  }
}

async function serve(
  postgres: Postgres,
  options: SupabasePeerOptions,
  release: () => Promise<void>,
): Promise<SupabasePeer> {
  const database = await createProject(postgres, options.schema);
  const tokens = createTokens(SECRET);
  const realtime = createRealtime({
    database,
    tokens,
    delays: { ...FAST_DELAYS, ...options.delays },
    rateLimit: options.rateLimit,
  });
  const catalog = createCatalog(database);
  const schemas = ['public', ...(options.exposed ?? [])];
  const postgrest = createPostgrest({
    database,
    catalog,
    tokens,
    maxRows: options.maxRows ?? 1000,
    schemas,
  });
  const broadcast = createBroadcastApi(realtime, tokens);
  const server = createServer((request, response) => {
    allowOrigin(request, response);
    if (request.method === 'OPTIONS') answerOptions(response);
    else if (request.url?.startsWith('/rest/v1') === true) void postgrest(request, response);
    else if (request.url?.startsWith('/realtime/v1/api/broadcast') === true) void broadcast(request, response);
    else response.writeHead(404).end('{"message":"no Route matched with those values"}');
  });
  server.on('upgrade', (request, socket, head) => void realtime.upgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  const [anonKey, serviceKey] = await Promise.all(['anon', 'service_role'].map((role) => tokens.sign({ role })));
  const now = (): number => Math.floor(Date.now() / 1000);

  return {
    url: `http://127.0.0.1:${address.port}`,
    anonKey: anonKey ?? '',
    serviceKey: serviceKey ?? '',
    databaseUrl: database.url,
    get sockets() {
      return realtime.connections;
    },
    sql: (text, params) => database.query(text, params),
    token: (claims = {}, { expiresIn } = {}) =>
      tokens.sign({ role: 'authenticated', ...(expiresIn === undefined ? {} : { exp: now() + expiresIn }), ...claims }),
    cutRealtime: (code) => realtime.cut(code ?? 'crash'),
    killRealtime: (how = 'kill') => realtime.stop(how),
    startRealtime: realtime.start,
    repeatSystemOk: realtime.resubscribe,
    delivered: realtime.delivered,
    holdSchema: () => catalog.hold(schemas),
    reloadSchema: catalog.reload,
    restartPostgres: async (how) => {
      await postgres.stop(how);
      await postgres.start();
    },
    stopPostgres: postgres.stop,
    startPostgres: postgres.start,
    close: async () => {
      await realtime.stop('kill');
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await database.close();
      await release();
    },
  };
}
