/** Transports made of transports. */

export type { ShadowDifference } from './comparison.js';
export { type FailoverOptions, type FailoverReport, failover } from './failover.js';
export { type Mirror, type MirrorOptions, type MirrorReport, mirror } from './mirror.js';
export { polling } from './polling.js';
export { type ShadowOptions, type ShadowReport, shadow } from './shadow.js';
