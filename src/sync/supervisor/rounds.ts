import type { SyncLayerError } from '../../base/errors.js';
import type { Timers } from '../../base/timers.js';
import type { Settings } from '../../config/defaults.js';
import type { Announcer } from '../announcer.js';
import type { Look } from '../audit-pace.js';
import type { CollectionCore } from '../collection-core.js';

export interface RoundsOptions {
  readonly collections: ReadonlyMap<string, CollectionCore>;
  readonly announcer: Announcer;
  readonly settings: Pick<
    Settings,
    'enableAutoSync' | 'syncInterval' | 'maxReconnectDelay' | 'auditInterval' | 'auditsFixed'
  >;
  readonly timers: Timers<'poll' | 'audit'>;
  readonly push: () => Promise<void>;
  /** A round may begin by itself. */
  readonly mayLook: () => boolean;
  readonly isOnline: () => boolean;
  readonly isConnected: () => boolean;
  /** Every collection gets its changes by itself. */
  readonly allLive: () => boolean;
  /** Before a poll: the link may be wanted by now, or be on its way. */
  readonly beforePoll: () => Promise<void>;
  readonly isClosed: () => boolean;
  readonly ended: (ok: boolean) => void;
}

/** The failure has been reported where it happened. */
const ignore = (): void => undefined;

/** Reads all collections: on a schedule where there is no live link, at each audit, and when it is asked to. */
export function createRounds(options: RoundsOptions) {
  const { collections, announcer, settings, timers } = options;
  const { events, metrics } = announcer;
  const names = (): string[] => [...collections.keys()];
  const sessions = () => [...collections.values()].map(({ session }) => session);
  /** Every collection failed for what only the app can put right: nothing is read again until the app asks. */
  let isFinal = false;
  let audit: (() => Promise<number>) | undefined;

  /** Resolves with how many changes came. */
  async function catchUpAll(compare?: boolean): Promise<number> {
    const results = await Promise.allSettled(sessions().map((session) => session.catchUp(compare)));
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
      options.ended(true);
    } catch (thrown) {
      const error = thrown as SyncLayerError;
      metrics.synced(false, Date.now() - startedAt);
      if (!options.isClosed()) events.emit('syncFailed', { collections: names(), error });
      options.ended(false);
      throw error;
    }
  }

  /** Pulls, then pushes, now. Rejects with the first error. */
  const run = (): Promise<void> =>
    round(async () => {
      await catchUpAll();
      await options.push();
    });

  const mayLook = (): boolean => options.mayLook() && !isFinal;

  /** Reads on a schedule while there is no live link. The flag is asked again at each turn. */
  function schedulePoll(delay: number): void {
    timers.schedule('poll', delay, () => {
      void (async () => {
        await options.beforePoll();
        if (mayLook() && !options.allLive()) await run();
      })()
        .catch(ignore)
        // Another poll may have been asked for at once meanwhile.
        .finally(() => timers.has('poll') || schedulePoll(pollDelay()));
    });
  }

  const pollDelay = (): number =>
    options.isOnline() ? settings.syncInterval : Math.max(settings.syncInterval, settings.maxReconnectDelay);

  async function look(compare: boolean): Promise<Look> {
    const before = metrics.counts.reads;
    const cost = { reads: 0, news: 0 };
    if (mayLook())
      await round(async () => {
        // The right may have been given, or the table published, since the subscription was refused.
        if (options.isConnected()) for (const session of sessions()) if (session.phase === 'failed') session.start();
        cost.news = await catchUpAll(compare);
        cost.reads = metrics.counts.reads - before;
        if (settings.enableAutoSync) await options.push();
      });
    return cost;
  }

  /** Rows that a comparison of everything reads, where the backend charges for them. */
  const expected = (): number =>
    metrics.counts.reads === 0 ? 0 : [...collections.values()].reduce((sum, { price }) => sum + price(), 0);

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
