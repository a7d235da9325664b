/**
 * What works with the backend: pulls, pushes and their schedule. A chunk of its own, which is loaded while the store is read: an app
 * shows its rows first.
 */
export { createRemote } from './collection/remote.js';
export { remoteRules } from './collection/remote-rules.js';
export { createSession } from './collection/session.js';
export { createPushing } from './supervisor/pushing.js';
export { createRounds } from './supervisor/rounds.js';
