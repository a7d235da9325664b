import { abort } from '../../base/abort.js';
import { SyncLayerError } from '../../base/errors.js';
import { createTimers } from '../../base/timers.js';
import type { SyncStatus } from '../../observe/events.js';
import type { User } from '../../transport/identity.js';
import { createTokenSource } from '../../transport/token.js';
import { OUTSIDE_LIMIT } from '../../transport/within.js';
import { createClock } from '../clock.js';
import type { CollectionCore } from '../collection/core.js';
import { createAttempt } from './attempt.js';
import { type Context, coresOf, retryDelay, type SupervisorOptions, type TimerName } from './context.js';
import { createDriver } from './driver.js';
import { createEffects } from './effects.js';
import { attachHost } from './host.js';
import { initialState, type State, step } from './machine.js';
import { openCollections, sourceOf } from './open-collections.js';
import { renewalDelay } from './renewal-delay.js';
import { createRequests } from './requests.js';
import { statusOf } from './status.js';
import { createWorkLoader } from './work-loader.js';

/** Keeps the link up, the collections read and the edits sent. `machine.ts` decides what follows from what; here it is wired. */
export async function createSupervisor({ collections: settingsOfAll, ...options }: SupervisorOptions) {
  const { announcer, settings } = options;
  /** Ends what waits for the app itself. */
  const lifetime = new AbortController();
  /** For what the app gives. Missed in an attempt to connect, it is to be named before the server is. */
  const limit = { ms: Math.min(OUTSIDE_LIMIT, 0.8 * settings.connectTimeout), signal: lifetime.signal };
  const tokens = createTokenSource(options.authToken, { user: options.user, onUser, limit });
  const timers = createTimers<TimerName>();
  let status: SyncStatus = { phase: 'offline', pending: 0 };
  /** Aborted by `interrupt`: what is under way then is given up. */
  let work = new AbortController();
  /** Users in a row as whom nothing was read. */
  let switches = 0;

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
      const { retryAt } = driver.state.link;
      if (retryAt === undefined) timers.cancel('link');
      else if (retryAt !== before.link.retryAt)
        timers.schedule('link', Math.max(0, retryAt - Date.now()), () => context.dispatch({ type: 'due' }));
      requests.attemptMayHaveEnded();
      updateStatus();
    },
  });
  const context: Context = {
    get state(): State {
      return driver.state;
    },
    ...options,
    tokens,
    timers,
    clock: createClock(),
    collections: new Map<string, CollectionCore>(),
    dispatch: driver.dispatch,
    updateStatus,
  };
  let collectionsOpened: () => void = () => undefined;
  const loader = createWorkLoader(context, {
    limit,
    delay: (failures) => retryDelay(context, failures),
    opened: new Promise((resolve) => {
      collectionsOpened = resolve;
    }),
    fetch: () => import('../work.js'),
    start({ createPushing, createRounds, ...parts }) {
      for (const core of coresOf(context)) core.begin(parts);
      const pushing = createPushing(context, () => work.signal);
      return { pushing, rounds: createRounds(context, { push: pushing.push, beforePoll: requests.beforePoll }) };
    },
  });
  const attempt = createAttempt(context, loader.load);
  const requests = createRequests(context, { work: loader, limit });
  const effects = createEffects(context, {
    attempt,
    work: loader,
    interrupt() {
      loader.interrupt();
      loader.current?.rounds.reconsider();
      work.abort();
      work = new AbortController();
    },
    disconnect: requests.disconnect,
    move() {
      for (const [name, core] of context.collections) core.moveTo(sourceOf(context, name));
    },
    stop() {
      abort(lifetime, new SyncLayerError('CLOSED', 'This SyncLayer is closed.'));
      work.abort();
      requests.stopWatching();
      timers.close();
    },
  });

  function updateStatus(): void {
    const next = statusOf(context);
    if (next.phase === status.phase && next.pending === status.pending) return;
    status = next;
    announcer.events.emit('statusChanged', status);
  }

  function onUser(next: User, before: User): void {
    if (driver.state.closed) return;
    for (const core of coresOf(context)) core.switchUser(next);
    if (before === undefined) return;
    switches += 1;
    // One that is another user each time would make a storm of it.
    requests.restart(switches > 1 ? retryDelay(context, switches) : 0);
  }

  attachHost(context);
  loader.prefetch();
  await openCollections(context, settingsOfAll, () => {
    if (coresOf(context).every((core) => core.ready())) switches = 0;
    driver.dispatch({ type: 'caughtUp' });
  });
  collectionsOpened();
  tokens.look(
    coresOf(context)
      .map((core) => core.user())
      .find((user) => user !== undefined),
  );

  return {
    collections: context.collections as ReadonlyMap<string, CollectionCore>,
    get state(): State {
      return driver.state;
    },
    get status(): SyncStatus {
      return status;
    },
    clockOffset: context.clock.offset,
    /** A local edit was made. */
    edited(): void {
      updateStatus();
      loader.use('push', ({ pushing }) => pushing.edited());
    },
    ...requests.ofTheApp,
  };
}

export type Supervisor = Awaited<ReturnType<typeof createSupervisor>>;
