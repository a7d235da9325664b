import type { SyncLayerError } from '../../src/kit.js';
import { problem } from './problem.js';

/** How PostgREST, or the way to it, says no. */
export interface RestFailure {
  /** 0: no answer. */
  readonly status: number;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** Said by the database about this statement, and not for its being overloaded, unreachable or shut down. */
const isSqlState = (code: string | undefined): code is string =>
  code !== undefined && /^[\dA-Z]{5}$/.test(code) && !/^(08|53|57P|58)/.test(code);

/** Another row has to come or go first, which another edit may bring about. */
const passing = ['23503', '23505'];

/** Refused for good: by the data, the table, the rights or a `raise exception`. */
const isFinal = (code: string): boolean => /^(2[1-8]|42|44)/.test(code) || code === 'P0001';

/**
 * A failed request as an error. `PUSH_REJECTED` of a write: for good. `CONNECTION_LOST` with `details.sqlState`: the
 * database answered, and may answer otherwise later.
 */
export function restError(what: string, kind: 'read' | 'write', failure: RestFailure): SyncLayerError {
  const { status, code, message = '' } = failure;
  const details = { status, ...(code && { code }), ...(isSqlState(code) && { sqlState: code }) };
  const said = `${what} was answered with ${status}${code ? ` (${code})` : ''}${message ? `: ${message}` : ''}`;
  if (status === 0) return problem('CONNECTION_LOST', `${what} got no answer. Is the server up, and the url right?`);
  if (/^PGRST30[1-3]$/.test(code ?? '') || (status === 401 && code !== '42501'))
    return problem('AUTH_REQUIRED', `${said} Sign in again, or check the key.`, { details });
  if (kind === 'write' && isSqlState(code) && (passing.includes(code) || !isFinal(code)))
    return problem('CONNECTION_LOST', said, { details });
  if (status >= 500 || status === 408 || status === 429) return problem('CONNECTION_LOST', said, { details });
  return problem(kind === 'read' ? 'SUBSCRIBE_REJECTED' : 'PUSH_REJECTED', said, { details });
}

/**
 * Realtime's own words about a token, as its messages begin. Table and topic names are in other messages, and may hold the word
 * "token". supabase-js puts the reason of a refused join in quotes.
 */
const aboutToken =
  /^"?(InvalidJWTToken:|JwtSign(ature|er)Error:|MalformedJWT:|Token has expired|:signature_error|Fields `role` and `exp` are required)/;

/** Why a channel ended, from what supabase-js or Realtime says. */
export function channelError(collection: string, said: string): SyncLayerError {
  const what = `The subscription to "${collection}" ended: ${said}`;
  if (/^heartbeat timeout/.test(said)) return problem('HEARTBEAT_TIMEOUT', what);
  if (/^(socket closed|channel error)/.test(said)) return problem('CONNECTION_LOST', what);
  if (aboutToken.test(said)) return problem('AUTH_REQUIRED', what);
  if (/do not have permissions|invalid column for|Error parsing `filter`|invalid input syntax/i.test(said))
    return problem('SUBSCRIBE_REJECTED', `${what} Correct the policy or the option; it is tried with the next link.`);
  // The table may be published later, and nobody would tell.
  if (/Realtime is enabled/.test(said))
    return problem(
      'CONNECT_FAILED',
      `${what}. Is it in the publication (alter publication supabase_realtime add table ...), with SELECT granted? It is tried again.`,
    );
  return problem('CONNECT_FAILED', `${what}. It is tried again.`);
}
