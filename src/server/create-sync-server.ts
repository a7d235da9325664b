import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { SyncLayerError } from '../base/errors.js';
import { createAccess } from './access.js';
import { createAuthenticator } from './authenticate.js';
import { type ServerCollection, serverCollection } from './collection.js';
import { createCommitter } from './committer.js';
import { createConnections } from './connections.js';
import { createFanOut } from './fan-out.js';
import { readOptions, type SyncServerOptions } from './options.js';
import { createRest, type RestHandler } from './rest.js';
import { createSweep } from './retention.js';

export interface SyncServerStats {
  /** Open WebSocket connections. */
  readonly connections: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Events that a slow consumer did not get; it was told to pull. */
  readonly dropped: number;
}

export interface SyncServer {
  /** `ws://127.0.0.1:PORT/ws`. With `options.server` it throws CLOSED until that listens. */
  readonly url: string;
  /** `http://127.0.0.1:PORT`, with `httpPath` behind it. */
  readonly httpUrl: string;
  /** REST, to be mounted where `options.server` has its own handler: `app.use(server.handler)`. */
  readonly handler: RestHandler;
  /** Open WebSocket connections. */
  readonly connections: number;
  /** Reads and writes as the server itself. */
  collection(name: string): ServerCollection;
  /** Cuts every connection: at once, or with a close frame if `code` is given. */
  dropConnections(options?: { readonly code?: number }): void;
  stats(): SyncServerStats;
  /** Resolves when every socket is closed, and the HTTP server unless it is yours. May be called again. */
  close(): Promise<void>;
}

/** How long clients have to answer the close, ms. */
const GRACE = 500;

async function loadWs(): Promise<typeof import('ws')> {
  try {
    return await import('ws');
  } catch (cause) {
    throw new SyncLayerError('PEER_MISSING', 'synclayer/server needs the package "ws". Run: npm install ws', {
      adapter: 'server',
      cause,
    });
  }
}

const urlOf = (request: IncomingMessage): URL | undefined => {
  const path = request.url ?? '/';
  return URL.canParse(path, 'http://localhost') ? new URL(path, 'http://localhost') : undefined;
};

function rejectUpgrade(socket: Duplex, status: string): void {
  // Nobody else listens, and the client may be gone already.
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/**
 * Starts a server that speaks the SyncLayer protocol over WebSocket and REST. It also serves Flutter apps on
 * synclayer 1.7 as they are.
 *
 * Throws CONFIG_INVALID (an option is wrong), PEER_MISSING (`ws` is not installed), CONNECT_FAILED (the port is taken).
 *
 * @example
 * const server = await createSyncServer({
 *   port: 8080,
 *   store: sqliteServerStore({ path: 'sync.db' }),
 *   authenticate: async (token) => token ? { id: await userIdOf(token) } : null,
 *   authorize: ({ action, user, row }) => action !== 'read' || row.owner === user?.id,
 * });
 * server.url; // ws://127.0.0.1:8080/ws
 * await server.close();
 */
export async function createSyncServer(options: SyncServerOptions = {}): Promise<SyncServer> {
  const settings = readOptions(options);
  const { store, now, path, httpPath, log } = settings;
  const { WebSocketServer } = await loadWs();

  store.open(now);
  const access = createAccess(settings);
  const authenticate = createAuthenticator(settings);
  const fanOut = createFanOut();
  const sweep = createSweep(settings);
  const committer = createCommitter(settings, access, fanOut.publish, sweep);
  const connections = createConnections({ settings, access, authenticate, committer, fanOut, sweep });
  const stats = (): SyncServerStats => ({ connections: connections.size, ...connections.counters });
  const health = () => ({ status: 'ok', connections: connections.size });
  let closing: Promise<void> | undefined;
  const isClosed = () => closing !== undefined;
  const handler = createRest({ settings, access, authenticate, committer, sweep, health, isClosed });

  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: settings.maxPayload,
    perMessageDeflate: settings.perMessageDeflate,
  });
  const http = settings.server ?? createServer(handler);

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = urlOf(request);
    if (url?.pathname !== path) {
      // On a shared server the path may be somebody else's, unless there is nobody else.
      if (http.listenerCount('upgrade') === 1) rejectUpgrade(socket, '404 Not Found');
      return;
    }
    if (connections.size >= settings.maxConnections) return rejectUpgrade(socket, '503 Service Unavailable');
    wss.handleUpgrade(request, socket, head, (ws: WebSocket) => {
      // Flutter apps put the token in as it is: the plus of a base64 token must not become a space.
      connections.add(ws, socket, request, url.searchParams.get('token')?.replaceAll(' ', '+'));
    });
  };
  http.on('upgrade', upgrade);

  if (!settings.server) {
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject);
      http.listen(settings.port, settings.host, () => {
        http.off('error', reject);
        resolve();
      });
    }).catch((cause: unknown) => {
      connections.stop();
      store.close();
      const where = `${settings.host}:${settings.port}`;
      throw new SyncLayerError('CONNECT_FAILED', `Cannot listen on ${where}; is the port in use?`, {
        adapter: 'server',
        cause,
      });
    });
    http.on('error', (error) => log('error', 'The HTTP server failed', { error }));
  }

  const origin = (): string => {
    const address = http.address();
    if (!address || typeof address === 'string') {
      throw new SyncLayerError('INVALID_STATE', 'The HTTP server has no address; call listen() on it first', {
        adapter: 'server',
      });
    }
    return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  };
  // The port is gone once the server is closed, but a URL in a log must not throw then.
  const known = settings.server ? undefined : origin();

  async function shutDown(): Promise<void> {
    http.off('upgrade', upgrade);
    committer.flush();
    const down = settings.server ? undefined : new Promise<void>((resolve) => http.close(() => resolve()));
    await connections.close(GRACE);
    if (!settings.server) http.closeAllConnections();
    await down;
    committer.flush();
    store.close();
  }

  return {
    get url() {
      return `ws://${known ?? origin()}${path}`;
    },
    get httpUrl() {
      return `http://${known ?? origin()}${httpPath}`;
    },
    get connections() {
      return connections.size;
    },
    handler,
    stats,
    collection: (name) => serverCollection(name, { settings, committer }),
    dropConnections: ({ code } = {}) => connections.drop(code),
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}
