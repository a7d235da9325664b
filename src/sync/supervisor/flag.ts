import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import { type Limit, within } from '../../transport/within.js';
import type { Context } from './context.js';

/** What the app says at once, or a promise of it. */
export function askFlag({ realtime }: Pick<Context, 'realtime'>): boolean | Promise<boolean> {
  try {
    return realtime();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** Whether a live link is wanted. The flag may be a remote one: where it cannot be had in time, the answer is undefined. */
export async function flagOf(
  { dispatch }: Context,
  asked: boolean | Promise<boolean>,
  limit: Pick<Limit, 'ms' | 'signal'>,
): Promise<boolean | undefined> {
  const again = 'the next poll asks again.';
  const message = `enableRealtimeSync has not answered for ${limit.ms} ms; ${again}`;
  try {
    return await within(asked, { ...limit, late: () => new SyncLayerError('CONNECT_FAILED', message) });
  } catch (thrown) {
    const error = toSyncLayerError(thrown, 'CONFIG_INVALID', `enableRealtimeSync failed to answer; ${again}`);
    dispatch({ type: 'workFailed', error });
    return undefined;
  }
}
