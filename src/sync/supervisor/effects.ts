import type { Attempt } from './attempt.js';
import { type Context, ignore, report, retryDelay, sessionsOf } from './context.js';
import { connectionState } from './link.js';
import type { Effect, Event, State } from './machine.js';
import type { WorkLoader } from './work-loader.js';

/** What the effects work with. */
export interface Workers {
  readonly attempt: Attempt;
  readonly work: WorkLoader;
  readonly interrupt: () => void;
  /** Closes the link. */
  readonly disconnect: () => void;
  /** Every collection belongs to the backend that answers now. */
  readonly move: () => void;
  /** Nothing begins from now on. */
  readonly stop: () => void;
}

type Perform = (before: State, event: Event) => void;

/** Runs what `machine.ts` decides. */
export function createEffects(context: Context, workers: Workers): { readonly [Name in Effect]: Perform } {
  const { announcer, settings, collections, timers, tokens, dispatch } = context;
  const { events, metrics, log } = announcer;
  const { attempt, work } = workers;

  function sayLink({ link: last }: State): void {
    const link = connectionState(context.state.link);
    const isUp = link.status === 'connected';
    metrics.connected(isUp);
    log('debug', `connection: ${link.status}`, () => {
      const { reason, retryAt, failures } = context.state.link;
      return {
        code: reason?.code,
        failures,
        ...(retryAt !== undefined && { delay: Math.max(0, retryAt - Date.now()) }),
      };
    });
    if (isUp) events.emit('realtimeConnected', { collections: [...collections.keys()] });
    else if (last.name === 'connected') events.emit('realtimeDisconnected', { state: link });
  }

  return {
    connect: () => void attempt.start(),
    abort: attempt.stop,
    disconnect: workers.disconnect,
    ask: tokens.again,
    poll: () => work.use('poll', ({ rounds }) => void rounds.run().catch(ignore)),
    catchUp: () => work.use('catchUp', ({ rounds }) => void rounds.catchUpAll().catch(ignore)),
    subscribe() {
      for (const session of sessionsOf(context)) session.start();
    },
    unsubscribe() {
      for (const session of sessionsOf(context)) session.stop();
    },
    interrupt: workers.interrupt,
    push() {
      if (settings.enableAutoSync) work.use('push', ({ pushing }) => void pushing.push().catch(ignore));
    },
    pollNow: () => work.use('schedule', ({ rounds }) => rounds.start(0)),
    startSchedule: () =>
      work.use('schedule', ({ rounds }) => rounds.start(context.state.realtime ? settings.syncInterval : 0)),
    retryPush: () =>
      timers.schedule('push', retryDelay(context, context.state.pushFailures), () => dispatch({ type: 'pushWanted' })),
    retryPull: () =>
      timers.schedule('retry', retryDelay(context, context.state.pullFailures), () => dispatch({ type: 'retryDue' })),
    readAgain() {
      for (const session of sessionsOf(context))
        if (session.phase === 'catching-up') void session.catchUp().catch(ignore);
        // Its subscription has ended alone.
        else if (session.phase === 'idle') session.start();
    },
    awaitBackground() {
      const after = settings.disconnectInBackground;
      if (after !== false) timers.schedule('background', after, () => dispatch({ type: 'backgroundDue' }));
    },
    cancelBackground: () => timers.cancel('background'),
    awaitNetwork: () => timers.schedule('network', settings.maxReconnectDelay, () => dispatch({ type: 'networkDue' })),
    sayOnline({ online: before }) {
      const { online } = context.state;
      if (online === before) return;
      timers.cancel('network');
      events.emit('connectivityChanged', { online });
    },
    sayLink,
    reportLink() {
      const { reason } = context.state.link;
      if (reason) report(context, reason);
    },
    reportError(_, event) {
      if (event.type === 'workFailed') report(context, event.error, event.collection);
    },
    refuseToken(_, event) {
      if ('error' in event) tokens.refuse(event.error);
    },
    move: workers.move,
    stop: workers.stop,
  };
}
