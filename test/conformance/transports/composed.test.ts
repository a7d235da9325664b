import { describe, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { failoverTransport, mirrorTransport, shadowTransport } from '../../../src/compose/index.js';
import { describeTransport, type MemoryTransportOptions, memoryTransport } from '../../../src/testing/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';
import { type MemoryConformance, memoryConformance, memoryPermissions } from './memory-conformance.js';

/** Of three attempts to connect one works. */
function moody(transport: RealtimeTransport): RealtimeTransport {
  const { connect } = transport;
  let attempts = 0;
  return Object.assign(transport, {
    connect: (options: Parameters<typeof connect>[0]) =>
      attempts++ % 3 === 0 ? connect(options) : Promise.reject(new SyncLayerError('CONNECT_FAILED', 'Not this time.')),
  });
}

const kinds: readonly Omit<MemoryTransportOptions, 'backend'>[] = [
  { cursor: 'sequence', deletes: 'tombstones' },
  { cursor: 'timestamp', deletes: 'none', pageCap: 7 },
];

const ways: Record<string, (backend: MemoryConformance) => RealtimeTransport> = {
  'failover between doors to one backend': (backend) =>
    failoverTransport([moody(backend.transport()), moody(backend.transport())], { source: 'one', dwell: 20 }),
  'failover between replicas': (backend) =>
    failoverTransport(
      ['A', 'B'].map((source) => Object.assign(moody(backend.transport()), { source })),
      { dwell: 20 },
    ),
  'shadow of another backend': (backend) =>
    shadowTransport({ primary: backend.transport(), secondary: memoryTransport() }),
  'mirror to a backend that works': (backend) =>
    mirrorTransport({ primary: backend.transport(), secondary: memoryTransport({ cursor: 'timestamp' }) }),
  'mirror to a backend that is gone': (backend) => {
    const secondary = memoryTransport();
    secondary.wire.before = () => Promise.reject(new SyncLayerError('CONNECTION_LOST', 'It is gone.'));
    return mirrorTransport({ primary: backend.transport(), secondary });
  },
};

for (const [index, kind] of kinds.entries())
  for (const [name, create] of Object.entries(ways)) {
    // These read like their primary; once is enough.
    if (index > 0 && !name.startsWith('failover')) continue;
    describeTransport(
      { describe, test },
      {
        name: `${name}, ${Object.values(kind).join(' ')}`,
        capabilities: memoryTransport(kind).capabilities,
        backend: async () => memoryConformance(kind),
        create,
        permissions: memoryPermissions,
        refused: { text: 'refused', done: false, count: 0 },
        many: 300,
      },
    );
  }
