import { disposition, SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { createTimers } from '../base/timers.js';
import type { Settings } from '../config/defaults.js';
import { backoffDelay } from '../transport/backoff.js';
import type { Announcer } from './announcer.js';
import type { Look } from './audit-pace.js';
import type { CollectionCore } from './collection-core.js';
import type { Pusher, PusherOptions } from './pusher.js';

export interface RoundsOptions extends PusherOptions {
  readonly collections: ReadonlyMap<string, CollectionCore>;
  readonly announcer: Announcer;
  readonly settings: Pick<
    Settings,
    'enableAutoSync' | 'syncInterval' | 'maxReconnectDelay' | 'auditInterval' | 'auditsFixed'
  >;
  /** After so many failures, in ms. */
  readonly retryDelay: (failures: number) => number;
  /** False while paused, closed or without a token that is let in. */
  readonly mayWork: () => boolean;
  /** As far as the platform knows. Offline it is looked all the same, slowly: it may be wrong. */
  readonly isOnline: () => boolean;
  /** The link was dropped since nobody looks: nothing begins by itself. */
  readonly isAway: () => boolean;
  readonly isConnected: () => boolean;
  /** An attempt to connect is under way. */
  readonly linkIsComing: () => boolean;
  /** Every collection gets its changes by itself. */
  readonly allLive: () => boolean;
  /** Before a poll: the link may be wanted by now, or be on its way. */
  readonly beforePoll: () => Promise<void>;
  readonly onFailure: (error: SyncLayerError) => void;
}

/** First wait of edits that wait for another row, in ms; it doubles up to `auditInterval`. */
const FIRST_WAIT = 2000;

/** Reported where it happened. */
const ignore = (): void => undefined;

/** When is pulled and pushed: now, after an edit, on a schedule, or again after a failure. */
export function createRounds(options: RoundsOptions) {
  const { collections, announcer, settings, retryDelay, mayWork } = options;
  const { events, metrics } = announcer;
  const names = (): string[] => [...collections.keys()];
  let pusher: Pusher | undefined;
  let loading: Promise<void> | undefined;
  const timers = createTimers<'push' | 'waiting' | 'retry' | 'poll' | 'audit'>();
  /** Failures in a row, for their backoff. */
  let pushFailures = 0;
  /** Runs in a row that left edits waiting for another row. */
  let waits = 0;
  /** What they wait for, as it was told. */
  let told: readonly string[] = [];
  let pullFailures = 0;
  /** Aborted by `interrupt`: what is under way then is given up. */
  let work = new AbortController();
  let closed = false;

  const sessions = () => [...collections.values()].map(({ session }) => session);
  const pendingCount = (): number =>
    [...collections.values()].reduce((sum, { replica }) => sum + replica.pending.size, 0);

  /** The run of the pusher that is under way, or was. */
  let run: Promise<void> | undefined;

  /** In a chunk of its own: an app reads first. While it is out of reach, edits stay in the outbox. */
  async function loadPusher(): Promise<void> {
    try {
      const { createPusher } = await import('./pusher.js');
      pusher ??= createPusher(options);
    } catch (error) {
      throw toSyncLayerError(error, 'CONNECTION_LOST', 'What sends edits could not be loaded; it is tried again.');
    } finally {
      loading = undefined;
    }
  }
  // It comes while the store is read.
  loading = loadPusher();
  loading.catch(ignore);

  async function push(): Promise<void> {
    // Nothing is left that fails: the next edit must not wait for a backoff that is over.
    if (pendingCount() === 0) pushFailures = 0;
    if (!mayWork() || pendingCount() === 0) return;
    timers.cancel('push');
    const { signal } = work;
    if (!pusher) loading ??= loadPusher();
    const loaded = loading;
    if (loaded !== undefined) {
      await loaded.catch(ignore);
      if (signal.aborted || !mayWork()) return;
    }
    const mine = pusher?.push(signal) ?? loaded;
    // Who joins it learns how it ended; it failed once.
    const isJoined = mine === run;
    run = mine;
    try {
      await mine;
      pushFailures = 0;
    } catch (thrown) {
      // The pusher has put it into words.
      const error = thrown as SyncLayerError;
      if (signal.aborted) return;
      if (isJoined) throw error;
      options.onFailure(error);
      // What time does not mend has no backoff, for which the next edit, maybe of another collection, would wait in vain.
      if (disposition(error.code) === 'retry') {
        pushFailures += 1;
        timers.schedule('push', retryDelay(pushFailures), pushSoon);
      }
      throw error;
    } finally {
      scheduleWaiting();
      options.settled();
    }
  }

  /** What is waited for may come from elsewhere, and nobody tells. Each reason is told once. */
  function scheduleWaiting(): void {
    const waiting = pusher?.waiting() ?? [];
    const reasons = waiting.map(({ opId, waiting: { message } = { message: '' } }) => `${opId} ${message}`);
    for (const [index, { collection, waiting: reason }] of waiting.entries())
      if (reason && !told.includes(reasons[index] ?? ''))
        announcer.report(
          new SyncLayerError(reason.code === 'AUTH_REQUIRED' ? 'AUTH_REQUIRED' : 'WAITING', reason.message),
          collection,
        );
    told = reasons;
    // A failed push comes again by itself, with what waits.
    waits = waiting.length > 0 && !timers.has('push') ? waits + 1 : 0;
    if (waits === 0) timers.cancel('waiting');
    else timers.schedule('waiting', backoffDelay(waits, { base: FIRST_WAIT, max: settings.auditInterval }), pushSoon);
  }

  /** An edit waits for the link that is being made: without this each start began with an error. */
  let waitsForLink = false;
  function pushSoon(): void {
    waitsForLink = options.linkIsComing();
    if (settings.enableAutoSync && !waitsForLink && options.isOnline() && !options.isAway()) void push().catch(ignore);
  }

  let pushQueued = false;
  function edited(): void {
    options.settled();
    // While pushes fail their backoff decides; a burst of edits in one turn is one push.
    if (!settings.enableAutoSync || pushQueued || pushFailures > 0) return;
    pushQueued = true;
    queueMicrotask(() => {
      pushQueued = false;
      pushSoon();
    });
  }

  /** Every collection failed for what only the app can put right: nothing is read again until the app asks. */
  let isFinal = false;

  /** Resolves with how many changes came. */
  async function catchUpAll(compare?: boolean): Promise<number> {
    const results = await Promise.allSettled(sessions().map((session) => session.catchUp(compare)));
    const reasons = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as SyncLayerError] : [],
    );
    isFinal = reasons.length === results.length && reasons.every(({ code }) => code === 'CONFIG_INVALID');
    // One failure can stop the other collections: it is the one to tell.
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
      pullFailures = 0;
      metrics.synced(true, Date.now() - startedAt);
      events.emit('syncCompleted', { collections: names(), duration: Date.now() - startedAt });
    } catch (thrown) {
      const error = thrown as SyncLayerError;
      // On a live link what failed is tried again by itself, and has counted.
      if (!options.isConnected()) pullFailures += 1;
      metrics.synced(false, Date.now() - startedAt);
      if (!closed) events.emit('syncFailed', { collections: names(), error });
      throw error;
    } finally {
      options.settled();
    }
  }

  const mayLook = (): boolean => mayWork() && !options.isAway() && !isFinal;
  const pollDelay = (): number =>
    options.isOnline() ? settings.syncInterval : Math.max(settings.syncInterval, settings.maxReconnectDelay);

  const pullAndPush = async (): Promise<void> => {
    await catchUpAll();
    await push();
  };

  /** Reads on a schedule while there is no live link. The flag is asked again at each turn. */
  function schedulePoll(delay: number): void {
    timers.schedule('poll', delay, () => {
      void (async () => {
        await options.beforePoll();
        if (mayLook() && !options.allLive()) await round(pullAndPush);
      })()
        .catch(ignore)
        // Somebody may have asked for one at once meanwhile.
        .finally(() => timers.has('poll') || schedulePoll(pollDelay()));
    });
  }

  async function look(compare: boolean): Promise<Look> {
    const before = metrics.counts.reads;
    const cost = { reads: 0, news: 0 };
    if (mayLook())
      await round(async () => {
        // The right may have been given, or the table published, since they were refused.
        if (options.isConnected()) for (const session of sessions()) if (session.phase === 'failed') session.start();
        cost.news = await catchUpAll(compare);
        cost.reads = metrics.counts.reads - before;
        if (settings.enableAutoSync) await push();
      });
    return cost;
  }

  /** Rows that a comparison of everything reads, where the backend charges for them. */
  const expected = (): number =>
    metrics.counts.reads === 0 ? 0 : [...collections.values()].reduce((sum, { price }) => sum + price(), 0);

  let audit: (() => Promise<number>) | undefined;
  /** Resolves with how long it is until the next one, ms. */
  async function nextAudit(): Promise<number> {
    const shortest = settings.auditInterval;
    if (settings.auditsFixed) {
      // The app has set the time, and pays for it.
      await look(true);
      return shortest;
    }
    // A chunk that is loaded minutes after the start.
    audit ??= (await import('./audit-pace.js')).createAuditPace({ shortest, expected, look });
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

  /** Collections whose subscription is over. */
  const unsubscribed = new Set<string>();

  /** What failed on a live link is tried again, with backoff: one failed round is one failure, however many collections it had. */
  function retrySoon(): void {
    if (timers.has('retry')) return;
    pullFailures += 1;
    timers.schedule('retry', retryDelay(pullFailures), () => {
      if (!mayWork() || !options.isConnected()) return;
      for (const session of sessions()) if (session.phase === 'catching-up') void session.catchUp().catch(ignore);
      for (const name of unsubscribed) collections.get(name)?.session.start();
      unsubscribed.clear();
    });
  }

  return {
    edited,
    pushSoon,
    /** The attempt to connect has ended; what waited for it goes whichever way there is. */
    linkEnded(): void {
      if (waitsForLink) pushSoon();
    },
    catchUpAll,
    retrySoon,
    pendingCount,
    get pullFailures(): number {
      return pullFailures;
    },
    /** Pulls, then pushes, now. Rejects with the first error. */
    run: (): Promise<void> => round(pullAndPush),

    /** Begins what goes by the clock; `delay`: until the first poll, in ms. */
    start(delay: number): void {
      if (!settings.enableAutoSync) return;
      schedulePoll(delay);
      if (!timers.has('audit')) scheduleAudit(settings.auditInterval);
    },

    /** The backend was reached: the next failure starts from the shortest wait. */
    reached(what: 'push' | 'pull'): void {
      if (what === 'push') pushFailures = 0;
      else pullFailures = 0;
    },

    /** A subscription ended for a reason that passes. */
    retrySubscribe(collection: string): void {
      unsubscribed.add(collection);
      retrySoon();
    },

    /** Gives up what is under way. */
    interrupt(): void {
      isFinal = false;
      work.abort();
      work = new AbortController();
    },

    close(): void {
      closed = true;
      work.abort();
      timers.close();
    },
  };
}
