/** What an app needs only once it edits. */
export { byIds } from './by-ids.js';
export { pushChanges } from './push.js';
