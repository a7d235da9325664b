import { abort } from '../../base/abort.js';
import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import { createTimers } from '../../base/timers.js';
import type { ConnectionState } from '../../observe/connection-state.js';
import type { SyncStatus } from '../../observe/events.js';
import type { User } from '../../transport/identity.js';
import { type ConfiguredUser, createTokenSource } from '../../transport/token.js';
import type { AuthToken } from '../../transport/transport.js';
import { OUTSIDE_LIMIT } from '../../transport/within.js';
import { createClock } from '../clock.js';
import type { CollectionCore } from '../collection-core.js';
import type { SignedOut, Unsent } from '../sign-out.js';
import { createAttempt } from './attempt.js';
import { type Context, isConnected, mayWork, retryDelay, type SupervisorOptions, type TimerName } from './context.js';
import { createDriver } from './driver.js';
import { createEffects, report } from './effects.js';
import { watchEnvironment } from './environment.js';
import { createFlag } from './flag.js';
import { attachHost } from './host.js';
import { connectionState } from './link.js';
import { initialState, step } from './machine.js';
import { openCollections, sourceOf } from './open-collections.js';
import { createPushing } from './pushing.js';
import { renewalDelay } from './renewal-delay.js';
import { createRounds } from './rounds.js';
import { allLive, pendingCount, statusOf } from './status.js';

/** In a chunk of its own: most apps never sign out. */
async function loadSignOut(): Promise<typeof import('../sign-out.js')> {
  try {
    return await import('../sign-out.js');
  } catch (cause) {
    throw new SyncLayerError('CONNECTION_LOST', 'signOut() could not be loaded; the user is still signed in.', {
      cause,
    });
  }
}

/** The failure has been reported where it happened. */
const ignore = (): void => undefined;

/** Keeps the link up, the collections read and the edits sent. `machine.ts` decides what follows from what; here it is wired. */
export async function createSupervisor(options: SupervisorOptions) {
  const { transport, journal, announcer, settings } = options;
  const { events, metrics } = announcer;
  /** Ends what waits for the app itself. */
  const lifetime = new AbortController();
  /** For what the app gives. Missed in an attempt to connect, it is to be named before the server is. */
  const outside = { ms: Math.min(OUTSIDE_LIMIT, 0.8 * settings.connectTimeout), signal: lifetime.signal };
  const tokens = createTokenSource(options.authToken, { user: options.user, onUser, limit: outside });
  const clock = createClock();
  const collections = new Map<string, CollectionCore>();
  const timers = createTimers<TimerName>();
  const unsubscribed = new Set<string>();
  let status: SyncStatus = { phase: 'offline', pending: 0 };
  /** Aborted by `interrupt`: what is under way then is given up. */
  let work = new AbortController();
  /** Resolves once the link that was dropped last is closed. */
  let leaving: Promise<void> = Promise.resolve();
  let stopWatching: (() => void) | undefined;
  /** Users in a row as whom nothing was read. */
  let switches = 0;
  const waiters: (() => void)[] = [];

  const driver = createDriver({
    initial: initialState,
    step,
    rules: () => ({
      now: Date.now(),
      maxAttempts: settings.maxWebsocketReconnectAttempts,
      linkInBackground: settings.disconnectInBackground === false,
      renewable: tokens.renewable(),
      retryDelay: (failures) => retryDelay(context, failures),
      renewalDelay: (refusals) => renewalDelay(refusals, settings.maxReconnectDelay),
    }),
    perform: (effect, before, event) => effects[effect](before, event),
    done(before) {
      const { name, retryAt } = driver.state.link;
      if (retryAt === undefined) timers.cancel('link');
      else if (retryAt !== before.link.retryAt)
        timers.schedule('link', Math.max(0, retryAt - Date.now()), () => dispatch({ type: 'due' }));
      if (name !== 'connecting') for (const resolve of waiters.splice(0)) resolve();
      updateStatus();
    },
  });
  const { dispatch } = driver;
  const context: Context = { options, tokens, clock, collections, timers, state: () => driver.state, dispatch };

  function updateStatus(): void {
    const next = statusOf(context);
    if (next.phase === status.phase && next.pending === status.pending) return;
    status = next;
    events.emit('statusChanged', status);
  }

  const pushing = createPushing({
    transport,
    collections,
    announcer,
    settings,
    timers,
    pendingCount: () => pendingCount(context),
    clockOffset: clock.offset,
    flushed: journal.flushed,
    awaitsSignIn: () => tokens.awaitsSignIn,
    mayWork: () => mayWork(context),
    signal: () => work.signal,
    isBackingOff: () => driver.state.pushFailures > 0,
    wanted: () => dispatch({ type: 'pushWanted' }),
    pushed: () => dispatch({ type: 'pushed' }),
    failed(error, again) {
      dispatch({ type: 'workFailed', error });
      if (again) dispatch({ type: 'pushFailed' });
    },
    settled: updateStatus,
  });
  const rounds = createRounds({
    collections,
    announcer,
    settings,
    timers,
    push: pushing.push,
    mayLook: () => mayWork(context) && !driver.state.away,
    isOnline: () => driver.state.online,
    isConnected: () => isConnected(context),
    isClosed: () => driver.state.closed,
    allLive: () => allLive(context),
    async beforePoll() {
      await applyFlag();
      await attemptEnded();
    },
    ended: (ok) => dispatch({ type: ok ? 'pulled' : 'roundFailed' }),
  });
  const attempt = createAttempt({
    transport,
    connectTimeout: settings.connectTimeout,
    measured: metrics.connectAttempt,
    opened: () => dispatch({ type: 'opened' }),
    failed: (error) => dispatch({ type: 'lost', error }),
  });
  const effects = createEffects(context, {
    attempt,
    pushing,
    rounds,
    unsubscribed,
    interrupt() {
      rounds.reconsider();
      work.abort();
      work = new AbortController();
    },
    disconnect() {
      leaving = (async () => transport.disconnect?.())();
      leaving.catch(ignore);
    },
    move() {
      for (const [name, core] of collections) core.moveTo(sourceOf(context, name));
    },
    stop() {
      abort(lifetime, new SyncLayerError('CLOSED', 'This SyncLayer is closed.'));
      work.abort();
      stopWatching?.();
      timers.close();
    },
  });
  const flag = createFlag({
    ask: options.realtime,
    limit: outside,
    failed: (error) => dispatch({ type: 'workFailed', error }),
  });

  /** Resolves when no attempt to connect is under way. */
  async function attemptEnded(): Promise<void> {
    if (driver.state.link.name === 'connecting') await new Promise<void>((resolve) => waiters.push(resolve));
  }

  /** Resolves once what an event has dropped is closed: it may wait for the event before. */
  async function dropped(): Promise<void> {
    await null;
    await leaving;
  }

  async function setRealtime(realtime: boolean): Promise<void> {
    dispatch({ type: 'flagChanged', realtime });
    if (!realtime) await dropped();
  }

  async function applyFlag(): Promise<void> {
    const realtime = await flag.settle();
    const { state } = driver;
    if (realtime === undefined || realtime === state.realtime || state.closed) return;
    await setRealtime(realtime).catch((error: SyncLayerError) => dispatch({ type: 'workFailed', error }));
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
      .catch((error: SyncLayerError) => dispatch({ type: 'workFailed', error }))
      .then(() => (delay > 0 ? timers.schedule('restart', delay, begin) : begin()));
  }

  function onUser(next: User, before: User): void {
    if (driver.state.closed) return;
    for (const core of collections.values()) core.switchUser(next);
    if (before === undefined) return;
    switches += 1;
    // One that is another user each time would make a storm of it.
    restart(switches > 1 ? retryDelay(context, switches) : 0);
  }

  async function pause(): Promise<void> {
    dispatch({ type: 'paused' });
    await dropped();
  }

  /** Does something to the data while nothing is under way. */
  async function quietly(work: () => Promise<void>): Promise<void> {
    const wasPaused = driver.state.paused;
    await pause().catch((error: SyncLayerError) => dispatch({ type: 'workFailed', error }));
    try {
      await work();
    } finally {
      if (!wasPaused) dispatch({ type: 'resumed' });
      updateStatus();
    }
  }

  async function syncNow(): Promise<void> {
    const { closed, paused } = driver.state;
    if (closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.');
    if (paused) throw new SyncLayerError('UNSUPPORTED', 'This SyncLayer is paused; call resume() first.');
    await applyFlag();
    dispatch({ type: 'wanted' });
    await attemptEnded();
    if (driver.state.closed || driver.state.paused)
      throw new SyncLayerError('CLOSED', 'syncNow() was stopped by close() or pause().');
    await rounds.run().catch((error: SyncLayerError) => {
      const { realtime, link } = driver.state;
      // Why there is no link says more than that there is none.
      throw realtime && link.reason && error.code === 'CONNECTION_LOST' ? link.reason : error;
    });
    await journal.flushed();
  }

  attachHost(context, (error) => report(context, error));
  await openCollections(context, {
    settled: updateStatus,
    unsubscribed(name) {
      unsubscribed.add(name);
      dispatch({ type: 'pullFailed' });
    },
    report: (error, name) => report(context, error, name),
    caughtUp() {
      if ([...collections.values()].every((core) => core.ready())) switches = 0;
      dispatch({ type: 'caughtUp' });
    },
  });
  tokens.look([...collections.values()].map((core) => core.user()).find((user) => user !== undefined));

  return {
    collections: collections as ReadonlyMap<string, CollectionCore>,
    get connection(): ConnectionState {
      return connectionState(driver.state.link);
    },
    get status(): SyncStatus {
      return status;
    },
    get realtime(): boolean {
      return driver.state.realtime;
    },
    clockOffset: clock.offset,
    /** A local edit was made. */
    edited(): void {
      updateStatus();
      pushing.edited();
    },
    setRealtime,
    pause,
    syncNow,

    start(): void {
      stopWatching = watchEnvironment({
        online: (online) => {
          if (online !== driver.state.online) dispatch({ type: online ? 'online' : 'offline' });
        },
        visible: (visible) => dispatch({ type: visible ? 'shown' : 'hidden' }),
      });
      const answer = flag.answer();
      const begin = (realtime = false): void => {
        if (!driver.state.closed) dispatch({ type: 'started', realtime });
      };
      // Opening does not wait for a remote flag: the device may be offline.
      if (typeof answer === 'boolean') begin(answer);
      else void flag.settle(answer).then(begin);
      updateStatus();
    },

    resume(): void {
      if (driver.state.paused) dispatch({ type: 'resumed' });
    },

    setAuthToken(token: AuthToken | undefined, { user }: { readonly user?: ConfiguredUser } = {}): void {
      tokens.set(token, user);
      // Link, pulls and pushes speak for the old token, and a late refusal of it says nothing about this one.
      restart();
    },

    /** Forgets all local data, in memory and on disk; afterwards everything is read again. */
    clear: (): Promise<void> =>
      quietly(async () => {
        do {
          for (const core of collections.values()) core.clear();
          await journal.clear();
          // What was saved meanwhile may be on the disk or not.
        } while (pendingCount(context) > 0);
        for (const core of collections.values()) core.noteOrigin();
        await journal.flushed();
      }),

    async signOut({ unsent = 'keep' }: { readonly unsent?: Unsent } = {}): Promise<SignedOut> {
      if (driver.state.closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed.');
      const { user, leave } = tokens;
      const { signOut } = await loadSignOut();
      return signOut(unsent, { collections, user, syncNow, quietly, leave, flushed: journal.flushed });
    },

    async close(): Promise<void> {
      dispatch({ type: 'closed' });
      metrics.connected(false);
      try {
        await transport.close();
      } catch (thrown) {
        // The store must still be closed.
        announcer.report(toSyncLayerError(thrown, 'CONNECTION_LOST', `${transport.name} did not close cleanly.`));
      }
    },
  };
}

export type Supervisor = Awaited<ReturnType<typeof createSupervisor>>;
