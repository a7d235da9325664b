import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import { type Limit, within } from '../../transport/within.js';

export interface FlagOptions {
  readonly ask: () => boolean | Promise<boolean>;
  readonly limit: Pick<Limit, 'ms' | 'signal'>;
  readonly failed: (error: SyncLayerError) => void;
}

/** Asks the app whether a live link is wanted. The flag may be a remote one: where it cannot be had, the answer is undefined. */
export function createFlag({ ask, limit, failed }: FlagOptions) {
  function answer(): boolean | Promise<boolean> {
    try {
      return ask();
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }
  const late = (): SyncLayerError =>
    new SyncLayerError(
      'CONNECT_FAILED',
      `enableRealtimeSync has not answered for ${limit.ms} ms; the next poll asks again.`,
    );

  return {
    /** At once, where the app knows at once. */
    answer,
    async settle(asked: boolean | Promise<boolean> = answer()): Promise<boolean | undefined> {
      try {
        return await within(asked, { ...limit, late });
      } catch (thrown) {
        const message = 'enableRealtimeSync failed to answer; the next poll asks again.';
        failed(toSyncLayerError(thrown, 'CONFIG_INVALID', message));
        return undefined;
      }
    },
  };
}
