import { isSyncLayerError, type PushResult } from './kit.js';

/** In the `details` of an error of a write that is not for good: what it means for its edit. */
export type Later = 'waiting' | 'retry';

/** What a failed write of one change means for it. Undefined: nothing, since the link or the backend is in trouble. */
export function refusalOf(error: unknown): PushResult | undefined {
  if (!isSyncLayerError(error)) return undefined;
  const { edit } = error.details;
  if (edit === 'waiting' || edit === 'retry') return { type: edit, error };
  return error.code === 'PUSH_REJECTED' ? { type: 'rejected', error } : undefined;
}
