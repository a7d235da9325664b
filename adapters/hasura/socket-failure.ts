import { isObject, isSyncLayerError, type SyncLayerError } from '../../src/adapter-kit/kit.js';
import { problem } from './problem.js';

const OLD_SERVER =
  'It speaks the older protocol of subscriptions-transport-ws (subprotocol "graphql-ws"), which is not supported. Update Hasura to 2.1 or later.';

/** graphql-ws throws for a message that its protocol does not have; only its words tell which. */
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
