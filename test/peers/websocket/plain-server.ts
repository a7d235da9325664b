import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { WebSocket, WebSocketServer } from 'ws';

type Row = Record<string, unknown>;

interface PlainRecord {
  data: Row;
  version: number;
  updatedAt: string;
}

export interface PlainServerOptions {
  /** Where it wants the token: in the URL, as its documentation recommends, or as the first message. Default: nowhere. */
  readonly auth?: 'query' | 'message';
  readonly token?: string;
  /** It answers every GET with all that was changed since, whatever `limit` and `offset` say. */
  readonly ignoresPaging?: boolean;
  /** It never gives more than this in one page. */
  readonly pageCap?: number;
  /** The clock of `updatedAt`. */
  readonly now?: () => string;
  readonly port?: number;
}

/**
 * A server as the original protocol's documentation has it (its Node example: Express and ws), with the REST endpoints
 * that Flutter apps call. It has no sequence numbers and no acknowledgements, does not echo to the sender, hands on the
 * fields that it was sent, tells nobody of what came by REST, and forgets what is deleted.
 */
export async function startPlainServer(options: PlainServerOptions = {}) {
  const { auth, token, now = () => new Date().toISOString() } = options;
  const collections = new Map<string, Map<string, PlainRecord>>();
  const subscribers = new Map<string, Set<WebSocket>>();
  const seen = { requests: [] as string[], messages: [] as Row[] };

  const records = (name: string): Map<string, PlainRecord> => {
    const found = collections.get(name) ?? new Map<string, PlainRecord>();
    collections.set(name, found);
    return found;
  };

  /** Returns the version; undefined if there is nothing to change. */
  function save(type: string, collection: string, id: string, data: Row | undefined): number | undefined {
    const table = records(collection);
    const before = table.get(id);
    if (type === 'delete') {
      table.delete(id);
      return undefined;
    }
    const version = (before?.version ?? 0) + 1;
    table.set(id, { data: type === 'update' ? { ...before?.data, ...data } : { ...data }, version, updatedAt: now() });
    return version;
  }

  // REST

  const app = express();
  app.use(express.json({ limit: '20mb' }));
  app.use((request, response, next) => {
    seen.requests.push(`${request.method} ${request.originalUrl}`);
    server.onRequest();
    if (!auth || request.headers.authorization === `Bearer ${token}`) next();
    else response.status(401).json({ error: 'Invalid token', code: 'AUTH_FAILED' });
  });
  app.get('/sync/:collection', (request, response) => {
    const { since, limit, offset } = request.query as Record<string, string | undefined>;
    const changed = [...records(request.params.collection)]
      .filter(([, { updatedAt }]) => since === undefined || Date.parse(updatedAt) >= Date.parse(since))
      .sort(([, a], [, b]) => (a.updatedAt < b.updatedAt ? -1 : a.updatedAt > b.updatedAt ? 1 : 0));
    const from = Number(offset ?? 0);
    const count = Math.min(Number(limit ?? Number.POSITIVE_INFINITY), options.pageCap ?? Number.POSITIVE_INFINITY);
    const page = options.ignoresPaging ? changed : changed.slice(from, from + count);
    response.json({ records: page.map(([recordId, record]) => ({ recordId, ...record })) });
  });
  app.post('/sync/:collection', (request, response) => {
    const { recordId, data } = request.body as { recordId: string; data: Row };
    save('insert', request.params.collection, recordId, data);
    response.json({ ok: true });
  });
  app.patch('/sync/:collection/:id', (request, response) => {
    const { collection, id } = request.params;
    if (!records(collection).has(id)) {
      response.status(404).json({ error: 'No such record', code: 'RECORD_NOT_FOUND' });
      return;
    }
    save('update', collection, id, (request.body as { delta: Row }).delta);
    response.json({ ok: true });
  });
  app.delete('/sync/:collection/:id', (request, response) => {
    save('delete', request.params.collection, request.params.id, undefined);
    response.status(204).end();
  });

  // WebSocket

  const http = createServer(app);
  const wss = new WebSocketServer({ server: http });
  wss.on('connection', (socket, request) => {
    const say = (message: Row): void => socket.send(JSON.stringify(message));
    let admitted = auth === undefined;
    if (auth === 'query') {
      admitted = new URL(request.url ?? '/', 'ws://localhost').searchParams.get('token') === token;
      if (!admitted) {
        say({ type: 'error', error: 'Invalid token', code: 'AUTH_FAILED' });
        socket.close();
        return;
      }
    }
    socket.on('close', () => {
      for (const set of subscribers.values()) set.delete(socket);
    });
    socket.on('message', (text) => {
      const message = JSON.parse(String(text)) as Row & { collection: string; recordId: string; data?: Row };
      seen.messages.push(message);
      if (!admitted) {
        admitted = auth === 'message' && message.type === 'auth' && message.token === token;
        say(admitted ? { type: 'authenticated' } : { type: 'error', error: 'Invalid token' });
        if (!admitted) socket.close();
        return;
      }
      const { type, collection, recordId, data } = message;
      const set = subscribers.get(collection) ?? new Set();
      subscribers.set(collection, set);
      switch (type) {
        case 'subscribe':
          set.add(socket);
          say({ type: 'subscribed', collection, metadata: { recordCount: records(collection).size } });
          return;
        case 'unsubscribe':
          set.delete(socket);
          say({ type: 'unsubscribed', collection });
          return;
        case 'ping':
          say({ type: 'pong' });
          return;
        case 'insert':
        case 'update':
        case 'delete': {
          const version = save(type, collection, recordId, data);
          const metadata = { ...(version !== undefined && { version }), userId: 'somebody' };
          const event = JSON.stringify({ type, collection, recordId, data, timestamp: now(), metadata });
          for (const other of set) if (other !== socket && other.readyState === WebSocket.OPEN) other.send(event);
          return;
        }
        default:
          say({ type: 'error', error: `Unknown message type: ${type}`, code: 'INVALID_MESSAGE' });
      }
    });
  });
  http.listen(options.port ?? 0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;

  const server = {
    port,
    url: `ws://127.0.0.1:${port}`,
    httpUrl: `http://127.0.0.1:${port}`,
    /** What it holds, and may be changed under its hands. */
    records,
    /** What it was asked and told. */
    seen,
    /** Called before each HTTP request is answered. */
    onRequest: () => {},
    get connections(): number {
      return wss.clients.size;
    },
    cut(): void {
      for (const socket of wss.clients) socket.terminate();
    },
    async close(): Promise<void> {
      const closed = once(http, 'close');
      http.close();
      for (const socket of wss.clients) socket.terminate();
      http.closeAllConnections();
      await closed;
    },
  };
  return server;
}

export type PlainServer = Awaited<ReturnType<typeof startPlainServer>>;
