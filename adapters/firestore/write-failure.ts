import type { SyncLayerError } from '../../src/adapter-kit/kit.js';
import { codeOf, isBroken, readError, wordsOf } from './failure.js';
import { problem } from './problem.js';

/** Somebody else wrote the same documents meanwhile. */
export const isContention = (error: unknown): boolean =>
  ['aborted', 'already-exists'].includes(codeOf(error) ?? '') ||
  (codeOf(error) === 'failed-precondition' && !/terminated/.test(wordsOf(error)));

/**
 * A write that failed, and not for what it writes: `not-found` says that there is no such database. An `internal` error may be one
 * document's doing.
 */
export function writeError(what: string, cause: unknown): SyncLayerError {
  const error = readError(what, cause);
  const unclear = /^(internal|unknown)$/.test(codeOf(cause) ?? '');
  if (error.code !== 'SUBSCRIBE_REJECTED' && !unclear) return error;
  const details = { ...error.details, ...(unclear && { unclear }) };
  return problem('CONNECTION_LOST', error.message, { cause, details });
}

/** Refused for good: by the rules, by a limit, or since it is nothing that Firestore stores. */
export function writeRefusal(what: string, cause: unknown): SyncLayerError | undefined {
  const code = codeOf(cause);
  const final = ['permission-denied', 'invalid-argument', 'out-of-range'];
  // The SDK's own checks throw `invalid-argument`, or no FirebaseError at all.
  if (code !== undefined && !final.includes(code)) return undefined;
  if (code === undefined && (!(cause instanceof Error) || isBroken(cause))) return undefined;
  return problem('PUSH_REJECTED', `${what} was refused${code ? ` (${code})` : ''}: ${wordsOf(cause)}`, {
    cause,
    details: code === undefined ? {} : { code },
  });
}
