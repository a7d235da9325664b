/**
 * What the parts share that are loaded on their own: transports, stores, the rules of the configuration. They import it
 * from here, so that bundlers make one chunk of it: one for each few lines would cost a request and compress badly. What
 * brings zod stays out, for code is split by files: through `adapter-kit.ts` an app would load zod at its start.
 */
export { abort, abortable, createLifetime, isTimeout, joined, reasonOf, throwIfAborted } from './abort.js';
export { asyncIterator } from './async-iterator.js';
export { isObject } from './backends/is-object.js';
export { problemsOf } from './backends/problem.js';
export { type Change, compareVersions, type Row, type Version } from './change.js';
export type { BackendTools, Check, ToolsInput } from './cli/tools.js';
export {
  disposition,
  type ErrorCode,
  type ErrorOptions,
  isSyncLayerError,
  SyncLayerError,
  toSyncLayerError,
} from './errors.js';
export { newId } from './id.js';
export { deepEqual } from './json.js';
export { patchBetween } from './patch.js';
export { checkOptions, got, type OptionRules, refusal, suggest, withDefaults } from './problems.js';
export type * from './protocol.js';
export { checkWrites } from './store/check-writes.js';
export { operationType } from './sync/replica-state.js';
export { createTimers } from './sync/timers.js';
export { createTokenSource } from './transport/auth.js';
export { backoffDelay } from './transport/backoff.js';
export { isBug } from './transport/bug.js';
export { capabilitiesOf } from './transport/capabilities.js';
export { subjectOf, tokenExpiry } from './transport/jwt.js';
export { notLoaded } from './transport/not-loaded.js';
export type * from './transport/transport.js';
export { OUTSIDE_LIMIT, within } from './transport/within.js';
export { parseUrl, type Url } from './url.js';
