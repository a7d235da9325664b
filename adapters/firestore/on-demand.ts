/** What an app needs only once it edits, or audits. */
export { inSight } from './by-ids.js';
export { countRange } from './counting.js';
export { keysOf } from './keys.js';
export { pushChanges } from './push.js';
