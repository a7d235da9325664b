import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { SyncLayerError } from '../../../src/index.js';
import { openHandles } from '../../../src/testing/conformance/handles.js';
import { memoryTransport, transportScenarios } from '../../../src/testing/index.js';
import { memoryConformance } from '../../conformance/transports/memory-conformance.js';

const kind = { cursor: 'sequence', deletes: 'tombstones' } as const;
const base = {
  name: 'memory',
  capabilities: memoryTransport(kind).capabilities,
  create: (backend: ReturnType<typeof memoryConformance>) => backend.transport(),
};

const scenario = (name: string, options: Partial<Parameters<typeof transportScenarios>[0]>) => {
  const found = transportScenarios({ ...base, backend: async () => memoryConformance(kind), ...options } as never).find(
    (each) => each.name === name,
  );
  if (!found) throw new Error(`There is no scenario "${name}".`);
  return found;
};

test('an idle connection that a server of this process keeps is not waited for, one of a client is', async () => {
  const server = createServer((_, response) => response.end('x')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const sockets = () => openHandles().filter((handle) => handle === 'TCPSocketWrap').length;
  const before = sockets();
  const { port } = server.address() as AddressInfo;
  // Longer than the default of 5 s.
  server.keepAliveTimeout = 60_000;
  await (await fetch(`http://127.0.0.1:${port}/`)).text();
  await expect.poll(sockets).toBe(before);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  expect(sockets()).toBe(before + 1);
  socket.destroy();
  await expect.poll(sockets).toBe(before);
});

test('a backend that cannot be restarted is cut instead', async () => {
  let cuts = 0;
  const backend = async () => {
    const { restart: _, ...rest } = memoryConformance(kind);
    async function cut(): Promise<void> {
      cuts += 1;
      await rest.cut();
    }
    return { ...rest, cut };
  };
  await scenario('a restarted server loses nothing', { backend } as never).run();
  expect(cuts).toBe(1);
});

test('a failure says what a subscription ended with', async () => {
  const backend = async () =>
    memoryConformance(kind, (transport) => ({
      ...transport,
      subscribe(_, sink) {
        queueMicrotask(() => sink.error(new SyncLayerError('SUBSCRIBE_REJECTED', 'There is no such topic.')));
        return () => undefined;
      },
    }));
  const failing = scenario('nothing comes after unsubscribe', { backend, timeout: 1200 } as never).run();
  await expect(failing).rejects.toThrow(/Never came true: live[\s\S]*SUBSCRIBE_REJECTED: There is no such topic\./);
});
