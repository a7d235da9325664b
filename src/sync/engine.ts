import type { Change, Row } from '../change.js';
import { watchEnvironment } from '../environment.js';
import { disposition, SyncLayerError, toSyncLayerError } from '../errors.js';
import type { Emitter, SyncEvents, SyncStatus } from '../events.js';
import type { Log } from '../logger.js';
import type { Metrics } from '../metrics.js';
import type { Delta } from '../query/types.js';
import type { Journal } from '../store/journal.js';
import type { LocalStore } from '../store/store.js';
import { createTokenSource } from '../transport/auth.js';
import { backoffDelay } from '../transport/backoff.js';
import { type ConnectionState, createConnection } from '../transport/connection.js';
import type { AuthToken, RealtimeTransport, SyncFilter } from '../transport/transport.js';
import type { ConflictResolver } from './merge.js';
import { createPusher } from './pusher.js';
import { createReplica, type Replica } from './replica.js';
import { type OutboxEntry, operationType } from './replica-state.js';
import { createSession, type Session } from './session.js';

export interface EngineCollection {
  readonly filter: SyncFilter;
  readonly parse: (row: Row) => Row;
  readonly resolve: ConflictResolver;
  readonly customResolver: boolean;
}

export interface EngineOptions {
  readonly transport: RealtimeTransport;
  readonly store: LocalStore;
  readonly journal: Journal;
  readonly collections: ReadonlyMap<string, EngineCollection>;
  readonly authToken: AuthToken | undefined;
  readonly realtime: () => boolean | Promise<boolean>;
  readonly autoSync: boolean;
  readonly syncInterval: number;
  readonly auditInterval: number;
  readonly maxRetries: number;
  readonly reconnectDelay: number;
  readonly maxReconnectDelay: number;
  readonly maxReconnectAttempts: number;
  readonly connectTimeout: number;
  readonly pageSize: number;
  readonly bufferLimit: number;
  readonly disconnectInBackground: number | false;
  readonly events: Emitter;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** What an app's collection works on. */
export interface CollectionCore {
  readonly replica: Replica;
  /** False until the first catch-up of a collection that has never been read. */
  readonly ready: () => boolean;
  readonly phase: () => Session['phase'];
  onChange(listener: (deltas: readonly Delta[]) => void): () => void;
}

interface Entry extends CollectionCore {
  readonly session: Session;
  readonly notify: (deltas: readonly Delta[]) => void;
}

const now = (): number => Date.now();

/** Wires sessions, outbox and connection together and decides when each works. */
export async function createEngine(options: EngineOptions) {
  const { transport, store, journal, events, metrics, log } = options;
  const names = [...options.collections.keys()];
  const tokens = createTokenSource(options.authToken);
  const entries = new Map<string, Entry>();
  const replicas = new Map<string, Replica>();
  let order = 0;
  let clock = { offset: 0, uncertainty: Number.POSITIVE_INFINITY };
  let realtime = false;
  let paused = false;
  let hidden = false;
  let online = true;
  let closed = false;
  let status: SyncStatus = { phase: 'offline', pending: 0 };
  let pushFailures = 0;
  let syncFailures = 0;
  let work = new AbortController();
  const timers = new Map<'push' | 'catch-up' | 'poll' | 'audit' | 'background', ReturnType<typeof setTimeout>>();

  function schedule(
    name: 'push' | 'catch-up' | 'poll' | 'audit' | 'background',
    delay: number,
    task: () => void,
  ): void {
    clearTimeout(timers.get(name));
    if (closed) return;
    timers.set(
      name,
      setTimeout(() => {
        timers.delete(name);
        task();
      }, delay),
    );
  }

  function cancel(...which: Parameters<typeof schedule>[0][]): void {
    for (const name of which) {
      clearTimeout(timers.get(name));
      timers.delete(name);
    }
  }

  function report(error: SyncLayerError, collection?: string): void {
    if (closed) return;
    metrics.error(error.code);
    log(disposition(error.code) === 'retry' ? 'warn' : 'error', error.message, { code: error.code, collection });
    events.emit('error', collection === undefined ? { error } : { error, collection });
  }

  // --- state ---------------------------------------------------------------------------------------------------

  const pendingCount = (): number => [...replicas.values()].reduce((sum, replica) => sum + replica.pendingCount(), 0);
  const isConnected = (): boolean => connection.state.status === 'connected';
  const allLive = (): boolean =>
    isConnected() && [...entries.values()].every(({ session }) => session.phase === 'live');

  function phase(): SyncStatus['phase'] {
    if (closed) return 'closed';
    if (paused) return 'paused';
    if (!online) return 'offline';
    const { status: link } = connection.state;
    if (link === 'needs-auth') return 'needs-auth';
    if (!realtime) return syncFailures > 0 ? 'offline' : 'polling';
    if (link === 'failed') return 'failed';
    if (link === 'connected') return allLive() && pendingCount() === 0 ? 'live' : 'syncing';
    return link === 'connecting' && connection.state.attempt === 1 ? 'syncing' : 'offline';
  }

  function updateStatus(): void {
    const next: SyncStatus = { phase: phase(), pending: pendingCount() };
    if (next.phase === status.phase && next.pending === status.pending) return;
    status = next;
    events.emit('statusChanged', next);
  }

  // --- failures ------------------------------------------------------------------------------------------------

  /** What every failed pull, push or subscription means for the link. */
  function onFailure(error: SyncLayerError, collection?: string): void {
    if (error.code === 'CLOSED') return;
    report(error, collection);
    if (disposition(error.code) === 'reauth') {
      tokens.refuse();
      stopSessions();
      connection.fail(error);
    }
  }

  const retryDelay = (attempt: number): number =>
    backoffDelay(attempt, { base: options.reconnectDelay, max: options.maxReconnectDelay });

  // --- pushing -------------------------------------------------------------------------------------------------

  const pusher = createPusher({
    transport,
    replicas,
    clockOffset: () => clock.offset,
    flushed: () => journal.flushed(),
    mayPush: (collection) => !fresh || entries.get(collection)?.ready() === true,
  });

  const mayWork = (): boolean => !closed && !paused && online && connection.state.status !== 'needs-auth';

  async function push(): Promise<void> {
    if (!mayWork() || pendingCount() === 0) return;
    cancel('push');
    const { signal } = work;
    try {
      await pusher.push(signal);
      pushFailures = 0;
      // An edit made while the last answer was on its way.
      if (!signal.aborted && pendingCount() > 0 && options.autoSync) schedulePush(0);
    } catch (thrown) {
      const error = thrown as SyncLayerError;
      if (signal.aborted) return;
      onFailure(error);
      pushFailures += 1;
      if (disposition(error.code) === 'retry') schedulePush(retryDelay(pushFailures));
      throw error;
    } finally {
      updateStatus();
    }
  }

  function schedulePush(delay: number): void {
    schedule('push', delay, () => void push().catch(ignore));
  }

  let pushQueued = false;
  function edited(): void {
    updateStatus();
    // While pushes fail their backoff decides; a burst of edits in one turn is one push.
    if (!options.autoSync || pushQueued || pushFailures > 0) return;
    pushQueued = true;
    queueMicrotask(() => {
      pushQueued = false;
      void push().catch(ignore);
    });
  }

  // --- pulling -------------------------------------------------------------------------------------------------

  async function round(work: () => Promise<unknown>): Promise<void> {
    const startedAt = now();
    events.emit('syncStarted', { collections: names });
    try {
      await work();
      syncFailures = 0;
      metrics.synced(true, now() - startedAt);
      events.emit('syncCompleted', { collections: names, duration: now() - startedAt });
    } catch (thrown) {
      const error = toSyncLayerError(thrown, 'CONNECTION_LOST', 'Synchronising failed; it is tried again.');
      syncFailures += 1;
      metrics.synced(false, now() - startedAt);
      if (!closed) events.emit('syncFailed', { collections: names, error });
      throw error;
    } finally {
      updateStatus();
    }
  }

  const catchUpAll = async (audit = false): Promise<void> => {
    const results = await Promise.allSettled([...entries.values()].map(({ session }) => session.catchUp(audit)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  async function syncNow(): Promise<void> {
    if (closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.');
    await applyRealtimeFlag();
    await round(async () => {
      await catchUpAll();
      await push();
    });
    await journal.flushed();
  }

  /** Reads on a schedule while there is no live link; a flag that is a function is asked again at each turn. */
  function schedulePoll(delay = options.syncInterval): void {
    if (!options.autoSync) return;
    schedule('poll', delay, () => {
      const turn = async (): Promise<void> => {
        await applyRealtimeFlag();
        if (mayWork() && !allLive()) await round(() => catchUpAll().then(push));
      };
      void turn()
        .catch(ignore)
        .finally(() => schedulePoll());
    });
  }

  /** Even a live link can lose events without a word (rate limits, a restarted database): look now and then. */
  function scheduleAudit(): void {
    schedule('audit', options.auditInterval, () => {
      void (mayWork() && allLive() ? round(() => catchUpAll(true)) : Promise.resolve())
        .catch(ignore)
        .finally(scheduleAudit);
    });
  }

  /** A subscribed collection whose catch-up failed is read again, with backoff. */
  function retryCatchUp(): void {
    schedule('catch-up', retryDelay(syncFailures + 1), () => {
      syncFailures += 1;
      const behind = [...entries.values()].filter(({ session }) => session.phase === 'catching-up');
      if (mayWork()) for (const { session } of behind) void session.catchUp().catch(ignore);
    });
  }

  // --- the link ------------------------------------------------------------------------------------------------

  let wasConnected = false;
  const connection = createConnection({
    transport,
    backoff: { base: options.reconnectDelay, max: options.maxReconnectDelay },
    maxAttempts: options.maxReconnectAttempts,
    connectTimeout: options.connectTimeout,
    onAttempt: (ok, took) => metrics.connectAttempt(ok, took),
    onState,
  });

  function onState(state: ConnectionState): void {
    const up = state.status === 'connected';
    metrics.connected(up);
    log('debug', `connection: ${state.status}`);
    if (up) {
      wasConnected = true;
      pushFailures = 0;
      events.emit('realtimeConnected', { collections: names });
      for (const { session } of entries.values()) session.start();
      if (options.autoSync) void push().catch(ignore);
    } else {
      if (wasConnected) events.emit('realtimeDisconnected', { state });
      wasConnected = false;
      if ('reason' in state) {
        if (disposition(state.reason.code) === 'reauth') tokens.refuse();
        report(state.reason);
      }
    }
    updateStatus();
  }

  function stopSessions(): void {
    for (const { session } of entries.values()) session.stop();
  }

  function onLost(collection: string, error: SyncLayerError): void {
    const linkLost = error.code === 'CONNECTION_LOST' || error.code === 'HEARTBEAT_TIMEOUT';
    if (linkLost || disposition(error.code) === 'reauth') {
      // One loss ends every subscription; the first to say so speaks for all.
      if (!isConnected()) return;
      if (!linkLost) tokens.refuse();
      stopSessions();
      connection.fail(error);
      return;
    }
    report(error, collection);
    updateStatus();
    if (disposition(error.code) === 'fatal') return;
    const delay = retryDelay(++syncFailures);
    const timer = setTimeout(() => {
      resubscribing.delete(timer);
      if (isConnected()) entries.get(collection)?.session.start();
    }, delay);
    resubscribing.add(timer);
  }
  const resubscribing = new Set<ReturnType<typeof setTimeout>>();

  async function applyRealtimeFlag(): Promise<void> {
    const flag = await options.realtime();
    if (flag !== realtime) await setRealtime(flag);
  }

  async function setRealtime(on: boolean): Promise<void> {
    realtime = on;
    if (on) link();
    else await unlink();
    updateStatus();
  }

  function link(): void {
    if (realtime && mayLink()) connection.start();
  }
  const mayLink = (): boolean => !closed && !paused && online && !(hidden && options.disconnectInBackground !== false);

  async function unlink(): Promise<void> {
    stopSessions();
    await connection.stop();
  }

  const stopWatching = watchEnvironment({
    online(value) {
      if (value === online) return;
      online = value;
      events.emit('connectivityChanged', { online });
      log('info', online ? 'online' : 'offline');
      if (online) wake();
      else void unlink().catch(ignore);
      updateStatus();
    },
    visible(value) {
      hidden = !value;
      const { disconnectInBackground: after } = options;
      if (value) {
        cancel('background');
        wake();
      } else if (after !== false)
        schedule('background', after, () => void unlink().catch(ignore).finally(updateStatus));
    },
  });

  /** Something changed for the better: no backoff is waited out. */
  function wake(): void {
    if (closed || paused) return;
    pushFailures = 0;
    // A frozen tab or a sleeping device may have missed anything on a link that looks well.
    if (isConnected()) void catchUpAll().catch(ignore);
    else if (realtime) link();
    if (options.autoSync) void push().catch(ignore);
  }

  // --- set-up --------------------------------------------------------------------------------------------------

  transport.attach?.({
    authToken: (own) => tokens.get(own),
    log,
    traffic: (direction, bytes) => metrics.traffic(direction, bytes),
    report: (error) => report(error),
  });

  const source = JSON.stringify([transport.name, transport.source ?? '']);
  const meta = new Map<string, unknown>();
  for await (const page of store.read('meta', '')) for (const { id, value } of page) meta.set(id, value);
  /** Another backend than last time: its versions and cursors mean nothing here. */
  const fresh = meta.has('source') && meta.get('source') !== source;
  if (meta.get('source') !== source) journal.append([{ table: 'meta', key: ['', 'source'], value: source }]);

  for (const [name, collection] of options.collections) {
    const listeners = new Set<(deltas: readonly Delta[]) => void>();
    const notify = (deltas: readonly Delta[]): void => {
      for (const listener of [...listeners]) listener(deltas);
    };
    const replica = createReplica({
      collection: name,
      filter: collection.filter,
      resolve: collection.resolve,
      sameCounts: () => collection.customResolver && transport.capabilities.idempotent === true,
      parse: collection.parse,
      maxRetries: options.maxRetries,
      clockOffset: () => clock.offset,
      nextOrder: () => ++order,
      newId: () => crypto.randomUUID(),
      hooks: {
        write: (writes) => journal.append(writes),
        changed: notify,
        remote: (delta, change) => announce(name, delta, change),
        conflict: (conflict, result) => {
          metrics.counts.detected += 1;
          metrics.counts.resolved += 1;
          const { recordId } = conflict;
          events.emit('conflictDetected', { collection: name, recordId, conflict });
          events.emit('conflictResolved', { collection: name, recordId, conflict, result });
        },
        operation: (what, entry) => onOperation(what, entry),
        invalid: (error) => {
          metrics.counts.invalid += 1;
          report(error, name);
        },
      },
    });
    const filterKey = JSON.stringify(collection.filter);
    const stored = new Map<string, unknown>();
    for await (const page of store.read('meta', name)) for (const { id, value } of page) stored.set(id, value);
    const refiltered = stored.has('filter') && stored.get('filter') !== filterKey;
    await replica.load(store, { fresh, rewind: fresh || refiltered });
    if (fresh || refiltered) journal.append([{ table: 'meta', key: [name, 'cursor'], value: undefined }]);
    if (stored.get('filter') !== filterKey)
      journal.append([{ table: 'meta', key: [name, 'filter'], value: filterKey }]);
    for (const entry of replica.entries()) order = Math.max(order, entry.order);

    let caughtUp = replica.cursor !== null;
    const session = createSession({
      collection: name,
      transport,
      replica,
      filter: collection.filter,
      pageSize: options.pageSize,
      bufferLimit: options.bufferLimit,
      hooks: {
        phase: updateStatus,
        lost: (error) => onLost(name, error),
        failed: (error) => {
          onFailure(error, name);
          if (isConnected()) retryCatchUp();
        },
        caughtUp: (records) => {
          const first = !caughtUp;
          caughtUp = true;
          if (isConnected()) {
            connection.settled();
            syncFailures = 0;
          }
          if (first) notify([]);
          events.emit('realtimeSync', { collection: name, records });
          if (options.autoSync) void push().catch(ignore);
        },
        clock: measureClock,
        received: (change) => {
          if (change.timestamp !== undefined) metrics.latency(now() + clock.offset - change.timestamp);
        },
      },
    });
    replicas.set(name, replica);
    entries.set(name, {
      replica,
      session,
      notify,
      ready: () => caughtUp || closed,
      phase: () => session.phase,
      onChange(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    });
  }

  /** The sample with the shortest round trip is the best one: the answer was made somewhere within it. */
  function measureClock(serverTime: number, sentAt: number): void {
    const received = now();
    const uncertainty = received - sentAt;
    if (uncertainty <= clock.uncertainty) clock = { offset: serverTime - (sentAt + received) / 2, uncertainty };
  }

  function announce(collection: string, { id, before, after }: Delta, _change: Change | undefined): void {
    metrics.counts.applied += 1;
    const name: keyof SyncEvents = !after ? 'realtimeDelete' : before ? 'realtimeUpdate' : 'realtimeInsert';
    if (!events.has(name)) return;
    events.emit(name, { collection, recordId: id, ...(after && { data: after }) } as SyncEvents[typeof name]);
  }

  function onOperation(what: 'queued' | 'synced' | 'failed', entry: OutboxEntry): void {
    metrics.counts[what] += 1;
    const { collection, recordId, opId, failed } = entry;
    const event = { collection, recordId, opId, operation: operationType(entry) };
    if (what === 'queued') events.emit('operationQueued', event);
    else if (what === 'synced') events.emit('operationSynced', event);
    else if (failed) {
      events.emit('operationFailed', { ...event, error: failed });
      log('warn', `An edit was refused: ${failed.message}`, { collection, recordId });
    }
  }

  async function pause(): Promise<void> {
    paused = true;
    work.abort();
    work = new AbortController();
    await unlink();
    updateStatus();
  }

  return {
    collections: entries as ReadonlyMap<string, CollectionCore>,
    connection,
    edited,
    syncNow,
    setRealtime,
    get status(): SyncStatus {
      return status;
    },
    get clockOffset(): number {
      return clock.offset;
    },
    get realtime(): boolean {
      return realtime;
    },

    async start(): Promise<void> {
      realtime = await options.realtime();
      updateStatus();
      if (realtime) link();
      if (options.autoSync) {
        schedulePoll(realtime ? options.syncInterval : 0);
        scheduleAudit();
      }
    },

    setAuthToken(token: AuthToken | undefined): void {
      tokens.set(token);
      // The link was authenticated as somebody else, perhaps: it is made anew.
      if (isConnected()) void unlink().then(link).catch(ignore);
      else wake();
      updateStatus();
    },

    pause,

    resume(): void {
      if (!paused) return;
      paused = false;
      wake();
      updateStatus();
    },

    /** Forgets all local data, in memory and on disk; afterwards everything is read anew. */
    async clear(): Promise<void> {
      const resumed = paused;
      await pause();
      for (const { replica, session } of entries.values()) {
        session.forget();
        replica.reset();
      }
      await journal.flushed().catch(ignore);
      await store.clear();
      journal.append([{ table: 'meta', key: ['', 'source'], value: source }]);
      await journal.flushed();
      paused = resumed;
      wake();
      updateStatus();
    },

    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      work.abort();
      stopWatching();
      stopSessions();
      for (const timer of [...timers.values(), ...resubscribing]) clearTimeout(timer);
      connection.close();
      metrics.connected(false);
      await transport.close();
      updateStatus();
      for (const { notify } of entries.values()) notify([]);
    },
  };
}

export type Engine = Awaited<ReturnType<typeof createEngine>>;

/** Reported where it happened. */
const ignore = (): void => undefined;
