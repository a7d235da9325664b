import type { SyncLayerError } from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import { problem } from './problem.js';

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
