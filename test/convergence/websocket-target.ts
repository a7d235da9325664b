import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { websocketTransport } from '../../adapters/websocket/index.js';
import type { Row } from '../../src/base/change.js';
import { createPeerProcess, createTcpProxy } from '../../src/testing/index.js';
import type { Backend, Target } from './run.js';
import { heartbeat, serverCapabilities } from './server-facts.js';

export interface WebSocketBackend extends Backend {
  /** Of the proxy. */
  readonly url: string;
  readonly baseUrl: string;
}

/** The server as one file: it starts in a quarter of the time that its sources take. */
export async function bundleServer(folder: string): Promise<string> {
  const outfile = join(folder, 'server.mjs');
  await build({
    entryPoints: [resolve('test/peers/websocket/server-process.ts')],
    bundle: true,
    outfile,
    format: 'esm',
    platform: 'node',
    // `ws` is CommonJS.
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    logLevel: 'error',
  });
  return outfile;
}

/** One request on a connection of its own, so that none stays open. */
async function ask(method: string, url: string, body?: object): Promise<unknown> {
  const asking = request(url, { method, agent: false, headers: { 'content-type': 'application/json' } });
  asking.end(body && JSON.stringify(body));
  const [response] = await once(asking, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  if (response.statusCode !== 200)
    throw new Error(`${method} ${new URL(url).pathname}: ${response.statusCode} ${text}`);
  return JSON.parse(text);
}

/** Our server as a process over a SQLite file, behind a proxy. The second hand is REST, which does not pass the proxy. */
export async function startServerBackend(bundle: string): Promise<WebSocketBackend> {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-convergence-'));
  const server = await createPeerProcess({
    command: process.execPath,
    args: (port) => [bundle, join(folder, 'server.db'), String(port)],
    ready: /^ws:.*:(\d+)\/ws$/m,
  });
  const proxy = await createTcpProxy({ port: server.port });
  const at = (collection: string, id?: string): string =>
    `http://127.0.0.1:${server.port}/sync/${collection}${id === undefined ? '' : `/${id}`}`;
  return {
    url: `ws://127.0.0.1:${proxy.port}/ws`,
    baseUrl: `http://127.0.0.1:${proxy.port}`,
    async write(collection, recordId, data) {
      await ask('POST', at(collection), { recordId, data });
    },
    async delete(collection, id) {
      await ask('DELETE', at(collection, id));
    },
    async read(collection) {
      const { records } = (await ask('GET', `${at(collection)}?seq=0`)) as {
        readonly records: readonly { readonly recordId: string; readonly data: Row | null }[];
      };
      return new Map(records.flatMap(({ recordId, data }) => (data ? [[recordId, data] as const] : [])));
    },
    async cut() {
      proxy.cut({ reset: true });
    },
    cutAfter: proxy.cutAfter,
    async hang(on) {
      proxy.set({ blackHole: on });
    },
    restart: server.restart,
    async close() {
      await proxy.close();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

export const websocketTarget = (bundle: () => Promise<string>): Target<WebSocketBackend> => ({
  name: 'websocket',
  capabilities: serverCapabilities,
  backend: async () => startServerBackend(await bundle()),
  create: ({ url, baseUrl }) => websocketTransport({ url, baseUrl, ...heartbeat }),
});
