import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { websocketTransport } from '../../../adapters/websocket/index.js';
import { createSyncServer, type SyncServer } from '../../../src/server/index.js';
import { sqliteServerStore } from '../../../src/server/sqlite-store.js';
import { type ConformanceBackend, createTcpProxy, describeTransport } from '../../../src/testing/index.js';

/** Closes a connection whose token is no longer good, as this server's applications do. */
const UNAUTHORIZED = 4401;

interface WebSocketBackend extends ConformanceBackend {
  readonly url: string;
  readonly baseUrl: string;
  token(): string;
  expire(): Promise<void>;
  readonly hidden: Set<string>;
}

/** Our server over a SQLite file, behind a proxy that can break every connection to it. */
async function startBackend(): Promise<WebSocketBackend> {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-conformance-'));
  const hidden = new Set<string>();
  let generation = 0;
  let handedOut = 0;
  const start = (): Promise<SyncServer> =>
    createSyncServer({
      store: sqliteServerStore({ path: join(folder, 'server.db') }),
      authenticate: (token) => (token?.startsWith(`good-${generation}-`) ? { id: 'user' } : null),
      authorize: ({ action, collection, recordId }) =>
        action === 'write' || !(hidden.has(collection) || hidden.has(`${collection}/${recordId}`)),
      validate: (_collection, row) => (row.text === 'refused' ? 'this text is refused' : undefined),
      log: () => undefined,
    });
  let server = await start();
  const proxy = await createTcpProxy({ port: Number(new URL(server.httpUrl).port) });

  return {
    url: `ws://127.0.0.1:${proxy.port}/ws`,
    baseUrl: `http://127.0.0.1:${proxy.port}`,
    hidden,
    token: () => `good-${generation}-${++handedOut}`,
    async expire() {
      generation += 1;
      server.dropConnections({ code: UNAUTHORIZED });
    },
    async write(collection, id, row) {
      server.collection(collection).save(id, row);
    },
    async delete(collection, id) {
      server.collection(collection).delete(id);
    },
    read: async (collection) => server.collection(collection).all(),
    async cut() {
      proxy.cut({ reset: true });
    },
    async hang(on) {
      proxy.set({ blackHole: on });
    },
    async restart() {
      await server.close();
      server = await start();
      proxy.retarget(Number(new URL(server.httpUrl).port));
    },
    async close() {
      await proxy.close();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

const { leftOut } = describeTransport(
  { describe, test },
  {
    name: 'websocket',
    capabilities: {
      push: true,
      deletes: 'tombstones',
      cursor: 'sequence',
      reconnect: 'core',
      filters: true,
      idempotent: true,
      editTimes: true,
    },
    backend: startBackend,
    create: ({ url, baseUrl }) => websocketTransport({ url, baseUrl, heartbeatInterval: 100, heartbeatTimeout: 100 }),
    auth: { valid: (backend) => backend.token(), invalid: 'not-a-good-token', expire: (backend) => backend.expire() },
    permissions: {
      revoke: async ({ hidden }, collection) => void hidden.add(collection),
      hideRow: async ({ hidden }, collection, id, yes) => void hidden[yes ? 'add' : 'delete'](`${collection}/${id}`),
      grant: async ({ hidden }, collection) => void hidden.delete(collection),
    },
    refused: { text: 'refused', done: false, count: 0 },
  },
);

test('only what is about timestamps, and about keys that are read now and then, is left out', () => {
  expect(new Set(leftOut.map(({ why }) => why))).toEqual(
    new Set(['its cursor counts no time', 'its keys are compared by audits only']),
  );
});
