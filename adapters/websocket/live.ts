/**
 * What a socket needs, in a chunk of its own: an app shows the rows of its store before it connects, and one that only polls
 * never loads it.
 */
export { createChannel } from './channel.js';
export { pushWrites } from './push.js';
