import type { SyncLayerError } from '../../src/kit.js';
import { problem } from './problem.js';

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

/** The service is busy, or has stumbled: the same may work later. */
const isPassing = (entry: ErrorEntry): boolean =>
  /Throttl|TooMany|LimitExceed|MaxSubscriptions|Throughput|Unavailable|Internal|Timeout/.test(typeOf(entry));

/** The token or the key is refused; a field that this user may not touch has a path, or is named. */
const isAuth = (entry: ErrorEntry): boolean =>
  entry.path == null &&
  /Unauthorized|AccessDenied|UnrecognizedClient|Signature|MissingAuthentication|token (has )?expired/i.test(
    `${typeOf(entry)} ${entry.message}`,
  ) &&
  !/Not Authorized to access/i.test(String(entry.message));

/** Something that failed, as an error. `PUSH_REJECTED` of a write, `SUBSCRIBE_REJECTED` of anything else: for good. */
export function errorOf(what: string, kind: Kind, status: number, errors: readonly ErrorEntry[]): SyncLayerError {
  const [first = {}] = errors;
  const type = typeOf(first);
  const code = Number(first.errorCode) || status;
  const details = { ...(code > 0 && { status: code }), ...(type && { errorType: type }) };
  const words = [type, String(first.message ?? '')].filter((text) => text !== '').join(': ');
  const said = `${what} was answered with ${words || `status ${code}`}.`;
  if (errors.some(isAuth) || code === 401 || (code === 403 && kind !== 'write'))
    return problem('AUTH_REQUIRED', `${said} Sign in again, or check the API key.`, { details });
  if (errors.some(isPassing) || code >= 500 || code === 429 || code === 408)
    return problem(kind === 'connect' || kind === 'start' ? 'CONNECT_FAILED' : 'CONNECTION_LOST', said, { details });
  if (kind === 'connect') return problem('CONNECT_FAILED', `${said} Is the endpoint right?`, { details });
  return problem(kind === 'write' ? 'PUSH_REJECTED' : 'SUBSCRIBE_REJECTED', said, { details });
}
