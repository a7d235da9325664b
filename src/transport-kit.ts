/**
 * All that an adapter may import, but for what brings zod. Bundlers that split code go by files: through `adapter-kit.ts`
 * an app would load zod at its start, though only the rules of the configuration use it.
 */
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
export { checkOptions, type OptionRules } from './problems.js';
export type * from './protocol.js';
export { tokenExpiry } from './transport/auth.js';
export { backoffDelay } from './transport/backoff.js';
export type * from './transport/transport.js';
