/**
 * What the parts share that are loaded on their own: transports, stores, the rules of the configuration. They import it
 * from here, so that bundlers make one chunk of it: one for each few lines would cost a request and compress badly. What
 * brings zod stays out, for code is split by files: through `index.ts` an app would load zod at its start.
 */
export { abort, abortable, createLifetime, isTimeout, joined, reasonOf, throwIfAborted } from '../base/abort.js';
export { asyncIterator } from '../base/async-iterator.js';
export { type Change, compareVersions, type Row, type Version } from '../base/change.js';
export {
  type ErrorCode,
  type ErrorOptions,
  isSyncLayerError,
  kindOf,
  SyncLayerError,
  toSyncLayerError,
} from '../base/errors.js';
export { newId } from '../base/id.js';
export { isObject } from '../base/is-object.js';
export { deepEqual } from '../base/json.js';
export { patchBetween } from '../base/patch.js';
export { checkOptions, got, type OptionRules, refusal, suggest, withDefaults } from '../base/problems.js';
export type * from '../base/protocol.js';
export { createTimers, LONGEST_TIMER } from '../base/timers.js';
export { parseUrl, type Url } from '../base/url.js';
export { backoffDelay } from '../transport/backoff.js';
export { isBug } from '../transport/bug.js';
export { capabilitiesOf } from '../transport/capabilities.js';
export { subjectOf, tokenExpiry } from '../transport/jwt.js';
export { notLoaded } from '../transport/not-loaded.js';
export { createTokenSource } from '../transport/token.js';
export type * from '../transport/transport.js';
export { OUTSIDE_LIMIT, within } from '../transport/within.js';
export type { BackendTools, Check, ToolsInput } from './doctor/tools.js';
export { problemsOf } from './problem.js';
