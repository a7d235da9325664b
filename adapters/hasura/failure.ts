import type { ErrorCode, SyncLayerError } from '../../src/kit.js';
import { problem } from './problem.js';

const SIGN_IN = 'Sign in again, or check the headers.';

/** Said of the token or the secret. */
const AUTH = /^(access-denied|invalid-headers|invalid-jwt|jwt-)/;
/** Another row has to come or go first, which another edit may bring about. */
const PASSING = /^(Uniqueness|Foreign key) violation/;
/** Refused for good: by the data, the table or the rights. Others (`unexpected`, `postgres-error`) may go well later. */
const FINAL = /^(validation-failed|parse-failed|constraint-|permission-|data-exception|bad-request|not-|invalid-)/;

/**
 * An answer with `errors` as an error. `PUSH_REJECTED` of a write: for good. `CONNECTION_LOST` with `details.code`: the server
 * answered, and may answer otherwise later.
 */
export function graphqlError(what: string, kind: 'read' | 'write', errors: unknown): SyncLayerError {
  // Whatever it is: `undefined` has no fields, a number neither.
  const { message = 'no reason given', extensions } = Object(Object(errors)[0]);
  const { code = 'an error' } = Object(extensions);
  const said = `${what} was answered with ${code}: ${message}.`;
  const make = (as: ErrorCode, fix = ''): SyncLayerError => problem(as, said + fix, { details: { code, message } });
  if (AUTH.test(code)) return make('AUTH_REQUIRED', ` ${SIGN_IN}`);
  if (!FINAL.test(code) || (kind === 'write' && PASSING.test(message))) return make('CONNECTION_LOST');
  if (kind === 'write') return make('PUSH_REJECTED');
  // A role without the permission is told that there is no such field.
  const hidden = /not found in type/.test(message);
  return make('SUBSCRIBE_REJECTED', hidden ? ' Is it tracked, named so, and permitted to this role?' : '');
}

/** An answer of HTTP that is no GraphQL. */
export function httpError(what: string, status: number): SyncLayerError {
  const auth = status === 401 || status === 403;
  const fix = auth ? SIGN_IN : 'Does the url end in /v1/graphql?';
  const said = `${what} was answered with status ${status}. ${fix}`;
  return problem(auth ? 'AUTH_REQUIRED' : 'CONNECTION_LOST', said);
}
