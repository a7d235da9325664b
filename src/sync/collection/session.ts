import { abort as abortWith } from '../../base/abort.js';
import type { Change } from '../../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import type { Settings } from '../../config/defaults.js';
import type { RealtimeTransport, SyncFilter, Unsubscribe } from '../../transport/transport.js';
import { msSince, tally } from '../tally.js';
import { createCatchUp } from './catch-up.js';
import { type Checks, createChecks } from './checks.js';
import { createLiveBuffer } from './live-buffer.js';
import { createPhases, type SessionPhase } from './phases.js';
import { createPull } from './pull.js';
import type { Remote } from './remote.js';

export interface SessionHooks {
  phase(phase: SessionPhase): void;
  /** The subscription ended. */
  lost(error: SyncLayerError): void;
  /** A catch-up failed; the supervisor tries it again. */
  failed(error: SyncLayerError): void;
  caughtUp(count: number): void;
  /** A page came, with the server's clock. */
  clock(serverTime: number, sentAt: number): void;
  /** A live change arrived. */
  received(change: Change): void;
  /** A line of the log, at `debug`; `details` is called only if it is written. */
  log(what: string, details: () => Readonly<Record<string, unknown>>): void;
}

export interface SessionOptions {
  readonly collection: string;
  readonly transport: RealtimeTransport;
  readonly replica: Remote;
  readonly filter: SyncFilter;
  readonly settings: Pick<Settings, 'pageSize' | 'bufferLimit'>;
  readonly hooks: SessionHooks;
}

/**
 * Keeps one collection equal to the backend: subscribe, buffer, wait for live, pull until a page is empty, apply the
 * buffer, and again after each gap.
 */
export function createSession(options: SessionOptions) {
  const { collection, transport, replica, filter, hooks } = options;
  const phases = createPhases(hooks.phase);
  let unsubscribe: Unsubscribe | undefined;
  /** Aborts what this session waits for; replaced at each start. */
  let abort = new AbortController();
  const pull = createPull({
    ...options,
    clock: hooks.clock,
    log: hooks.log,
    complete: (...args: Parameters<Checks['complete']>) => checks.complete(...args),
  });
  const checks = createChecks(options, pull);
  const buffer = createLiveBuffer({
    limit: options.settings.bufferLimit,
    isHeld: () => catchUp.isRunning(),
    isEarly: () => phases.resting === 'subscribing',
    flush,
    overflowed: () => catchUp.gap(),
  });
  const catchUp = createCatchUp({
    ...{ collection, transport, replica, phases, pull, checks, buffer, flush, hooks },
    signal: () => abort.signal,
    isSubscribed: () => unsubscribe !== undefined,
    silent(error) {
      stop();
      hooks.lost(error);
    },
  });

  /** Applies what is in the buffer. Returns the ids of partial changes, whose rows must be fetched. */
  function applyBuffer(): string[] {
    const changes = buffer.take();
    if (changes.length === 0) return [];
    hooks.log('change', () => tally(changes.map(({ type }) => type)));
    return replica.apply(changes);
  }

  function flush(): void {
    const partial = applyBuffer();
    const { signal } = abort;
    if (partial.length === 0) return;
    // What cannot be fetched lies behind the cursor: a pull brings it.
    void checks.complete(partial, signal).catch(() => signal.aborted || catchUp.gap());
  }

  function onChange(change: Change): void {
    // What a listener shows before it is live is no news.
    if (phases.resting === 'live') hooks.received(change);
    catchUp.heard(change.recordId);
    buffer.add(change);
  }

  function endSubscription(): void {
    unsubscribe?.();
    unsubscribe = undefined;
  }

  function stop(): void {
    abortWith(abort, new SyncLayerError('CLOSED', `Reading "${collection}" was stopped.`));
    abort = new AbortController();
    endSubscription();
    catchUp.abandon();
    // A partial change is left to the next pull.
    applyBuffer();
    phases.rest('idle');
  }

  function start(): void {
    if (unsubscribe) return;
    phases.rest('subscribing');
    const startedAt = performance.now();
    let over = false;
    const guard =
      <A extends unknown[]>(fn: (...args: A) => void) =>
      (...args: A): void => {
        if (!over) fn(...args);
      };
    const onError = guard((thrown: unknown) => {
      over = true;
      stop();
      const error = toSyncLayerError(thrown, 'PROTOCOL_VIOLATION', `The subscription to "${collection}" broke off.`);
      if (error.kind === 'fatal') phases.rest('failed');
      hooks.lost(error);
    });
    const onLive = guard(() => {
      hooks.log('subscribe', () => ({ ms: msSince(startedAt) }));
      phases.becomesLive();
      catchUp.gap();
    });
    try {
      const sink = { change: guard(onChange), live: onLive, gap: guard(catchUp.gap), error: onError };
      const end = transport.subscribe({ collection, filter }, sink);
      unsubscribe = () => {
        over = true;
        end();
      };
      if (over) endSubscription();
    } catch (thrown) {
      onError(thrown);
    }
  }

  return {
    get phase(): SessionPhase {
      return phases.current;
    },
    start,
    stop,
    /** Local data is gone: what an unfinished snapshot had seen says nothing any more. */
    forget: pull.forget,
    /** Something is doubtful: it is read by id. */
    look: catchUp.look,
    /**
     * Pulls what is new, and compares all keys as well: `compare`, or left out where there may have been a gap. Resolves with how
     * many changes came. Joins a catch-up under way.
     */
    catchUp: catchUp.run,
  };
}

export type Session = ReturnType<typeof createSession>;
