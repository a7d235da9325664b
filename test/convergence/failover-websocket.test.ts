import { websocketTransport } from '../../adapters/websocket/index.js';
import { failoverTransport } from '../../src/compose/index.js';
import { createTcpProxy, type TcpProxy } from '../../src/testing/index.js';
import { convergence } from './converge.js';
import { folderOfTests, realTime } from './node.js';
import { plans } from './plan.js';
import { run, type Target } from './run.js';
import { heartbeat, serverCapabilities } from './server-facts.js';
import { bundleServer, startServerBackend, type WebSocketBackend } from './websocket-target.js';

/** Two proxies in front of one server, which is killed and cut off as well. */
interface TwoProxies extends WebSocketBackend {
  readonly doors: readonly TcpProxy[];
}

const folder = folderOfTests();
let bundled: Promise<string> | undefined;

async function twoProxies(): Promise<TwoProxies> {
  bundled ??= bundleServer(folder);
  const server = await startServerBackend(await bundled);
  const port = Number(new URL(server.url).port);
  const doors = await Promise.all([createTcpProxy({ port }), createTcpProxy({ port })]);
  const closed = new Set<number>();
  return {
    ...server,
    doors,
    async door(index, open) {
      const proxy = doors[index];
      if (open !== closed.has(index)) return;
      if (open) {
        closed.delete(index);
        await proxy?.accept();
      } else {
        closed.add(index);
        await proxy?.refuse();
        proxy?.cut({ reset: true });
      }
    },
    async close() {
      await Promise.all(doors.map((proxy) => proxy.close()));
      await server.close();
    },
  };
}

const target: Target<TwoProxies> = {
  name: 'failover',
  doors: 2,
  capabilities: serverCapabilities,
  backend: twoProxies,
  create: ({ doors }) =>
    failoverTransport(
      doors.map(({ port }) =>
        websocketTransport({ url: `ws://127.0.0.1:${port}/ws`, baseUrl: `http://127.0.0.1:${port}`, ...heartbeat }),
      ),
      { source: 'one server', connectTimeout: 1000, failAfter: 200, dwell: 50 },
    ),
};
const surroundings = realTime();

convergence({
  name: 'through two proxies of a real server that open and close, all clients hold in the end what it holds',
  file: 'test/convergence/failover-websocket.test.ts',
  plans: plans({ minSteps: 20, maxSteps: 50, pauses: [0, 1, 5, 20, 60], doors: 2 }),
  runs: 5,
  run: (plan) => run(target, plan, surroundings),
  shrink: false,
});
