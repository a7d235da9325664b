/**
 * A process with servers and one device after another, each closed in the middle of something. For each it says what was
 * left of it: resources that were not there before, connections, events that came after close. A process of its own,
 * because a test runner has timers too. Argument: `platform` or `ws`.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocket as WsWebSocket } from 'ws';
import { createSyncLayer, type SyncLayerConfig } from '../../../src/index.js';
import { createSyncServer } from '../../../src/server/index.js';
import { createTcpProxy } from '../../../src/testing/tcp-proxy.js';
import { type ClientFrame, type Peer, startScriptedServer } from './scripted-server.js';

export interface Leftovers {
  readonly name: string;
  readonly resources: readonly string[];
  readonly connections: number;
  readonly lateEvents: number;
  /** How long close() took, in ms. */
  readonly took: number;
}

const Socket = process.argv[2] === 'ws' ? { WebSocket: WsWebSocket as unknown as typeof WebSocket } : {};
const config = (url: string): SyncLayerConfig => ({
  transport: { type: 'websocket', url, ...Socket },
  collections: ['todos'],
  websocketReconnectDelay: 20,
  maxReconnectDelay: 100,
});

/** Resolves once `test` holds, or gives up after three seconds. Takes no timer, since timers are what is counted. */
async function reached(test: () => boolean): Promise<boolean> {
  for (const end = performance.now() + 3000; performance.now() < end; await nextTurn()) if (test()) return true;
  return false;
}

const counted = ['TCPSocketWrap', 'TCPConnectWrap', 'ConnectWrap', 'Timeout', 'GetAddrInfoReqWrap', 'TLSWrap'];
const held = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => counted.includes(name))
    .sort();

type Device = Awaited<ReturnType<typeof createSyncLayer>>;

interface Scenario {
  readonly config: SyncLayerConfig;
  /** When to close. */
  readonly when: (sync: Device) => boolean;
  readonly connections: () => number;
  readonly beforeClose?: () => void;
  readonly afterClose?: () => unknown;
  /** Sockets that `fetch` keeps for later requests are the platform's, and do not hold a process up. */
  readonly fetches?: true;
}

async function play(
  name: string,
  { config, when, connections, beforeClose, afterClose, fetches }: Scenario,
): Promise<void> {
  await reached(() => connections() === 0);
  const before = held();
  const sync = await createSyncLayer(config);
  void sync.collection('todos').save({ n: 1 });
  if (!(await reached(() => when(sync)))) throw new Error(`${name}: never got that far`);
  let lateEvents = 0;
  let closed = false;
  for (const event of ['error', 'statusChanged', 'realtimeConnected', 'realtimeDisconnected', 'realtimeSync'] as const)
    sync.events.on(event, () => {
      if (closed) lateEvents += 1;
    });
  beforeClose?.();
  const startedAt = performance.now();
  await sync.close();
  const took = performance.now() - startedAt;
  closed = true;
  await afterClose?.();
  await reached(() => connections() === 0 && held().length <= before.length);
  const resources = held().filter((resource) => !fetches || !resource.startsWith('TCP'));
  for (const known of before) {
    const at = resources.indexOf(known);
    if (at !== -1) resources.splice(at, 1);
  }
  const leftovers: Leftovers = { name, resources, connections: connections(), lateEvents, took };
  process.stdout.write(`${JSON.stringify(leftovers)}\n`);
}

const server = await createSyncServer({ log: () => undefined });
const proxy = await createTcpProxy({ port: Number(new URL(server.url).port) });
const proxied = `ws://127.0.0.1:${proxy.port}/ws`;
const claims = Buffer.from(JSON.stringify({ exp: Date.now() / 1000 + 3600 })).toString('base64url');

const isLive = (sync: Device): boolean => sync.status.phase === 'live';
const ours = () => server.connections;
const theProxys = () => proxy.connections;

await play('live', { config: config(server.url), when: isLive, connections: ours });
const expiring = { ...config(server.url), authToken: `x.${claims}.y` };
await play('a token that will end', { config: expiring, when: isLive, connections: ours });

await proxy.refuse();
await play('before the next attempt', {
  config: { ...config(proxied), websocketReconnectDelay: 100_000, maxReconnectDelay: 100_000 },
  when: (sync) => sync.realtime.state.status === 'disconnected',
  connections: theProxys,
});
await proxy.accept();

const die = () => proxy.set({ blackHole: true });
const revive = () => proxy.set({ blackHole: false });
let accepted = proxy.accepted;
die();
await play('connecting to nobody', {
  config: config(proxied),
  when: () => proxy.accepted > accepted,
  connections: theProxys,
  afterClose: revive,
});

const steps: Readonly<Record<string, (frame: ClientFrame) => boolean>> = {
  auth: ({ type }) => type === 'auth',
  subscribe: ({ type, metadata }) => type === 'subscribe' && metadata?.since === undefined,
  pull: ({ type, metadata }) => type === 'subscribe' && metadata?.since !== undefined,
  push: ({ type }) => type === 'insert',
};
for (const [step, waits] of Object.entries(steps)) {
  let asked = false;
  const scripted = await startScriptedServer((frame) => {
    asked ||= waits(frame);
    return waits(frame);
  });
  await play(`${step} unanswered`, {
    config: { ...config(scripted.url), authToken: 'secret' },
    when: () => asked,
    connections: () => scripted.connections,
  });
  await scripted.close();
}

let limited = false;
const limiting = await startScriptedServer(({ type, metadata }: ClientFrame, { say }: Peer) => {
  if (type !== 'insert') return false;
  limited = true;
  const about = { opId: metadata?.opId, retryAfter: 60_000 };
  say({ type: 'error', code: 'RATE_LIMIT_EXCEEDED', error: 'slowly', metadata: about });
  return true;
});
await play('held up by a rate limit', {
  config: config(limiting.url),
  when: (sync) => limited && sync.metrics().messages.in === limiting.said,
  connections: () => limiting.connections,
});
await limiting.close();

const polling = { baseUrl: server.httpUrl, collections: ['todos'], syncInterval: 100 };
await play('polling', {
  config: polling,
  when: (sync) => sync.status.phase === 'polling' && sync.status.pending === 0,
  connections: () => 0,
  fetches: true,
});
accepted = proxy.accepted;
die();
await play('polling nobody', {
  config: { ...polling, baseUrl: `http://127.0.0.1:${proxy.port}` },
  when: () => proxy.accepted > accepted,
  connections: () => 0,
  fetches: true,
});
revive();

if (process.argv[2] === 'ws') {
  const sockets = (): number => held().filter((name) => name === 'TCPSocketWrap').length;
  let open = 0;
  await play('half-open', {
    config: config(proxied),
    when: isLive,
    connections: ours,
    beforeClose: () => {
      open = sockets();
      die();
    },
    afterClose: async () => {
      // The device's own, while the proxy still holds the other ends.
      if (!(await reached(() => sockets() === open - 1))) throw new Error('the dead socket is still there');
      revive();
    },
  });
}

await proxy.close();
await server.close();
