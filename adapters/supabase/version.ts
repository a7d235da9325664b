import type { Version } from '../../src/adapter-kit/kit.js';
import { versionOf } from '../../src/adapter-kit/postgres-time.js';

/**
 * The version of a row of which so many events had this stamp before. With `updated_at = now()` all changes of one transaction
 * share a stamp, and each is newer than the one before.
 */
export const repeatedVersion = (stamp: string, repeat: number): string =>
  versionOf(stamp) + (repeat === 0 ? '' : `#${String(repeat).padStart(6, '0')}`);

/** The version of a row that was read to complete an event: newer than any event of that stamp, whichever that was. */
export const completeVersion = (version: Version): string => `${version}~`;

/**
 * Newer than any version of the row that a delete ends: `commit_timestamp` has milliseconds only, so the rest of that one
 * counts too, and a version of its last microsecond must not be its equal.
 */
export const commitBound = (stamp: string): string => `${versionOf(`${stamp.slice(0, 23)}999`)}~~`;
