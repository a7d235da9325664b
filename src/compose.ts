/** Transports made of transports. */
export { type FailoverOptions, type FailoverReport, failover } from './transport/failover.js';
export { polling } from './transport/polling.js';
