/** What went wrong, for code to branch on. */
export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'INVALID_ARGUMENT'
  | 'INVALID_STATE'
  | 'NOT_FOUND'
  | 'PEER_MISSING'
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  | 'CONNECTION_LOST'
  | 'HEARTBEAT_TIMEOUT'
  | 'AUTH_REQUIRED'
  | 'SUBSCRIBE_REJECTED'
  | 'PROTOCOL_VIOLATION'
  | 'PUSH_REJECTED'
  | 'TOO_LARGE'
  | 'WAITING'
  | 'CONFLICT'
  | 'VALIDATION_FAILED'
  | 'STORE_FAILED'
  | 'UNSUPPORTED'
  | 'INTERNAL'
  | 'CLOSED';

/** What to do about an error: it is tried again later, the user has to sign in, or somebody has to put something right. */
export type ErrorKind = 'retry' | 'auth' | 'fatal';

const kinds: Record<ErrorCode, ErrorKind> = {
  CONFIG_INVALID: 'fatal',
  INVALID_ARGUMENT: 'fatal',
  INVALID_STATE: 'fatal',
  NOT_FOUND: 'fatal',
  PEER_MISSING: 'fatal',
  CONNECT_FAILED: 'retry',
  CONNECT_TIMEOUT: 'retry',
  CONNECTION_LOST: 'retry',
  HEARTBEAT_TIMEOUT: 'retry',
  AUTH_REQUIRED: 'auth',
  SUBSCRIBE_REJECTED: 'fatal',
  PROTOCOL_VIOLATION: 'retry',
  PUSH_REJECTED: 'fatal',
  TOO_LARGE: 'retry',
  WAITING: 'retry',
  CONFLICT: 'retry',
  VALIDATION_FAILED: 'fatal',
  STORE_FAILED: 'retry',
  UNSUPPORTED: 'fatal',
  INTERNAL: 'fatal',
  CLOSED: 'fatal',
};

/**
 * What to do about an error of which only the code is known, such as one of `sync.outbox.failed()`. Others have it as `error.kind`.
 *
 * @example
 * kindOf('CONNECTION_LOST'); // 'retry'
 */
export const kindOf = (code: ErrorCode): ErrorKind => kinds[code];

/** What an error may carry beside its message. Never a token, a key or a URL's query. */
export interface ErrorOptions {
  /** The transport, store or part that failed, e.g. `'websocket'`. */
  readonly adapter?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

const BRAND = Symbol.for('synclayer.error');

/**
 * The one error that SyncLayer throws, rejects with and emits. Its message says what failed and what to do next.
 *
 * @example
 * sync.events.on('error', ({ error }) => {
 *   if (error.kind === 'auth') signIn();
 * });
 */
export class SyncLayerError extends Error {
  override readonly name = 'SyncLayerError';
  readonly code: ErrorCode;
  /** What to do about it: see `ErrorKind`. */
  readonly kind: ErrorKind;
  readonly adapter: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = kinds[code];
    this.adapter = options.adapter;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * True for a SyncLayerError of any copy of the package: an app can hold both the ESM and the CJS build, and
 * `instanceof` fails across them.
 *
 * @example
 * try { await todos.save(row); } catch (error) { if (isSyncLayerError(error)) show(error.message); else throw error; }
 */
export const isSyncLayerError = (value: unknown): value is SyncLayerError =>
  typeof value === 'object' && value !== null && BRAND in value;

/**
 * Any thrown value as a SyncLayerError: itself if it is one, else wrapped under `code` with the original as `cause`.
 *
 * @example
 * const error = toSyncLayerError(thrown, 'CONNECT_FAILED', 'Could not open the socket; is the server running?');
 */
export function toSyncLayerError(
  value: unknown,
  code: ErrorCode,
  message: string,
  options: Omit<ErrorOptions, 'cause'> = {},
): SyncLayerError {
  return isSyncLayerError(value) ? value : new SyncLayerError(code, message, { ...options, cause: value });
}
