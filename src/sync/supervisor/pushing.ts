import { SyncLayerError } from '../../base/errors.js';
import { backoffDelay } from '../../transport/backoff.js';
import type { Remote } from '../collection/remote.js';
import { createPusher } from '../pusher.js';
import { type Context, mayWork, pendingCount } from './context.js';

/** First wait of edits that wait for another row, in ms; it doubles up to `auditInterval`. */
const FIRST_WAIT = 2000;

/** Sends what waits in the outboxes. */
export function createPushing(context: Context, signalOfWork: () => AbortSignal) {
  const { announcer, settings, timers, dispatch } = context;
  const pusher = createPusher({
    transport: context.transport,
    collections: new Map(
      [...context.collections].map(([name, core]) => [name, { replica: core.remote as Remote, mayPush: core.mayPush }]),
    ),
    clockOffset: context.clock.offset,
    flushed: context.journal.flushed,
    settled: context.updateStatus,
    awaitsSignIn: () => context.tokens.awaitsSignIn,
    log: announcer.log,
  });
  /** The run of the pusher that is under way, or was the last. */
  let run: Promise<void> | undefined;
  let isQueued = false;
  /** Runs in a row that left edits waiting for another row. */
  let waits = 0;
  /** What those edits wait for, as it was reported. */
  let reported: readonly string[] = [];

  const pushWanted = (): void => dispatch({ type: 'pushWanted' });

  /** What edits wait for may come from another client, without an event here: they are tried again. Each reason is reported once. */
  function scheduleWaiting(): void {
    const waiting = pusher.waiting();
    const reasons = waiting.map(({ opId, waiting: { message } = { message: '' } }) => `${opId} ${message}`);
    for (const [index, { collection, waiting: reason }] of waiting.entries())
      if (reason && !reported.includes(reasons[index] ?? ''))
        announcer.report(
          new SyncLayerError(reason.code === 'AUTH_REQUIRED' ? 'AUTH_REQUIRED' : 'WAITING', reason.message),
          collection,
        );
    reported = reasons;
    // A push that failed comes again by itself, with the edits that wait.
    waits = waiting.length > 0 && !timers.has('push') ? waits + 1 : 0;
    if (waits === 0) timers.cancel('waiting');
    else timers.schedule('waiting', backoffDelay(waits, { base: FIRST_WAIT, max: settings.auditInterval }), pushWanted);
  }

  return {
    /** Sends now, or joins the run that is under way. Rejects with why the outbox could not be emptied. */
    async push(): Promise<void> {
      // With nothing left that fails, the next edit does not wait for a backoff that is over.
      if (pendingCount(context) === 0) dispatch({ type: 'pushed' });
      if (!mayWork(context) || pendingCount(context) === 0) return;
      timers.cancel('push');
      const signal = signalOfWork();
      const mine = pusher.push(signal);
      // A caller who joins learns how the run ended; it failed once.
      const isJoined = mine === run;
      run = mine;
      try {
        await mine;
        dispatch({ type: 'pushed' });
      } catch (thrown) {
        // The pusher has put it into words.
        const error = thrown as SyncLayerError;
        if (signal.aborted) return;
        if (isJoined) throw error;
        // What time does not mend has no backoff, for which the next edit, maybe of another collection, would wait in vain.
        dispatch({ type: 'workFailed', error });
        if (error.kind === 'retry') dispatch({ type: 'pushFailed' });
        throw error;
      } finally {
        scheduleWaiting();
        context.updateStatus();
      }
    },

    /** An edit was made. A burst of edits in one turn is one push. */
    edited(): void {
      if (!settings.enableAutoSync || isQueued || context.state.pushFailures > 0) return;
      isQueued = true;
      queueMicrotask(() => {
        isQueued = false;
        pushWanted();
      });
    },
  };
}

export type Pushing = ReturnType<typeof createPushing>;
