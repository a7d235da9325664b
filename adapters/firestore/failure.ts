import type { SyncLayerError } from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import { problem } from './problem.js';

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
export const isTerminated = (cause: unknown): boolean =>
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
