import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Asset, buildAssets } from './assets.js';
import { backendNamed } from './backends.js';
import { createPortWires } from './port-wires.js';
import type { Todo } from './todo.js';
import { createWires, type Wires } from './wires.js';

export interface DemoOptions {
  /** 0: any free port. One that is taken is replaced by a free one. */
  readonly port: number;
  readonly backend: string;
  /** The database file. Left out: one in a temporary folder, gone with the demo. */
  readonly db?: string | undefined;
  /** What an empty database starts with. */
  readonly seed?: readonly Todo[];
}

export interface Demo {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** What the page asks for when it starts. */
export interface DemoSettings {
  readonly backend: string;
  readonly transport: { readonly type: string };
}

const HOST = '127.0.0.1';

/** Nothing but this server, and the wires: no CDN, no inline script. */
const POLICY = `default-src 'self'; img-src 'self' data:; connect-src 'self' http://${HOST}:*`;

const welcome: readonly Todo[] = [
  'Add a todo: it shows on both sides',
  'Cut a wire, edit, reload: nothing is lost',
  'Edit one todo on both sides, then restore',
  'Tick this when you have seen it all',
].map((text, index) => ({ text, done: false, addedAt: Date.now() - index }));

function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function answer(response: ServerResponse, status: number, asset?: Asset): void {
  response.writeHead(status, {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    ...(asset && { 'Content-Type': asset.type }),
  });
  response.end(asset?.body);
}

const json = (value: unknown): Asset => ({ type: 'application/json', body: JSON.stringify(value) });

/** `GET /wires/<name>` tells of a wire, `POST /wires/<name>/cut` and `/restore` change it. */
async function answerWire(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  wires: Wires,
): Promise<void> {
  const [, name, action] = /^\/wires\/([\w-]{1,64})(?:\/(cut|restore))?$/.exec(url) ?? [];
  if (name === undefined || method !== (action === undefined ? 'GET' : 'POST')) return answer(response, 404);
  if (action === 'cut') await wires.cut(name);
  if (action === 'restore') await wires.restore(name);
  answer(response, 200, json(await wires.state(name)));
}

/**
 * Starts the backend, the wires and the page.
 *
 * @example
 * const demo = await startDemo({ port: 0, backend: 'websocket' });
 * demo.url; // http://127.0.0.1:PORT
 * await demo.close();
 */
export async function startDemo({ port, backend: name, db, seed = welcome }: DemoOptions): Promise<Demo> {
  const backend = backendNamed(name);
  const assets = await buildAssets();
  const folder = db === undefined ? await mkdtemp(join(tmpdir(), 'synclayer-demo-')) : undefined;
  const removeFolder = async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  const running = await backend.start({ db: db ?? join(folder ?? '', 'demo.db'), seed }).catch(async (error) => {
    await removeFolder();
    throw error;
  });
  const wires = running.wires === 'ports' ? createPortWires(running.target) : createWires(running.target);
  const settings: DemoSettings = { backend: backend.title, transport: running.transport };

  const http = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', `http://${HOST}`);
    const asset = pathname === '/demo.json' ? json(settings) : assets.get(pathname);
    if (asset && (request.method === 'GET' || request.method === 'HEAD')) answer(response, 200, asset);
    else if (pathname.startsWith('/wire/')) wires.forward(request, response);
    else void answerWire(request, response, wires).catch(() => answer(response, 500));
  });
  http.on('upgrade', wires.upgrade);

  const actual = await listen(http, port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return listen(http, 0);
  });

  return {
    url: `http://${HOST}:${actual}`,
    port: actual,
    async close() {
      const down = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      await wires.close();
      await Promise.all([down, running.close()]);
      await removeFolder();
    },
  };
}
