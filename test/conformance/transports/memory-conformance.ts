import { SyncLayerError } from '../../../src/errors.js';
import type { ConformanceBackend } from '../../../src/testing/index.js';
import {
  type MemoryTransportOptions,
  type MemoryWire,
  memoryBackend,
  memoryTransport,
} from '../../../src/testing/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';

const lost = (): SyncLayerError => new SyncLayerError('CONNECTION_LOST', 'The line to the memory backend was cut.');
const silent = (): SyncLayerError =>
  new SyncLayerError('HEARTBEAT_TIMEOUT', 'The memory backend says nothing any more.');

/** How long a transport takes to see that nothing comes any more, ms. */
const HEARTBEAT = 30;

export type MemoryConformance = ConformanceBackend & { transport(): RealtimeTransport };

/** A memory backend as the suite wants it: each of its transports is a client with a line of its own. */
export function memoryConformance(options: Omit<MemoryTransportOptions, 'backend'> = {}): MemoryConformance {
  const backend = memoryBackend();
  const wires = new Set<MemoryWire>();
  let hung: Promise<void> | undefined;
  let wake = (): void => undefined;

  return {
    transport() {
      const transport = memoryTransport({ ...options, backend });
      const { wire } = transport;
      wires.add(wire);
      wire.before = async () => {
        if (!hung) return;
        await hung;
        throw silent();
      };
      return transport;
    },
    async write(collection, id, row, { age } = {}) {
      backend.write(collection, id, row, age === undefined ? {} : { time: backend.now() - age });
    },
    async delete(collection, id) {
      backend.delete(collection, id, { hard: options.deletes !== undefined && options.deletes !== 'tombstones' });
    },
    read: async (collection) => backend.rows(collection),
    async cut() {
      for (const wire of wires) wire.cut(lost());
    },
    async hang(on) {
      for (const wire of wires) wire.deliver = !on;
      if (!on) {
        hung = undefined;
        wake();
        // What was not delivered is lost, so nobody may go on as if nothing had been.
        return this.cut();
      }
      hung = new Promise((resolve) => {
        wake = resolve;
      });
      const seen = setTimeout(() => {
        for (const wire of wires) wire.cut(silent());
      }, HEARTBEAT);
      void hung.then(() => clearTimeout(seen));
    },
    async restart() {
      for (const wire of wires) wire.cut(lost());
    },
    async close() {
      wake();
    },
  };
}
