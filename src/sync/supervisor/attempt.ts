import { abort, abortable } from '../../base/abort.js';
import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import type { Context } from './context.js';

/** Connects, at most once at a time, within a limit. */
export function createAttempt({ transport, settings, announcer, dispatch }: Context, load: () => Promise<unknown>) {
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stop(): void {
    clearTimeout(timer);
    current?.abort();
    current = undefined;
  }

  return {
    async start(): Promise<void> {
      stop();
      const mine = new AbortController();
      current = mine;
      const startedAt = Date.now();
      const { name: adapter } = transport;
      timer = setTimeout(() => {
        const message = `${adapter} did not connect within ${settings.connectTimeout} ms. Is the server up, and its address right?`;
        abort(mine, new SyncLayerError('CONNECT_TIMEOUT', message, { adapter }));
      }, settings.connectTimeout);
      let error: SyncLayerError | undefined;
      try {
        // What comes over the link needs what pulls.
        await abortable(load(), mine.signal);
        await abortable(transport.connect({ signal: mine.signal }), mine.signal);
      } catch (thrown) {
        error = toSyncLayerError(thrown, 'CONNECT_FAILED', `${adapter} could not connect.`, { adapter });
      }
      // Stopped, or begun again: how this attempt ended is of the past.
      if (current !== mine) return;
      clearTimeout(timer);
      current = undefined;
      announcer.metrics.connectAttempt(!error, Date.now() - startedAt);
      dispatch(error ? { type: 'lost', error } : { type: 'opened' });
    },
    stop,
  };
}

export type Attempt = ReturnType<typeof createAttempt>;
