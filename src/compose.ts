/** Transports made of transports. */

export type { ShadowDifference } from './transport/comparison.js';
export { type FailoverOptions, type FailoverReport, failover } from './transport/failover.js';
export { type Mirror, type MirrorOptions, type MirrorReport, mirror } from './transport/mirror.js';
export { polling } from './transport/polling.js';
export { type ShadowOptions, type ShadowReport, shadow } from './transport/shadow.js';
