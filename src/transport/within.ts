import { joined } from '../base/abort.js';
import type { SyncLayerError } from '../base/errors.js';

/** How long a promise of somebody else may take. */
export interface Limit {
  /** In ms. */
  readonly ms: number;
  /** What to fail with. It names what did not answer. */
  readonly late: () => SyncLayerError;
  readonly signal?: AbortSignal | undefined;
}

/** How long what an app gives (a token function, a flag, an SDK's session) may take, in ms: less than `connectTimeout`, which would blame the server. */
export const OUTSIDE_LIMIT = 8000;

/**
 * `work`, or `late()` as a rejection once the limit has passed, or the signal's reason as soon as it aborts. What `work` does
 * later changes nothing.
 *
 * @example
 * const token = await within(session.getToken(), { ms: 8000, late: () => problem('CONNECT_FAILED', 'getToken() did not answer.') });
 */
export const within = <T>(work: PromiseLike<T> | T, { ms, late, signal }: Limit): Promise<T> =>
  joined(signal ? [signal] : [], async () => work, ms, late);
