import { abort, abortable, reasonOf } from '../base/abort.js';
import type { SyncLayerError } from '../base/errors.js';

/** How long a promise of somebody else may take. */
export interface Limit {
  /** In ms. With `heard` it counts silence: each time it has passed, and something was heard meanwhile, it begins again. */
  readonly ms: number;
  /** What to fail with. It names what did not answer. */
  readonly late: () => SyncLayerError;
  readonly signal?: AbortSignal | undefined;
  /** Whether there was a sign of life since this was last called. */
  readonly heard?: () => boolean;
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
export async function within<T>(
  work: PromiseLike<T> | T,
  { ms, late, signal, heard = () => false }: Limit,
): Promise<T> {
  const over = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = (): void => {
    timer = setTimeout(() => (heard() ? watch() : abort(over, late())), ms);
  };
  const onAbort = (): void => abort(over, signal && reasonOf(signal));
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  watch();
  try {
    return await abortable(Promise.resolve(work), over.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
