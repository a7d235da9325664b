import type { SyncLayerError } from '../../base/errors.js';
import type { Look } from '../audit-pace.js';
import { allLive, type Context, coresOf, ignore, isConnected, mayWork, sessionsOf } from './context.js';

export interface RoundsOptions {
  readonly push: () => Promise<void>;
  /** Before a poll: the link may be wanted by now, or be on its way. */
  readonly beforePoll: () => Promise<void>;
}

/** Reads all collections: on a schedule where there is no live link, at each audit, and when it is asked to. */
export function createRounds(context: Context, { push, beforePoll }: RoundsOptions) {
  const { settings, timers, dispatch } = context;
  const { events, metrics } = context.announcer;
  const names = (): string[] => [...context.collections.keys()];
  /** Every collection failed for what only the app can put right: nothing is read again until the app asks. */
  let isFinal = false;
  let audit: (() => Promise<number>) | undefined;

  /** Resolves with how many changes came. */
  async function catchUpAll(compare?: boolean): Promise<number> {
    const results = await Promise.allSettled(sessionsOf(context).map((session) => session.catchUp(compare)));
    const reasons = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as SyncLayerError] : [],
    );
    isFinal = reasons.length === results.length && reasons.every(({ code }) => code === 'CONFIG_INVALID');
    // One failure can stop the other collections: it is the one to report.
    const reason = reasons.find(({ code }) => code !== 'CLOSED') ?? reasons[0];
    if (reason) throw reason;
    return results.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
  }

  /** One round of synchronising, with its events. */
  async function round(steps: () => Promise<void>): Promise<void> {
    const startedAt = Date.now();
    events.emit('syncStarted', { collections: names() });
    try {
      await steps();
      metrics.synced(true, Date.now() - startedAt);
      events.emit('syncCompleted', { collections: names(), duration: Date.now() - startedAt });
      dispatch({ type: 'pulled' });
    } catch (thrown) {
      const error = thrown as SyncLayerError;
      metrics.synced(false, Date.now() - startedAt);
      if (!context.state.closed) events.emit('syncFailed', { collections: names(), error });
      dispatch({ type: 'roundFailed' });
      throw error;
    }
  }

  /** Pulls, then pushes, now. Rejects with the first error. */
  const run = (): Promise<void> =>
    round(async () => {
      await catchUpAll();
      await push();
    });

  const mayLook = (): boolean => mayWork(context) && !context.state.away && !isFinal;

  /** Reads on a schedule while there is no live link. The flag is asked again at each turn. */
  function schedulePoll(delay: number): void {
    timers.schedule('poll', delay, () => {
      void (async () => {
        await beforePoll();
        if (mayLook() && !allLive(context)) await run();
      })()
        .catch(ignore)
        // Another poll may have been asked for at once meanwhile.
        .finally(() => timers.has('poll') || schedulePoll(pollDelay()));
    });
  }

  const pollDelay = (): number =>
    context.state.online ? settings.syncInterval : Math.max(settings.syncInterval, settings.maxReconnectDelay);

  async function look(compare: boolean): Promise<Look> {
    const before = metrics.counts.reads;
    const cost = { reads: 0, news: 0 };
    if (mayLook())
      await round(async () => {
        // The right may have been given, or the table published, since the subscription was refused.
        if (isConnected(context))
          for (const session of sessionsOf(context)) if (session.phase === 'failed') session.start();
        cost.news = await catchUpAll(compare);
        cost.reads = metrics.counts.reads - before;
        if (settings.enableAutoSync) await push();
      });
    return cost;
  }

  /** Rows that a comparison of everything reads, where the backend charges for them. */
  const expected = (): number =>
    metrics.counts.reads === 0 ? 0 : coresOf(context).reduce((sum, { price }) => sum + price(), 0);

  /** Resolves with how long it is until the next one, ms. */
  async function nextAudit(): Promise<number> {
    const shortest = settings.auditInterval;
    if (settings.auditsFixed) {
      // The app has set the time, and pays for it.
      await look(true);
      return shortest;
    }
    // A chunk that is loaded minutes after the start.
    audit ??= (await import('../audit-pace.js')).createAuditPace({ shortest, expected, look });
    return audit();
  }

  /**
   * Even a live link can lose events without a word (rate limits, a restarted database), and a poll cannot see what lies
   * before its cursor: look now and then.
   */
  function scheduleAudit(delay: number): void {
    timers.schedule('audit', delay, () => {
      void nextAudit()
        .catch(() => settings.auditInterval)
        .then(scheduleAudit);
    });
  }

  return {
    catchUpAll,
    run,
    /** Begins what goes by the clock; `delay`: until the first poll, in ms. */
    start(delay: number): void {
      if (!settings.enableAutoSync) return;
      schedulePoll(delay);
      if (!timers.has('audit')) scheduleAudit(settings.auditInterval);
    },
    /** The app has done something about the configuration that failed, or may have: reads begin again. */
    reconsider(): void {
      isFinal = false;
    },
  };
}

export type Rounds = ReturnType<typeof createRounds>;
