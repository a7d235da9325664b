import { isPage, statusError } from '../../src/adapter-kit/http-status.js';
import type { ErrorCode, SyncLayerError } from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import { BUSY, isSqlState, meaningOf, type SqlMeaning } from '../../src/adapter-kit/sql-state.js';
import { problem } from './problem.js';

/**
 * What Hasura's codes mean; the first that matches. Any other is the backend's: `postgres-error`, `rate-limit-exceeded`,
 * `postgres-max-connections-error`.
 */
const meanings: readonly (readonly [code: RegExp, message: RegExp, SqlMeaning | 'token' | 'unclear'])[] = [
  [/^(access-denied|invalid-headers|invalid-jwt|jwt-)/, /^/, 'token'],
  [/^constraint-/, /^Foreign key violation/, 'waiting'],
  [/^constraint-/, /^Uniqueness violation/, 'retry'],
  [/^(validation-failed|parse-failed|constraint-|permission-|data-exception|bad-request|not-|invalid-)/, /^/, 'final'],
  [/^concurrent-update/, /^/, 'busy'],
  // A timeout, or a trigger that raised an exception over one row: https://github.com/hasura/graphql-engine/issues/2599
  [/^(unexpected|an error)$/, /^/, 'unclear'],
];

/** Told to an admin, and to everybody in the dev mode: what PostgreSQL said. */
function sqlStateIn(extensions: unknown): string | undefined {
  const { status_code: code } = Object(Object(Object(Object(extensions).internal).error));
  return typeof code === 'string' && isSqlState(code) ? code : undefined;
}

/**
 * An answer with `errors` as an error. PUSH_REJECTED of a write and SUBSCRIBE_REJECTED of a read: for good. `details.edit`: see
 * `refusalOf`. CONNECTION_LOST: nothing about what was asked, or (`details.unclear`) nobody knows.
 */
export function graphqlError(what: string, kind: 'read' | 'write', errors: unknown): SyncLayerError {
  // Whatever it is: `undefined` has no fields, a number neither.
  const { message = 'no reason given', extensions } = Object(Object(errors)[0]);
  const { code = 'an error' } = Object(extensions);
  const found = meanings.find(([codes, messages]) => codes.test(code) && messages.test(message))?.[2] ?? 'backend';
  const sqlState = found === 'unclear' ? sqlStateIn(extensions) : undefined;
  const meaning = sqlState === undefined ? found : meaningOf(sqlState);
  const details = { code, message, ...(sqlState !== undefined && { sqlState }) };
  const make = (as: ErrorCode, more: object = {}, fix = ''): SyncLayerError =>
    problem(as, sentence(`${what} was answered with ${code}: ${message}`) + fix, { details: { ...details, ...more } });
  if (meaning === 'token') return make('AUTH_REQUIRED', {}, ' Sign in again, or check the headers.');
  if (meaning === 'busy') return make('CONNECTION_LOST', BUSY);
  if (meaning === 'unclear') return make('CONNECTION_LOST', { unclear: true });
  if (meaning === 'backend' || (kind === 'read' && meaning !== 'final')) return make('CONNECTION_LOST');
  if (kind === 'read') {
    // A role without the permission is told that there is no such field.
    const hidden = /not found in type/.test(message);
    return make('SUBSCRIBE_REJECTED', {}, hidden ? ' Is it tracked, named so, and permitted to this role?' : '');
  }
  if (meaning === 'final') return make('PUSH_REJECTED');
  return make(meaning === 'waiting' ? 'WAITING' : 'CONFLICT', { edit: meaning });
}

/** An answer of HTTP that is no GraphQL. */
export const httpError = (what: string, status: number, text: string): SyncLayerError =>
  statusError(problem, what, status, { page: isPage(text), hint: 'Does the url end in /v1/graphql?' });
