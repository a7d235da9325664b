/** All that an adapter may import. */
export {
  type Change,
  compareVersions,
  type DeleteChange,
  type InsertChange,
  type Row,
  type UpdateChange,
  type Version,
} from '../base/change.js';
export { type ErrorCode, isSyncLayerError, kindOf, SyncLayerError, toSyncLayerError } from '../base/errors.js';
export { deepEqual } from '../base/json.js';
export { parseOptions, rule } from '../base/options.js';
export type * from '../base/protocol.js';

export { backoffDelay } from '../transport/backoff.js';
export { tokenExpiry } from '../transport/jwt.js';
export type * from '../transport/transport.js';
