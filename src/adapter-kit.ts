/** All that an adapter may import. */
export {
  type Change,
  compareVersions,
  type DeleteChange,
  type InsertChange,
  type Row,
  type UpdateChange,
  type Version,
} from './change.js';
export { disposition, type ErrorCode, isSyncLayerError, SyncLayerError, toSyncLayerError } from './errors.js';
export { deepEqual } from './json.js';
export { parseOptions, rule } from './options.js';
export type * from './protocol.js';

export { backoffDelay } from './transport/backoff.js';
export { tokenExpiry } from './transport/jwt.js';
export type * from './transport/transport.js';
