import { abort, abortable } from '../../base/abort.js';
import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import type { RealtimeTransport } from '../../transport/transport.js';

export interface AttemptOptions {
  readonly transport: Pick<RealtimeTransport, 'name' | 'connect'>;
  /** In ms. */
  readonly connectTimeout: number;
  readonly opened: () => void;
  readonly failed: (error: SyncLayerError) => void;
  /** `connect` ended: for the metrics. `took` is in ms. */
  readonly measured: (ok: boolean, took: number) => void;
}

/** Connects, at most once at a time, within a limit. */
export function createAttempt({ transport, connectTimeout, opened, failed, measured }: AttemptOptions) {
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
      timer = setTimeout(() => {
        const message = `${transport.name} did not connect within ${connectTimeout} ms. Is the server up, and its address right?`;
        abort(mine, new SyncLayerError('CONNECT_TIMEOUT', message, { adapter: transport.name }));
      }, connectTimeout);
      let error: SyncLayerError | undefined;
      try {
        await abortable(transport.connect({ signal: mine.signal }), mine.signal);
      } catch (thrown) {
        const message = `${transport.name} could not connect.`;
        error = toSyncLayerError(thrown, 'CONNECT_FAILED', message, { adapter: transport.name });
      }
      // Stopped, or begun anew: how this one ended is of the past.
      if (current !== mine) return;
      clearTimeout(timer);
      current = undefined;
      measured(!error, Date.now() - startedAt);
      if (error) failed(error);
      else opened();
    },
    stop,
  };
}

export type Attempt = ReturnType<typeof createAttempt>;
