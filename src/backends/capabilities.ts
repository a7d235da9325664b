import type { TransportCapabilities } from '../kit.js';

/** What a backend of tables or documents with a time column can do. `soft`: a deleted row stays, with a mark. */
export const timedCapabilities = (soft: boolean): TransportCapabilities => ({
  push: true,
  deletes: soft ? 'tombstones' : 'none',
  cursor: 'timestamp',
  reconnect: 'core',
  filters: false,
});
