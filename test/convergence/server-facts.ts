import type { TransportCapabilities } from '../../src/transport/transport.js';

/** What our server can do. */
export const serverCapabilities: TransportCapabilities = {
  push: true,
  deletes: 'tombstones',
  cursor: 'sequence',
  reconnect: 'core',
  filters: true,
  idempotent: true,
  editTimes: true,
};

/** Times so short that a dead line is noticed within a plan, ms. */
export const heartbeat = { heartbeatInterval: 200, heartbeatTimeout: 300, requestTimeout: 1000 } as const;
