import { once } from 'node:events';
import { createServer } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { WebSocketServer } from 'ws';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { createDatabase, type Database } from './database.js';
import { fromPostgres, HasuraError } from './failure.js';
import { applyMetadata, createMetadata, type Operation, type Permissions, type TablePermissions } from './metadata.js';
import { prepare } from './request.js';
import { buildSchema } from './schema/build.js';
import { readCatalog } from './schema/catalog.js';
import { type NamingConvention, namesOf, type TableConfiguration } from './schema/names.js';
import { tablesOf } from './schema/role.js';
import { type Engine, serveConnection } from './server/connection.js';
import { createHttp } from './server/http.js';
import { createPollers } from './server/pollers.js';
import { isLegacy } from './server/refusal.js';
import { lowerCased, openSession, signToken, type TokenOptions } from './session.js';

export type { Permissions, TablePermissions } from './metadata.js';
export type { TableConfiguration } from './schema/names.js';
export type { TokenOptions } from './session.js';

export interface HasuraPeerOptions {
  /** A running Postgres, which it shares and leaves running. Default: one of its own. */
  readonly postgres?: Postgres;
  /** SQL to run before it serves: tables in `public`, triggers. */
  readonly schema?: string;
  /** The tables that it serves, by name, with what `pg_track_table` takes as `configuration`. Default: all of `public`. */
  readonly tables?: Readonly<Record<string, TableConfiguration>>;
  /** Who may do what, by role and table. An admin may do everything. */
  readonly permissions?: Permissions;
  /** Null: everybody is an admin. */
  readonly adminSecret?: string | null;
  /** HS256, at least 32 characters. Null: no tokens, only the admin secret. */
  readonly jwtSecret?: string | null;
  /** The role of whoever brings no token. Default: they are refused. */
  readonly unauthorizedRole?: string;
  readonly namingConvention?: NamingConvention;
  /** bigint, numeric and double precision as strings. Default false. */
  readonly stringifyNumeric?: boolean;
  /** How a `connection_init` is refused depends on it, and `1.3` knows only the older subprotocol. Default `2.48.1`. */
  readonly version?: string;
  /** Between two polls of a subscription, ms. Default 1000, as Hasura. */
  readonly pollInterval?: number;
  /** Between two pings of the server, ms. Default 5000, as Hasura. */
  readonly pingInterval?: number;
  /** For the `connection_init`, ms. Default 3000, as Hasura. */
  readonly initTimeout?: number;
  /**
   * Subscriptions that saw Postgres away stay silent once it is back (graphql-engine#5099); `without a word`: they are not told that it
   * was away either. Default false.
   */
  readonly silentAfterRestart?: boolean | 'without a word';
  /** Default: any. */
  readonly port?: number;
}

/** A Hasura on this machine: real PostgreSQL behind GraphQL as Hasura v2 makes it, with Hasura's own faults. */
export interface HasuraPeer {
  /** `http://127.0.0.1:N/v1/graphql`, for HTTP. */
  readonly url: string;
  /** The same for WebSockets. */
  readonly wsUrl: string;
  readonly adminSecret: string;
  /** For `pg`: the owner of the database. */
  readonly databaseUrl: string;
  /** Sockets that are open. */
  readonly sockets: number;
  /** Sockets taken since the start. */
  readonly accepted: number;
  /** Subscriptions that run. */
  readonly subscriptions: number;
  /** Runs SQL as the owner of the database: a hand on the data that does not pass Hasura. New tables need a `reload`. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Reads the catalog anew and tracks `tables`. Sockets are closed with 1012, as at every change of metadata. */
  reload(...tables: readonly string[]): Promise<void>;
  /** Grants, or with undefined takes away, one right of a role. Sockets are closed with 1012, as Hasura does. */
  permit<Kind extends Operation>(role: string, table: string, kind: Kind, to: TablePermissions[Kind] | undefined): void;
  /** A token for a role, default `user`. */
  token(options?: TokenOptions): Promise<string>;
  /** False: the auth webhook is away, so that nobody is let in, by HTTP as by socket. */
  webhook(there: boolean): void;
  /**
   * From now on every request and poll is answered with this code, whatever it asks for, as by a Hasura that is overloaded:
   * `postgres-max-connections-error`, `rate-limit-exceeded`, `unexpected`. Undefined: no more.
   */
  trouble(code: string | undefined): void;
  /** Requests by HTTP that were answered since the start. */
  readonly requests: number;
  /** Cuts every socket as a lost network does (1006), or with a close code. Clients may connect at once. */
  cut(code?: number, reason?: string): void;
  /** It is gone (1006, and connections are refused) until `start`. Postgres stays. */
  kill(): Promise<void>;
  /** It is back, on the same port and data. */
  start(): Promise<void>;
  /** Postgres restarts; sockets stay. */
  restartPostgres(options?: { readonly crash?: boolean }): Promise<void>;
  /** Postgres is away until `startPostgres`: every poll tells so. */
  stopPostgres(options?: { readonly crash?: boolean }): Promise<void>;
  startPostgres(): Promise<void>;
  /** Ends everything. After it resolves no process, socket, timer or file is left. */
  close(): Promise<void>;
}

/** What Hasura says with a code that is about the whole backend. */
const words: Readonly<Record<string, string>> = {
  'postgres-max-connections-error': 'max connections reached on postgres',
  'rate-limit-exceeded': 'request rejected due to exceeding the rate limit',
  unexpected: 'database query error',
};

const JWT_SECRET = 'a secret of this machine only, and of at least 32 characters';

/**
 * Starts a Hasura on 127.0.0.1. Postgres takes most of the second that it needs: share a peer between the tests of a file,
 * or give several peers one `postgres`.
 *
 * @throws an Error with Postgres's last words, where Postgres cannot start.
 *
 * @example
 * const peer = await startHasuraPeer({
 *   schema: 'create table todos (id uuid primary key, text text, owner text, updated_at timestamptz default now())',
 *   permissions: { user: { todos: { select: { columns: '*', filter: { owner: { _eq: 'X-Hasura-User-Id' } } } } } },
 * });
 * const token = await peer.token({ userId: 'ann' });
 * await fetch(peer.url, {
 *   method: 'POST',
 *   headers: { authorization: `Bearer ${token}` },
 *   body: JSON.stringify({ query: '{ todos { id text } }' }),
 * });
 * await peer.close();
 */
export async function startHasuraPeer(options: HasuraPeerOptions = {}): Promise<HasuraPeer> {
  const postgres = options.postgres ?? (await startPostgres());
  const release = options.postgres === undefined ? postgres.close : () => Promise.resolve();
  try {
    return await serve(postgres, await createDatabase(postgres, options.schema), options, release);
  } catch (cause) {
    await release();
    throw cause;
  }
}

async function serve(
  postgres: Postgres,
  database: Database,
  options: HasuraPeerOptions,
  release: () => Promise<void>,
): Promise<HasuraPeer> {
  const { version = '2.48.1', stringifyNumeric = false, pingInterval = 5000, initTimeout = 3000 } = options;
  const adminSecret = options.adminSecret === null ? undefined : (options.adminSecret ?? 'the admin secret');
  const jwtSecret = options.jwtSecret === null ? undefined : (options.jwtSecret ?? JWT_SECRET);
  const names = namesOf(options.namingConvention ?? 'hasura-default');
  const pollers = createPollers({
    interval: options.pollInterval ?? 1000,
    silentAfterRestart: options.silentAfterRestart ?? false,
  });

  let catalog = await readCatalog(database);
  const metadata = createMetadata(options.permissions ?? {});
  for (const table of catalog.keys())
    if (options.tables === undefined || Object.hasOwn(options.tables, table))
      metadata.track(table, options.tables?.[table]);
  const schemas = new Map<string, GraphQLSchema>();
  const schemaOf = (role: string): GraphQLSchema => {
    const schema = schemas.get(role) ?? buildSchema(tablesOf(role, metadata, catalog, names), names);
    schemas.set(role, schema);
    return schema;
  };

  let webhook = true;
  let trouble: string | undefined;
  let requests = 0;
  const engine: Engine = {
    async openSession(headers) {
      // What Hasura answers when the hook does not.
      if (!webhook) throw new HasuraError('unexpected', 'Internal Server Error');
      return openSession(headers, { adminSecret, jwtSecret, unauthorizedRole: options.unauthorizedRole });
    },
    prepare: ({ role }, request) => prepare(schemaOf(role), request, !metadata.blind.has(role)),
    async run(session, prepared, cursor) {
      if (trouble !== undefined) throw new HasuraError(trouble, words[trouble] ?? trouble);
      const context = { session, stringifyNumeric, ...(cursor && { cursor }) };
      if (prepared.kind !== 'mutation') return prepared.run({ ...context, query: database.query });
      try {
        return await database.transaction((query) => prepared.run({ ...context, query }));
      } catch (cause) {
        throw fromPostgres(cause, '$');
      }
    },
  };

  const sockets = new WebSocketServer({
    noServer: true,
    // Before 2.1 it answers with the older subprotocol whatever is asked for.
    handleProtocols: () => (isLegacy(version) ? 'graphql-ws' : 'graphql-transport-ws'),
  });
  let accepted = 0;
  const cut = (code?: number, reason?: string): void => {
    for (const socket of sockets.clients)
      if (code === undefined) socket.terminate();
      else socket.close(code, reason);
  };
  /** What was built of the metadata is built anew, and clients have to come again. */
  const changed = (): void => {
    schemas.clear();
    cut(1012, 'Server state changed, restarting the server');
  };
  const reload = async (...tables: readonly string[]): Promise<void> => {
    catalog = await readCatalog(database);
    for (const table of tables) metadata.track(table);
    changed();
  };

  const http = createHttp({
    engine,
    version,
    metadata(call) {
      const result = applyMetadata(metadata, new Set(catalog.keys()), call);
      changed();
      return result;
    },
    async sql(text) {
      await database.sql(text).catch((cause) => {
        throw fromPostgres(cause, '$');
      });
      await reload();
    },
  });
  const server = createServer((request, response) => {
    requests++;
    void http(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    // This peer does not speak the older subprotocol, which Hasura still does.
    const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/, */);
    if (request.url?.split('?')[0] !== '/v1/graphql') return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    if (!offered.includes('graphql-transport-ws')) return void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (client) => {
      accepted++;
      sockets.emit('connection', client, request);
      const headers = lowerCased(request.headers);
      serveConnection(client, { engine, pollers, version, pingInterval, initTimeout, headers });
    });
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The server has no port.');
    return address.port;
  };
  const kill = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    cut();
    server.closeAllConnections();
    await once(server, 'close');
    await pollers.close();
  };
  const port = await listen(options.port ?? 0);

  return {
    url: `http://127.0.0.1:${port}/v1/graphql`,
    wsUrl: `ws://127.0.0.1:${port}/v1/graphql`,
    adminSecret: adminSecret ?? '',
    databaseUrl: database.url,
    get sockets() {
      return sockets.clients.size;
    },
    get accepted() {
      return accepted;
    },
    get subscriptions() {
      return pollers.active;
    },
    sql: database.sql,
    reload,
    permit(role, table, kind, to) {
      metadata.permit(role, table, kind, to);
      changed();
    },
    trouble(code) {
      trouble = code;
    },
    get requests() {
      return requests;
    },
    token: (token) => signToken(jwtSecret ?? JWT_SECRET, token),
    webhook(there) {
      webhook = there;
    },
    cut,
    kill,
    start: async () => void (await listen(port)),
    async restartPostgres(how) {
      await postgres.stop(how);
      await postgres.start();
    },
    stopPostgres: postgres.stop,
    startPostgres: postgres.start,
    async close() {
      await kill();
      await database.close();
      await release();
    },
  };
}
