import { isPage, statusError } from '../../src/adapter-kit/http-status.js';
import {
  type ErrorCode,
  isObject,
  isSyncLayerError,
  problemsOf,
  type SyncLayerError,
} from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import { BUSY, isSqlState, meaningOf, type SqlMeaning } from '../../src/adapter-kit/sql-state.js';
import type { Credentials, Reads } from './reads.js';

/** As in options.ts, which would otherwise be split from the adapter's start into a chunk of its own. */
const problem = problemsOf('hasura');

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

/** What PostgreSQL said. An admin gets it; in the dev mode every role does. */
function sqlStateIn(extensions: unknown): string | undefined {
  const { status_code: code } = Object(Object(Object(Object(extensions).internal).error));
  return typeof code === 'string' && isSqlState(code) ? code : undefined;
}

/**
 * An answer with `errors` as an error. PUSH_REJECTED of a write and SUBSCRIBE_REJECTED of a read: for good. `details.edit`: see
 * `refusalOf`. CONNECTION_LOST: nothing about what was asked, or (`details.unclear`) it is not known.
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
    // The answer to a role without the permission is that there is no such field.
    const hidden = /not found in type/.test(message);
    return make('SUBSCRIBE_REJECTED', {}, hidden ? ' Is it tracked, named so, and permitted to this role?' : '');
  }
  if (meaning === 'final') return make('PUSH_REJECTED');
  return make(meaning === 'waiting' ? 'WAITING' : 'CONFLICT', { edit: meaning });
}

/** An answer of HTTP that is no GraphQL. */
export const httpError = (what: string, status: number, text: string): SyncLayerError =>
  statusError(problem, what, status, { page: isPage(text), hint: 'Does the url end in /v1/graphql?' });

const OLD_SERVER =
  'It speaks the older protocol of subscriptions-transport-ws (subprotocol "graphql-ws"), which is not supported. Update Hasura to 2.1 or later.';

/** graphql-ws throws for a message that its protocol does not have; only its words show which. */
function strangeMessage(said: string): SyncLayerError | undefined {
  const [, type] = /Invalid message 'type' property "([\w-]+)"/.exec(said) ?? [];
  if (type === 'connection_error')
    // Hasura 2.25 to 2.29, before they close. graphql-ws drops what it says.
    return problem('AUTH_REQUIRED', 'Hasura refused the connection. Are the token and the headers right?');
  return type ? problem('UNSUPPORTED', `The server sent "${type}". ${OLD_SERVER}`) : undefined;
}

/** Said where the token is meant, by servers that close with 4400 for everything. */
const aboutToken =
  /initialization failed|JWT|Authorization|admin-secret|access-key|unauthori[sz]ed|not in allowed roles|access-denied/i;

/** What to make of each code of a close. */
function closed(code: number, reason: string): SyncLayerError {
  const said = `The server closed the connection with ${code}${reason ? ` (${reason})` : ''}.`;
  const details = { closeCode: code };
  switch (code) {
    // Up to 2.24 for a refused token, always for a message that it cannot read.
    case 4400:
      return aboutToken.test(reason)
        ? problem('AUTH_REQUIRED', `${said} Sign in again, or check the headers.`, { details })
        : problem('CONNECT_FAILED', `${said} It is tried again.`, { details });
    case 4401:
    case 4403:
      return problem('AUTH_REQUIRED', `${said} Sign in again, or check the headers.`, { details });
    case 4406:
      return problem('UNSUPPORTED', `${said} ${OLD_SERVER}`, { details });
    // Slow to begin (4408), too many at once (4429): graphql-ws gives up at the latter, core tries again later.
    case 4408:
    case 4429:
      return problem('CONNECT_FAILED', `${said} It is tried again.`, { details });
    default:
      return problem('CONNECTION_LOST', said, { details });
  }
}

/** Why a socket broke or would not open: an error or a close event, as graphql-ws hands them on. */
export function socketError(cause: unknown): SyncLayerError {
  if (isSyncLayerError(cause)) return cause;
  if (isObject(cause) && typeof cause.code === 'number' && cause.code !== 1006)
    return closed(cause.code, typeof cause.reason === 'string' ? cause.reason : '');
  const strange = cause instanceof Error ? strangeMessage(cause.message) : undefined;
  if (strange) return strange;
  // A JWT that ends while connected looks just so: Hasura drops the line without a word.
  return problem('CONNECTION_LOST', 'The connection to Hasura broke. Is the server up, and the url right?');
}

/**
 * Why a `connection_init` was refused. Hasura refuses it for any failure in the same way, also while its auth webhook is away, and
 * its newer versions give no reason: over HTTP the answer has a code. Only what speaks of the token there is about the token.
 */
export async function whyRefused(
  refusal: SyncLayerError,
  reads: Pick<Reads, 'request'>,
  signed: Credentials | undefined,
  signal: AbortSignal,
): Promise<SyncLayerError> {
  try {
    await reads.request('The question whether the token is good', 'read', '{ __typename }', {}, signal, signed);
  } catch (answer) {
    if (isSyncLayerError(answer) && answer.code === 'AUTH_REQUIRED') return answer;
    const why = isSyncLayerError(answer) ? ` ${answer.message}` : '';
    return problem('CONNECT_FAILED', `Hasura refused the socket.${why} It is tried again.`, {
      details: refusal.details,
    });
  }
  const what = 'Hasura refused the socket, but takes requests with the same token.';
  return problem('CONNECT_FAILED', `${what} It is tried again.`, { details: refusal.details });
}
