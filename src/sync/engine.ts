import { abort } from '../base/abort.js';
import { disposition, SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { createTimers } from '../base/timers.js';
import type { Settings } from '../config/defaults.js';
import type { ConnectionState } from '../observe/connection-state.js';
import type { SyncStatus } from '../observe/events.js';
import type { Journal } from '../store/journal.js';
import type { LocalStore } from '../store/store.js';
import { backoffDelay } from '../transport/backoff.js';
import type { User } from '../transport/identity.js';
import { type ConfiguredUser, createTokenSource } from '../transport/token.js';
import type { AuthToken, RealtimeTransport } from '../transport/transport.js';
import { OUTSIDE_LIMIT, within } from '../transport/within.js';
import type { Announcer } from './announcer.js';
import { createClock } from './clock.js';
import { type CollectionCore, type CollectionSettings, openCollection } from './collection-core.js';
import { createConnection } from './connection.js';
import { watchEnvironment } from './environment.js';
import { createRounds } from './rounds.js';
import type { SignedOut, Unsent } from './sign-out.js';
import { syncPhase } from './status.js';

export interface EngineOptions {
  readonly transport: RealtimeTransport;
  readonly store: LocalStore;
  readonly journal: Journal;
  readonly announcer: Announcer;
  readonly collections: ReadonlyMap<string, CollectionSettings>;
  readonly authToken: AuthToken | undefined;
  readonly user?: ConfiguredUser | undefined;
  /** Whether a live link is wanted, asked at the start and at each poll. */
  readonly realtime: () => boolean | Promise<boolean>;
  readonly settings: Settings;
}

/** In a chunk of its own: most apps never sign out. */
async function loadSignOut(): Promise<typeof import('./sign-out.js')> {
  try {
    return await import('./sign-out.js');
  } catch (cause) {
    throw new SyncLayerError('CONNECTION_LOST', 'signOut() could not be loaded; the user is still signed in.', {
      cause,
    });
  }
}

/** Reported where it happened. */
const ignore = (): void => undefined;

/** Decides when the link, the pulls and the pushes work; the parts that it drives know how. */
export async function createEngine(options: EngineOptions) {
  const { transport, store, journal, announcer, settings } = options;
  const { events, metrics, log } = announcer;
  const names = [...options.collections.keys()];
  /** Ends what waits for the app itself. */
  const lifetime = new AbortController();
  /** For what the app gives. Missed in an attempt to connect, it is to be named before the server is. */
  const outside = { ms: Math.min(OUTSIDE_LIMIT, 0.8 * settings.connectTimeout), signal: lifetime.signal };
  const tokens = createTokenSource(options.authToken, { user: options.user, onUser, limit: outside });
  const clock = createClock();
  const collections = new Map<string, CollectionCore>();
  const timers = createTimers<'background' | 'offline' | 'relink'>();
  let order = 0;
  let realtime = false;
  let paused = false;
  let hidden = false;
  /** The link was dropped on purpose, since nobody looks: nothing is done until somebody does. */
  let away = false;
  /** What the platform says. It is a hint: a machine with virtual adapters can be "offline" for ever. */
  let online = true;
  let closed = false;
  let status: SyncStatus = { phase: 'offline', pending: 0 };

  const source = (name: string): string =>
    JSON.stringify([transport.name, transport.source, transport.mapping?.(name)]);
  const retryDelay = (failures: number): number =>
    online
      ? backoffDelay(failures, { base: settings.websocketReconnectDelay, max: settings.maxReconnectDelay })
      : settings.maxReconnectDelay;
  const sessions = () => [...collections.values()].map(({ session }) => session);
  const isConnected = (): boolean => connection.state.status === 'connected';
  const allLive = (): boolean => isConnected() && sessions().every(({ phase }) => phase === 'live');

  /** Edits were refused since nobody is signed in. */
  const waitsForSignIn = (): boolean =>
    [...collections.values()].some(({ replica }) =>
      [...replica.pending.values()].some(({ entries }) => entries[0].waiting?.code === 'AUTH_REQUIRED'),
    );

  function updateStatus(): void {
    const pending = rounds.pendingCount();
    const link = connection.state;
    const phase = syncPhase({
      closed,
      paused,
      online,
      realtime,
      link,
      allLive: allLive(),
      refused: sessions().some(({ phase }) => phase === 'failed'),
      unsigned: tokens.user === null && waitsForSignIn(),
      // What only syncNow() sends is not on its way.
      pending: settings.enableAutoSync ? pending : 0,
      failures: rounds.pullFailures,
    });
    if (phase === status.phase && pending === status.pending) return;
    status = { phase, pending };
    events.emit('statusChanged', status);
  }

  /** While the platform says that there is no network, a failure is no news. */
  function report(error: SyncLayerError, collection?: string): void {
    if (online || disposition(error.code) !== 'retry') announcer.report(error, collection);
  }

  function setOnline(value: boolean): void {
    if (value === online) return;
    online = value;
    timers.cancel('offline');
    events.emit('connectivityChanged', { online });
  }

  /** A pull or push failed: what that means for the link. */
  function onFailure(error: SyncLayerError, collection?: string): void {
    if (closed || error.code === 'CLOSED') return;
    const { state } = connection;
    // What a lost link took with it failed with the token that is known to be refused; the next one may be good.
    const known =
      state.status === 'connecting' || (realtime && 'reason' in state && disposition(state.reason.code) === 'reauth');
    if (disposition(error.code) === 'reauth' && !known) {
      tokens.refuse(error);
      stopSessions();
      connection.fail(error);
    }
    // A change of state tells its reason itself.
    const isSaid = 'reason' in state && state.reason.message === error.message;
    if (connection.state === state && !isSaid) report(error, collection);
  }

  const rounds = createRounds({
    transport,
    collections,
    announcer,
    settings,
    retryDelay,
    clockOffset: clock.offset,
    flushed: journal.flushed,
    awaitsSignIn: () => tokens.awaitsSignIn,
    settled: updateStatus,
    mayWork: () => !closed && !paused && connection.state.status !== 'needs-auth',
    isOnline: () => online,
    isAway: () => away,
    isConnected,
    linkIsComing: () => connection.state.status === 'connecting',
    allLive,
    async beforePoll() {
      await applyRealtimeFlag();
      if (connection.state.status === 'connecting') await attemptEnded();
    },
    onFailure,
  });

  let wasConnected = false;
  /** There is a link, or the first poll that takes its place. */
  let begun = false;
  const waiters: (() => void)[] = [];
  const connection = createConnection({
    transport,
    settings,
    retryDelay,
    onAttempt: metrics.connectAttempt,
    renewable: tokens.renewable,
    onRenewal(poll) {
      tokens.again();
      if (poll) void rounds.run().catch(ignore);
    },
    onState,
  });

  function onState(state: ConnectionState, before: ConnectionState): void {
    const up = state.status === 'connected';
    metrics.connected(up);
    log('debug', `connection: ${state.status}`);
    if (state.status !== 'connecting') for (const resolve of waiters.splice(0)) resolve();
    if (up) {
      wasConnected = true;
      begun = true;
      setOnline(true);
      rounds.reached('push');
      events.emit('realtimeConnected', { collections: names });
      for (const session of sessions()) session.start();
      rounds.pushSoon();
    } else {
      if (state.status !== 'connecting') rounds.linkEnded();
      // There may be no WebSocket here, or none that gets through: the first rows need not wait for it.
      const { reason } = state as { readonly reason?: SyncLayerError };
      if (!begun && reason && disposition(reason.code) !== 'reauth') {
        begun = true;
        rounds.start(0);
      }
      if (wasConnected) events.emit('realtimeDisconnected', { state });
      wasConnected = false;
      if ('reason' in state) {
        if (disposition(state.reason.code) === 'reauth') tokens.refuse(state.reason);
        // It is tried again now and then: said once.
        if (before.status !== 'needs-auth' || state.status !== before.status) report(state.reason);
      }
    }
    updateStatus();
  }

  /** Resolves when the attempt to connect that is under way has come to an end, good or bad. */
  const attemptEnded = (): Promise<void> => new Promise((resolve) => waiters.push(resolve));

  function stopSessions(): void {
    for (const session of sessions()) session.stop();
  }

  /** A subscription ended. */
  function onLost(collection: string, error: SyncLayerError): void {
    const what = disposition(error.code);
    if (what === 'reauth' || error.code === 'CONNECTION_LOST' || error.code === 'HEARTBEAT_TIMEOUT') {
      // One loss ends every subscription; the first to say so speaks for all.
      if (!isConnected()) return;
      stopSessions();
      connection.fail(error);
      return;
    }
    report(error, collection);
    updateStatus();
    if (what !== 'fatal') rounds.retrySubscribe(collection);
  }

  const link = (): void => {
    const inBackground = hidden && settings.disconnectInBackground !== false;
    if (realtime && !closed && !paused && !inBackground) connection.start();
  };

  async function unlink(): Promise<void> {
    stopSessions();
    await connection.stop();
  }

  /** On purpose: what is under way on it is given up, and begins again by itself. */
  async function dropLink(): Promise<void> {
    rounds.interrupt();
    await unlink();
  }

  async function setRealtime(on: boolean): Promise<void> {
    realtime = on;
    if (on) link();
    else await dropLink();
    updateStatus();
  }

  /** The flag, or a promise of it. */
  function askFlag(): boolean | Promise<boolean> {
    try {
      return options.realtime();
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** The flag may be a remote one: when it cannot be had, the last answer stays. */
  async function applyRealtimeFlag(answer: boolean | Promise<boolean> = askFlag()): Promise<void> {
    try {
      const message = `enableRealtimeSync has not answered for ${outside.ms} ms; the next poll asks again.`;
      const late = (): SyncLayerError => new SyncLayerError('CONNECT_FAILED', message);
      const wanted = await within(answer, { ...outside, late });
      if (wanted !== realtime && !closed) {
        await setRealtime(wanted);
        rounds.pushSoon();
      }
    } catch (thrown) {
      const message = 'enableRealtimeSync failed to answer; the next poll asks again.';
      onFailure(toSyncLayerError(thrown, 'CONFIG_INVALID', message));
    }
  }

  /** Something changed for the better: no backoff is waited out. */
  function wake(): void {
    if (closed || paused) return;
    rounds.reached('push');
    // A frozen tab or a sleeping device may have missed anything on a link that looks well.
    if (isConnected()) void rounds.catchUpAll().catch(ignore);
    else link();
    connection.renew();
    if (!realtime) rounds.start(0);
    rounds.pushSoon();
  }

  /** Users in a row as whom nothing was read. */
  let switches = 0;

  /** Link, pulls and pushes begin again, after `delay` ms; no late answer of before says anything. */
  function relink(delay = 0): void {
    rounds.interrupt();
    const begin = (): void => (delay > 0 ? timers.schedule('relink', delay, wake) : wake());
    // Until it starts nothing is under way. A link that cannot be closed is no reason to stay without one.
    if (stopWatching) void unlink().catch(onFailure).then(begin);
    updateStatus();
  }

  function onUser(next: User, before: User): void {
    if (closed) return;
    for (const core of collections.values()) core.switchUser(next);
    if (before === undefined) return;
    switches += 1;
    // One that is another user each time would make a storm of it.
    relink(switches > 1 ? retryDelay(switches) : 0);
  }

  /** In one breath with the switch: no answer of the old backend can come between, and no question is on its way. */
  function moved(): void {
    if (closed) return;
    rounds.interrupt();
    stopSessions();
    for (const [name, core] of collections) core.moveTo(source(name));
    if (isConnected()) for (const session of sessions()) session.start();
    wake();
    updateStatus();
  }

  async function pause(): Promise<void> {
    paused = true;
    await dropLink();
    updateStatus();
  }

  async function syncNow(): Promise<void> {
    if (closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.');
    if (paused) throw new SyncLayerError('UNSUPPORTED', 'This SyncLayer is paused; call resume() first.');
    await applyRealtimeFlag();
    link();
    if (connection.state.status === 'connecting') await attemptEnded();
    if (closed || paused) throw new SyncLayerError('CLOSED', 'syncNow() was stopped by close() or pause().');
    await rounds.run().catch((error: SyncLayerError) => {
      const { state } = connection;
      // Why there is no link says more than that there is none.
      throw realtime && 'reason' in state && error.code === 'CONNECTION_LOST' ? state.reason : error;
    });
    await journal.flushed();
  }

  /** Does something to the data while nothing is under way. */
  async function quietly(work: () => Promise<void>): Promise<void> {
    const wasPaused = paused;
    await pause().catch(onFailure);
    try {
      await work();
    } finally {
      paused = wasPaused;
      wake();
      updateStatus();
    }
  }

  let stopWatching: (() => void) | undefined;
  /** Only once everything is wired: it may tell at once that the device is offline. */
  const watch = (): (() => void) =>
    watchEnvironment({
      online(value) {
        if (value === online) return;
        setOnline(value);
        if (online) wake();
        else if (connection.state.status !== 'idle') {
          void unlink().catch(ignore);
          timers.schedule('offline', settings.maxReconnectDelay, link);
        }
        updateStatus();
      },
      visible(value) {
        hidden = !value;
        const after = settings.disconnectInBackground;
        if (value) {
          timers.cancel('background');
          away = false;
          wake();
        } else if (after !== false) {
          timers.schedule('background', after, () => {
            // Only a link costs battery; what is read without one may end.
            if (connection.state.status === 'idle') return;
            away = true;
            void dropLink().catch(ignore).finally(updateStatus);
          });
        }
      },
    });

  transport.attach?.({
    authToken: tokens.get,
    refused: tokens.refused,
    user: tokens.told,
    sessionChanged(user) {
      if (closed) return;
      connection.renew();
      try {
        if (user !== undefined) tokens.told(user);
      } catch (thrown) {
        const error = thrown as SyncLayerError;
        // Another user's is made good already.
        if (disposition(error.code) === 'reauth') onFailure(error);
      }
    },
    log,
    traffic: metrics.traffic,
    reads: metrics.reads,
    serverTime: clock.measure,
    report: (error) => {
      if (!closed) report(error);
    },
    moved,
  });
  for (const [name, own] of options.collections) {
    const core = await openCollection({
      name,
      own,
      settings,
      transport,
      store,
      journal,
      announcer,
      clock,
      source: source(name),
      user: () => tokens.user,
      nextOrder: () => ++order,
      hooks: {
        phase: () => {
          // One collection that is well says nothing about another, whose trouble must not begin anew each time.
          if (isConnected() && sessions().every(({ phase }) => phase === 'live' || phase === 'failed'))
            connection.settled();
          updateStatus();
        },
        settled: updateStatus,
        lost: (error) => onLost(name, error),
        failed: (error) => {
          onFailure(error, name);
          // No time cures a bug; the next audit looks again.
          if (isConnected() && error.code !== 'INTERNAL') rounds.retrySoon();
        },
        caughtUp: () => {
          if ([...collections.values()].every((each) => each.ready())) switches = 0;
          if (!online) {
            setOnline(true);
            link();
          }
          if (!realtime) connection.settled();
          if (isConnected() || !realtime) rounds.reached('pull');
          rounds.pushSoon();
        },
      },
    });
    collections.set(name, core);
    for (const { entries } of core.replica.pending.values())
      for (const entry of entries) order = Math.max(order, entry.order);
  }
  tokens.look([...collections.values()].map((core) => core.user()).find((user) => user !== undefined));

  return {
    collections: collections as ReadonlyMap<string, CollectionCore>,
    connection,
    /** A local edit was made. */
    edited: rounds.edited,
    setRealtime,
    pause,
    clockOffset: clock.offset,
    get status(): SyncStatus {
      return status;
    },
    get realtime(): boolean {
      return realtime;
    },

    start(): void {
      stopWatching = watch();
      const begin = (): void => {
        updateStatus();
        link();
        begun ||= !realtime;
        rounds.start(realtime ? settings.syncInterval : 0);
      };
      const answer = askFlag();
      if (typeof answer === 'boolean') {
        realtime = answer;
        begin();
      } else {
        // Opening does not wait for a remote flag: the device may be offline.
        updateStatus();
        void applyRealtimeFlag(answer).then(begin);
      }
    },

    syncNow,

    setAuthToken(token: AuthToken | undefined, { user }: { readonly user?: ConfiguredUser } = {}): void {
      tokens.set(token, user);
      // Link, pulls and pushes speak for the old token, and a late refusal of it says nothing about this one.
      relink();
    },

    resume(): void {
      if (!paused) return;
      paused = false;
      wake();
      updateStatus();
    },

    /** Forgets all local data, in memory and on disk; afterwards everything is read anew. */
    clear: (): Promise<void> =>
      quietly(async () => {
        do {
          for (const core of collections.values()) core.clear();
          await journal.clear();
          // What was saved meanwhile may be on the disk or not.
        } while (rounds.pendingCount() > 0);
        for (const core of collections.values()) core.noteOrigin();
        await journal.flushed();
      }),

    async signOut({ unsent = 'keep' }: { readonly unsent?: Unsent } = {}): Promise<SignedOut> {
      if (closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed.');
      const { user, leave } = tokens;
      const { signOut } = await loadSignOut();
      return signOut(unsent, { collections, user, syncNow, quietly, leave, flushed: journal.flushed });
    },

    async close(): Promise<void> {
      closed = true;
      abort(lifetime, new SyncLayerError('CLOSED', 'This SyncLayer is closed.'));
      rounds.close();
      stopWatching?.();
      timers.close();
      stopSessions();
      connection.close();
      metrics.connected(false);
      try {
        await transport.close();
      } catch (thrown) {
        // The store must still be closed.
        announcer.report(toSyncLayerError(thrown, 'CONNECTION_LOST', `${transport.name} did not close cleanly.`));
      }
      updateStatus();
    },
  };
}

export type Engine = Awaited<ReturnType<typeof createEngine>>;
