import { SyncLayerError } from '../../../src/base/errors.js';
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

export type MemoryConformance = ConformanceBackend & {
  transport(): RealtimeTransport;
  /** Whether clients may read. Until then events are withheld and reads refused, over a line that is up. */
  permit(on: boolean): void;
};

/** For `describeTransport`. */
export const memoryPermissions = {
  revoke: async (backend: MemoryConformance) => backend.permit(false),
  grant: async (backend: MemoryConformance) => backend.permit(true),
};

/** A memory backend as the suite wants it: each of its transports is a client with a line of its own. */
export function memoryConformance(
  options: Omit<MemoryTransportOptions, 'backend'> = {},
  breaks: (transport: RealtimeTransport, wire: MemoryWire) => RealtimeTransport = (transport) => transport,
): MemoryConformance {
  const backend = memoryBackend();
  const wires = new Set<MemoryWire>();
  let hung: Promise<void> | undefined;
  let wake = (): void => undefined;
  let permitted = true;

  return {
    transport() {
      const transport = memoryTransport({ ...options, backend });
      const { wire } = transport;
      wires.add(wire);
      wire.before = async (step) => {
        if (!permitted && (step === 'pull' || step === 'keys' || step === 'fetch'))
          throw new SyncLayerError('SUBSCRIBE_REJECTED', 'The memory backend lets you read no more.');
        // Nobody waits for a subscribe, so it cannot fail.
        if (!hung || step === 'subscribe') return;
        await hung;
        throw silent();
      };
      wire.decide = ({ data }) =>
        data?.text === 'refused'
          ? { type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'This text is refused.') }
          : undefined;
      return breaks(transport, wire);
    },
    permit(on) {
      permitted = on;
      for (const wire of wires) wire.deliver = on;
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
