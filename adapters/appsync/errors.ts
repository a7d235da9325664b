import { statusError } from '../../src/adapter-kit/http-status.js';
import { problemsOf, type SyncLayerError } from '../../src/adapter-kit/kit.js';
import { sentence } from '../../src/adapter-kit/sentence.js';
import { BUSY } from '../../src/adapter-kit/sql-state.js';

/** As in options.ts, which would otherwise be split from the adapter's start into a chunk of its own. */
const problem = problemsOf('appsync');

/** One entry of `errors`, in an answer or over the socket. */
export interface ErrorEntry {
  readonly errorType?: unknown;
  readonly message?: unknown;
  readonly errorCode?: unknown;
  readonly path?: unknown;
  readonly data?: unknown;
}

/** `connect`: the socket's beginning. `start`: one subscription. */
export type Kind = 'read' | 'write' | 'connect' | 'start';

export const typeOf = ({ errorType }: ErrorEntry): string => String(errorType ?? '');

/** Refused since the row is not as the edit saw it. */
export const isConflict = (entry: ErrorEntry): boolean =>
  /ConflictUnhandled|ConditionalCheckFailed/.test(typeOf(entry));

/** How DynamoDB names what has cancelled a transaction: `[None, TransactionConflict]`. */
const wordsOf = ({ errorType, message }: ErrorEntry): string =>
  /TransactionCanceled/.test(String(errorType)) ? `${errorType} ${message}` : String(errorType ?? '');

/**
 * The service is busy, has stumbled, or has a firewall in front of it: the same may work later. A collection of items that is
 * full (`ItemCollectionSizeLimitExceeded`) stays full.
 */
const isPassing = (entry: ErrorEntry): boolean =>
  /Throttl|TooMany|LimitExceed|MaxSubscriptions|Throughput|Unavailable|Internal|Timeout|TransactionConflict|TransactionInProgress|ReplicatedWriteConflict|^WAF/.test(
    wordsOf(entry),
  ) && !/ItemCollection/.test(wordsOf(entry));

/** The API has failed, or the code behind it did for this one item: the answer does not say which. */
const isUnclear = (entry: ErrorEntry): boolean => /Internal|^Lambda:Unhandled/.test(typeOf(entry));

/** The token or the key is refused; a field that this user may not touch has a path, or is named. */
const isAuth = (entry: ErrorEntry): boolean =>
  entry.path == null &&
  /Unauthorized|AccessDenied|UnrecognizedClient|InvalidClientToken|Signature|MissingAuthentication|ExpiredToken|token (has )?expired/i.test(
    `${typeOf(entry)} ${entry.message}`,
  ) &&
  !/Not Authorized to access/i.test(String(entry.message));

/**
 * Something that failed, as an error. PUSH_REJECTED of a write, SUBSCRIBE_REJECTED of anything else: for good. `errors` undefined:
 * the answer was not AppSync's. CONNECTION_LOST: nothing about what was asked, or (`details.unclear`) it is not known.
 */
export function errorOf(
  what: string,
  kind: Kind,
  status: number,
  errors: readonly ErrorEntry[] | undefined,
): SyncLayerError {
  const early = kind === 'connect' || kind === 'start';
  if (!errors || (errors.length === 0 && status >= 400)) {
    const hint = 'The answer is not JSON. Is the url right?';
    const error = statusError(problem, what, status, { page: !errors, hint });
    return early && error.code === 'CONNECTION_LOST' ? problem('CONNECT_FAILED', error.message, error) : error;
  }
  const [first = {}] = errors;
  const type = typeOf(first);
  const code = Number(first.errorCode) || status;
  // A status of its own is about the whole service.
  const unclear = status < 400 && errors.some(isUnclear);
  const passing = errors.some((entry) => /Transaction(Conflict|InProgress)/.test(wordsOf(entry))) && BUSY;
  const details = {
    ...(code > 0 && { status: code }),
    ...(type && { errorType: type }),
    ...(unclear && { unclear }),
    ...passing,
  };
  const words = [type, String(first.message ?? '')].filter((text) => text !== '').join(': ');
  const said = sentence(`${what} was answered with ${words || `status ${code}`}`);
  if (errors.some(isAuth) || code === 401)
    return problem('AUTH_REQUIRED', `${said} Sign in again, or check the API key.`, { details });
  if (code === 413) return problem('TOO_LARGE', said, { details });
  if (unclear || errors.some(isPassing) || code >= 500 || code === 429 || code === 408 || code === 403)
    return problem(early ? 'CONNECT_FAILED' : 'CONNECTION_LOST', `${said} It is tried again.`, { details });
  if (kind === 'connect') return problem('CONNECT_FAILED', `${said} Is the url right?`, { details });
  return problem(kind === 'write' ? 'PUSH_REJECTED' : 'SUBSCRIBE_REJECTED', said, { details });
}
