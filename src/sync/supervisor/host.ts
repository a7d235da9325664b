import type { SyncLayerError } from '../../base/errors.js';
import { type Context, report } from './context.js';

/** Gives the transport what it may ask for and tell: see `TransportHost`. */
export function attachHost(context: Context): void {
  const { transport, announcer, tokens, clock, dispatch } = context;
  const { metrics, log } = announcer;
  transport.attach?.({
    authToken: tokens.get,
    refused: tokens.refused,
    user: tokens.told,
    sessionChanged(user) {
      if (context.state.closed) return;
      dispatch({ type: 'renewed' });
      try {
        if (user !== undefined) tokens.told(user);
      } catch (thrown) {
        const error = thrown as SyncLayerError;
        // Another user's session begins again by itself.
        if (error.kind === 'auth') dispatch({ type: 'workFailed', error });
      }
    },
    log,
    traffic: metrics.traffic,
    reads: metrics.reads,
    serverTime: clock.measure,
    report: (error) => {
      if (!context.state.closed) report(context, error);
    },
    moved: () => {
      if (!context.state.closed) dispatch({ type: 'moved' });
    },
  });
}
