import { isSyncLayerError, problemsOf, type SyncLayerError } from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import type { Session } from './link.js';
import type { Table } from './table.js';

/** As in options.ts, which would otherwise be split from the adapter's start into a chunk of its own. */
const problem = problemsOf('firestore');

/** How Firestore says no, `permission-denied`; undefined: it was something else that failed. */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The answer is about what was asked, and will be the same again. */
const FINAL = [
  'permission-denied',
  'invalid-argument',
  'not-found',
  'out-of-range',
  'failed-precondition',
  'unimplemented',
];

/** The client was terminated, by us or by the app. */
const isTerminated = (cause: unknown): boolean =>
  codeOf(cause) === 'failed-precondition' && /terminated/.test(wordsOf(cause));

/** A read, a listener or a heartbeat that failed. */
export function readError(what: string, cause: unknown): SyncLayerError {
  const code = codeOf(cause);
  const details = code === undefined ? {} : { code };
  const said = sentence(`${what} failed${code ? ` (${code})` : ''}: ${wordsOf(cause)}`);
  if (code === 'unauthenticated')
    return problem('AUTH_REQUIRED', `${said} Sign in again with Firebase Auth.`, { cause, details });
  if (code === 'permission-denied')
    return problem('SUBSCRIBE_REJECTED', `${said} Do the security rules let this user list it?`, { cause, details });
  if (isTerminated(cause)) return problem('CONNECTION_LOST', said, { cause, details });
  if (code !== undefined && FINAL.includes(code)) return problem('SUBSCRIBE_REJECTED', said, { cause, details });
  return problem('CONNECTION_LOST', `${said} Is the server reachable?`, { cause, details });
}

/** The SDK's own code has failed: this client says so from then on, whatever it is asked. It is no word about what was asked. */
export const isBroken = (error: unknown): boolean =>
  codeOf(error) === undefined && /INTERNAL ASSERTION FAILED/.test(wordsOf(error));

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

/** Documents that no query in the order of their time finds. `count`: how many, where that is known. */
export function unstampedError({ collection, path, updatedAt }: Table, count?: number): SyncLayerError {
  const some = count === undefined ? 'A document' : `${count} ${count === 1 ? 'document' : 'documents'}`;
  const what = `${some} of "${collection}" (${path}) cannot be synchronised: "${updatedAt}" is no timestamp there.`;
  const fix =
    'Let every writer set it to serverTimestamp(), and set it once in old documents: npx synclayer doctor prints how.';
  return problem('PROTOCOL_VIOLATION', `${what} ${fix}`, {
    details: { collection, ...(count !== undefined && { count }) },
  });
}

/** What a failure of the SDK means; a client that is of no more use is dropped. */
export function failure(
  session: Session,
  what: string,
  cause: unknown,
  errorOf: typeof readError = readError,
): SyncLayerError {
  if (isSyncLayerError(cause)) return cause;
  if (session.given && isTerminated(cause)) {
    const message = 'The app has terminated the Firestore that it gave to firestoreTransport, for good.';
    return problem('CONFIG_INVALID', `${message} Close this SyncLayer, and create one with a new Firestore.`, {
      cause,
    });
  }
  const error = errorOf(what, cause);
  if (isBroken(cause)) session.drop(error);
  return error;
}
