/** Transports made of transports. */

export type { ShadowDifference } from './comparison.js';
export { type FailoverOptions, type FailoverReport, failoverTransport } from './failover.js';
export { type Mirror, type MirrorOptions, type MirrorReport, mirrorTransport } from './mirror.js';
export { pollingTransport } from './polling.js';
export { type ShadowOptions, type ShadowReport, shadowTransport } from './shadow.js';
