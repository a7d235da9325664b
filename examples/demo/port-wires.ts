import { createTcpProxy, type TcpProxy } from '../../src/testing/index.js';
import type { Wires } from './wires.js';

/** Wires with a port each, for SDKs that take a host and a port, but no path. */
export function createPortWires(target: URL): Wires {
  const cut = new Set<string>();
  /** Each with what was asked of it last: one thing is done after the other. */
  const proxies = new Map<string, Promise<TcpProxy>>();

  function then(name: string, work: (proxy: TcpProxy) => Promise<void>): Promise<TcpProxy> {
    const proxy = proxies.get(name) ?? createTcpProxy({ host: target.hostname, port: Number(target.port) });
    const done = proxy.then(async (made) => {
      await work(made);
      return made;
    });
    proxies.set(name, done);
    return done;
  }

  return {
    upgrade: (_, socket) => void socket.destroy(),
    forward: ({ socket }) => void socket.destroy(),
    async state(name) {
      const { port } = await then(name, async () => undefined);
      return { cut: cut.has(name), address: `127.0.0.1:${port}` };
    },
    async cut(name) {
      cut.add(name);
      await then(name, async (proxy) => {
        await proxy.refuse();
        proxy.cut({ reset: true });
      });
    },
    async restore(name) {
      cut.delete(name);
      await then(name, (proxy) => proxy.accept());
    },
    async close() {
      await Promise.all([...proxies.values()].map(async (proxy) => (await proxy).close()));
    },
  };
}
