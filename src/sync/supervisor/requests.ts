import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import type { ConfiguredUser } from '../../transport/token.js';
import type { AuthToken } from '../../transport/transport.js';
import type { Limit } from '../../transport/within.js';
import { type Context, ignore } from './context.js';
import { createDataRequests } from './data-requests.js';
import { watchEnvironment } from './environment.js';
import { askFlag, flagOf } from './flag.js';
import type { WorkLoader } from './work-loader.js';

export interface RequestsOptions {
  readonly work: WorkLoader;
  /** For what the app gives. */
  readonly limit: Pick<Limit, 'ms' | 'signal'>;
}

/** What the app and the platform ask for, as events, and the promises of how they end. */
export function createRequests(context: Context, { work, limit }: RequestsOptions) {
  const { transport, journal, tokens, timers, dispatch } = context;
  const waiters: (() => void)[] = [];
  /** Resolves once the link that was dropped last is closed. */
  let leaving: Promise<void> = Promise.resolve();
  let stopWatching: (() => void) | undefined;
  const failed = (error: SyncLayerError): void => dispatch({ type: 'workFailed', error });

  /** Resolves when no attempt to connect is under way. */
  async function attemptEnded(): Promise<void> {
    if (context.state.link.name === 'connecting') await new Promise<void>((resolve) => waiters.push(resolve));
  }

  /** Resolves once what an event has dropped is closed. The event may have to wait for the one before it. */
  async function dropped(): Promise<void> {
    await null;
    await leaving;
  }

  async function setRealtime(realtime: boolean): Promise<void> {
    dispatch({ type: 'flagChanged', realtime });
    if (!realtime) await dropped();
  }

  async function applyFlag(): Promise<void> {
    const realtime = await flagOf(context, askFlag(context), limit);
    const { state } = context;
    if (realtime === undefined || realtime === state.realtime || state.closed) return;
    await setRealtime(realtime).catch(failed);
    dispatch({ type: 'pushWanted' });
  }

  /** Link, pulls and pushes begin again, after `delay` ms; no late answer of before says anything. */
  function restart(delay = 0): void {
    // Until the start nothing is under way.
    if (!stopWatching) return;
    dispatch({ type: 'restarted' });
    const begin = (): void => dispatch({ type: 'woken' });
    void dropped()
      // A link that cannot be closed is no reason to stay without one.
      .catch(failed)
      .then(() => (delay > 0 ? timers.schedule('restart', delay, begin) : begin()));
  }

  async function pause(): Promise<void> {
    dispatch({ type: 'paused' });
    await dropped();
  }

  function resume(): void {
    if (context.state.paused) dispatch({ type: 'resumed' });
  }

  async function syncNow(): Promise<void> {
    const { closed, paused } = context.state;
    if (closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.');
    if (paused) throw new SyncLayerError('INVALID_STATE', 'This SyncLayer is paused; call resume() first.');
    await applyFlag();
    dispatch({ type: 'wanted' });
    await attemptEnded();
    const { rounds } = await work.load();
    if (context.state.closed || context.state.paused)
      throw new SyncLayerError('CLOSED', 'syncNow() was stopped by close() or pause().');
    await rounds.run().catch((error: SyncLayerError) => {
      const { realtime, link } = context.state;
      // Why there is no link says more than that there is none.
      throw realtime && link.reason && error.code === 'CONNECTION_LOST' ? link.reason : error;
    });
    await journal.flushed();
  }

  function start(): void {
    stopWatching = watchEnvironment({
      online(online) {
        if (online !== context.state.online) dispatch({ type: online ? 'online' : 'offline' });
      },
      visible: (visible) => dispatch({ type: visible ? 'shown' : 'hidden' }),
    });
    const answer = askFlag(context);
    const begin = (realtime = false): void => {
      if (!context.state.closed) dispatch({ type: 'started', realtime });
    };
    // Opening does not wait for a remote flag: the device may be offline.
    if (typeof answer === 'boolean') begin(answer);
    else void flagOf(context, answer, limit).then(begin);
    context.updateStatus();
  }

  async function close(): Promise<void> {
    dispatch({ type: 'closed' });
    try {
      await transport.close();
    } catch (thrown) {
      // The store must still be closed.
      const error = toSyncLayerError(thrown, 'CONNECTION_LOST', `${transport.name} did not close cleanly.`);
      context.announcer.report(error);
    }
  }

  return {
    restart,
    async beforePoll(): Promise<void> {
      await applyFlag();
      await attemptEnded();
    },
    /** After each event. */
    attemptMayHaveEnded(): void {
      if (context.state.link.name !== 'connecting') for (const resolve of waiters.splice(0)) resolve();
    },
    disconnect(): void {
      leaving = (async () => transport.disconnect?.())();
      leaving.catch(ignore);
    },
    stopWatching: (): void => stopWatching?.(),
    ofTheApp: {
      setRealtime,
      pause,
      resume,
      syncNow,
      start,
      close,
      setAuthToken(token: AuthToken | undefined, { user }: { readonly user?: ConfiguredUser } = {}): void {
        tokens.set(token, user);
        // Link, pulls and pushes speak for the old token, and a late refusal of it says nothing about this one.
        restart();
      },
      ...createDataRequests(context, { pause, resume, syncNow }),
    },
  };
}
