import { isPage, statusError } from '../../src/adapter-kit/http-status.js';
import { problemsOf, type SyncLayerError } from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import { BUSY, isSqlState, meaningOf, type SqlMeaning } from '../../src/adapter-kit/sql-state.js';

/** As in options.ts, which would otherwise be split from the adapter's start into a chunk of its own. */
const problem = problemsOf('supabase');

/** How PostgREST, or the way to it, says no. */
export interface RestFailure {
  /** 0: no answer. */
  readonly status: number;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

const RELOAD = "It passes once PostgREST has reloaded its schema cache: notify pgrst, 'reload schema'.";

/** PostgREST's own codes. https://docs.postgrest.org/en/stable/references/errors.html */
const postgrest: readonly (readonly [RegExp, SqlMeaning | 'token'])[] = [
  [/^PGRST30[1-3]$/, 'token'],
  // The connection to the database; the server's own faults.
  [/^PGRST(0|3|X)/, 'backend'],
  // What the schema cache lacks: right after a migration it has not been reloaded yet.
  [/^PGRST2/, 'waiting'],
  [/^PGRST1/, 'final'],
];

/**
 * Undefined: nobody who knows the request has spoken. While its database crashes PostgREST answers 400 with an empty code
 * (seen with 14.17).
 */
function meaningOfCode(code: string): SqlMeaning | 'token' | undefined {
  return isSqlState(code) ? meaningOf(code) : postgrest.find(([pattern]) => pattern.test(code))?.[1];
}

/**
 * A failed request as an error. PUSH_REJECTED of a write and SUBSCRIBE_REJECTED of a read: for good, in the words of the
 * database or of PostgREST. `details.edit`: see `refusalOf`. CONNECTION_LOST: nothing about what was asked.
 */
export function restError(what: string, kind: 'read' | 'write', failure: RestFailure): SyncLayerError {
  const { status, message = '' } = failure;
  const code = failure.code ?? '';
  if (status === 0) return problem('CONNECTION_LOST', `${what} got no answer. Is the server up, and the url right?`);
  const page = isPage(message);
  const meaning = meaningOfCode(code);
  if (meaning === undefined)
    return statusError(problem, what, status, {
      page,
      hint: 'It is tried again. Is the url right?',
      said: page ? '' : message,
    });
  const details = { status, code };
  const said = sentence(`${what} was answered with ${status} (${code})${message ? `: ${message}` : ''}`);
  if (meaning === 'token') return problem('AUTH_REQUIRED', `${said} Sign in again, or check the key.`, { details });
  if (meaning === 'busy') return problem('CONNECTION_LOST', said, { details: { ...details, ...BUSY } });
  if (meaning === 'backend') return problem('CONNECTION_LOST', said, { details });
  const fix = /^PGRST2/.test(code) ? ` ${RELOAD}` : '';
  if (kind === 'read')
    return problem(meaning === 'waiting' ? 'CONNECTION_LOST' : 'SUBSCRIBE_REJECTED', `${said}${fix}`, { details });
  // PostgREST's word for what the role anon may not do. https://docs.postgrest.org/en/stable/references/errors.html
  if (meaning === 'final' && status === 401)
    return problem('WAITING', said, { details: { ...details, edit: 'waiting', signIn: true } });
  if (meaning === 'final') return problem('PUSH_REJECTED', said, { details });
  const as = meaning === 'waiting' ? 'WAITING' : 'CONFLICT';
  return problem(as, `${said}${fix}`, { details: { ...details, edit: meaning } });
}

/**
 * Realtime's own words about a token, as its messages begin. Table and topic names are in other messages, and may hold the word
 * "token". supabase-js puts the reason of a refused join in quotes.
 */
const aboutToken =
  /^"?(InvalidJWTToken:|JwtSign(ature|er)Error:|MalformedJWT:|Token has expired|:signature_error|Fields `role` and `exp` are required)/;

/** Why a channel ended, from what supabase-js or Realtime says. */
export function channelError(collection: string, said: string): SyncLayerError {
  const what = sentence(`The subscription to "${collection}" ended: ${said}`);
  if (/^heartbeat timeout/.test(said)) return problem('HEARTBEAT_TIMEOUT', what);
  if (/^(socket closed|channel error)/.test(said)) return problem('CONNECTION_LOST', what);
  if (aboutToken.test(said)) return problem('AUTH_REQUIRED', what);
  if (/do not have permissions|invalid column for|Error parsing `filter`|invalid input syntax/i.test(said))
    return problem('SUBSCRIBE_REJECTED', `${what} Correct the policy or the option; it is tried with the next link.`);
  // The table may be published later, and nobody would tell.
  if (/Realtime is enabled/.test(said))
    return problem(
      'CONNECT_FAILED',
      `${what} Is it in the publication (alter publication supabase_realtime add table ...), with SELECT granted? It is tried again.`,
    );
  return problem('CONNECT_FAILED', `${what} It is tried again.`);
}
