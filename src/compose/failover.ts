import { abort, abortable, reasonOf, throwIfAborted } from '../base/abort.js';
import { isSyncLayerError, SyncLayerError } from '../base/errors.js';
import { LONGEST_TIMER } from '../base/timers.js';
import { backoffDelay } from '../transport/backoff.js';
import { delegate, ownTokenFirst } from '../transport/delegate.js';
import type { ChangeSink, PullRequest, RealtimeTransport, TransportHost } from '../transport/transport.js';
import { combinedValues, valuesOf } from '../transport/values.js';

export interface FailoverOptions {
  /**
   * The transports are endpoints of one backend (two addresses of one database): its name. Their cursors and versions are then
   * good at each of them, and a switch costs a reconnect. Left out, they are replicas: each switch reads all anew.
   */
  readonly source?: string;
  /** How long one of them may take to connect, ms. Below the configuration's own `connectTimeout`. Default 4000. */
  readonly connectTimeout?: number;
  /** How long pulls or pushes must have failed, and at least twice, before another one is tried, ms. Default 5000. */
  readonly failAfter?: number;
  /** The shortest stay at one, and the shortest time that one that failed is left alone, ms. Default 60 000. */
  readonly dwell?: number;
}

/** Where a failover stands. */
export interface FailoverReport {
  /** Index of the transport in use. */
  readonly active: number;
  /** Since when, in ms since 1970. */
  readonly since: number;
  readonly switches: number;
}

interface Endpoint {
  readonly transport: RealtimeTransport;
  /** Failures in a row, for the backoff. */
  failures: number;
  /** Tried last until then, in ms since 1970. */
  until: number;
}

const HEALTH: readonly unknown[] = ['CONNECTION_LOST', 'CONNECT_FAILED', 'CONNECT_TIMEOUT', 'HEARTBEAT_TIMEOUT'];
const ignore = (): void => undefined;

/**
 * The first of several transports that works. One that cannot be connected, or whose pulls or pushes keep failing, is
 * left for the next. An earlier one is looked at again after `dwell` and a random wait that grows with each failure, so
 * that not all clients come back at once, and is gone back to once it connects and gives a row.
 *
 * Unless `source` says that they lead to one backend, core reads all rows anew after a switch, keeps the unsent edits,
 * and compares no version of one with one of another. That the replicas hold the same rows is their own business: a write
 * that was acknowledged by one and has not reached the other yet is not seen there.
 *
 * @throws SyncLayerError CONFIG_INVALID if there are fewer than two transports.
 * @example
 * const transport = failoverTransport([websocketTransport({ url: eu }), websocketTransport({ url: us })], { source: 'my-cluster' });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 * transport.report(); // { active: 0, since: 1767225600000, switches: 0 }
 */
export function failoverTransport(
  transports: readonly RealtimeTransport[],
  { source, connectTimeout = 4000, failAfter = 5000, dwell = 60_000 }: FailoverOptions = {},
): RealtimeTransport & { report(): FailoverReport } {
  if (transports.length < 2)
    throw new SyncLayerError('INVALID_ARGUMENT', 'failoverTransport needs a list of two or more transports.');
  const endpoints = transports.map((transport): Endpoint => ({ transport, failures: 0, until: 0 }));
  const sinks = new Set<ChangeSink>();
  const lifetime = new AbortController();
  let host: TransportHost | undefined;
  let active = 0;
  let since = Date.now();
  let switches = 0;
  let connecting = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Since when each kind of work fails. */
  const failing: { pull?: number; push?: number } = {};
  /** The collections that have been asked for, the last one last: a endpoint can be tried with it. */
  const asked = new Set<string>();

  const current = (): RealtimeTransport => (endpoints[active] as Endpoint).transport;
  /** Two that do not say which backend they lead to are two backends. */
  const sourceOf = (index: number): string =>
    source ?? (endpoints[index] as Endpoint).transport.source ?? String(index);
  const identity = (index: number): string => {
    const { transport } = endpoints[index] as Endpoint;
    const mappings = [...asked].sort().map((collection) => transport.mapping?.(collection));
    return JSON.stringify([transport.name, sourceOf(index), mappings]);
  };

  /** Left alone for a while. */
  function hold(endpoint: Endpoint): void {
    endpoint.failures += 1;
    endpoint.until = Date.now() + dwell + backoffDelay(endpoint.failures, { base: dwell, max: 10 * dwell });
  }

  /** Those that may work first, the earlier ones before the later. */
  const inOrder = (): Endpoint[] => {
    const now = Date.now();
    return [...endpoints.filter(({ until }) => until <= now), ...endpoints.filter(({ until }) => until > now)];
  };

  /**
   * Opens its link and reads a row, or rejects in time. A link proves little: its server may be up, and its database down. The
   * one in use need not prove itself, as long as it answers.
   */
  async function reach(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const { transport } = endpoint;
    const polled = transport.capabilities.live === false;
    const proven = !polled && endpoint === endpoints[active] && endpoint.failures === 0;
    const collection = proven ? undefined : [...asked].at(-1);
    if (polled && collection === undefined) return;
    const limit = new AbortController();
    const stop = (): void => abort(limit, reasonOf(signal));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const late = setTimeout(
      () => {
        const message = `${transport.name} did not answer within ${connectTimeout} ms.`;
        abort(limit, new SyncLayerError('CONNECT_TIMEOUT', message, { adapter: transport.name }));
      },
      Math.min(connectTimeout, LONGEST_TIMER),
    );
    try {
      if (!polled) await abortable(transport.connect({ signal: limit.signal }), limit.signal);
      if (collection !== undefined)
        await abortable(
          transport.pull({ collection, cursor: null, start: true, limit: 1, signal: limit.signal }),
          limit.signal,
        ).catch((error: unknown) => {
          // A refusal of this collection is an answer.
          if (polled || !isSyncLayerError(error) || error.kind !== 'fatal') throw error;
        });
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
    }
  }

  function become(endpoint: Endpoint): void {
    const next = endpoints.indexOf(endpoint);
    if (next !== active) {
      const before = active;
      const left = current();
      active = next;
      since = Date.now();
      switches += 1;
      delete failing.pull;
      delete failing.push;
      void left.disconnect?.().catch(ignore);
      host?.log('warn', `failover: from ${left.name} (${sourceOf(before)}) to ${current().name} (${sourceOf(next)})`);
      if (source === undefined && identity(before) !== identity(next)) host?.moved?.();
    }
    lookBackLater();
  }

  /** Ends all subscriptions: core connects again, and takes what is best then. */
  function leave(reason: string): void {
    for (const sink of [...sinks]) if (sinks.delete(sink)) sink.error(new SyncLayerError('CONNECTION_LOST', reason));
  }

  function lookBackLater(): void {
    clearTimeout(timer);
    timer = undefined;
    if (active === 0 || lifetime.signal.aborted) return;
    const next = Math.min(...endpoints.slice(0, active).map(({ until }) => until));
    const wait = Math.max(next, since + dwell) - Date.now();
    timer = setTimeout(() => void lookBack().catch(ignore), Math.min(Math.max(wait, 0), LONGEST_TIMER));
  }

  /** Goes back to an earlier one that is well again. */
  async function lookBack(): Promise<void> {
    timer = undefined;
    for (const endpoint of endpoints.slice(0, active)) {
      if (endpoint.until > Date.now() || connecting > 0) continue;
      try {
        await reach(endpoint, lifetime.signal);
        await endpoint.transport.disconnect?.();
      } catch {
        hold(endpoint);
        continue;
      }
      if (connecting > 0 || lifetime.signal.aborted) break;
      if (sinks.size === 0) become(endpoint);
      else leave(`Back to ${endpoint.transport.name}, which works again.`);
      return;
    }
    lookBackLater();
  }

  /** What fails for long is left. Without a link nobody connects again, so the next one must prove itself here. */
  async function stumble(kind: 'pull' | 'push', collection: string, signal: AbortSignal): Promise<void> {
    const from = endpoints[active] as Endpoint;
    const begun = failing[kind];
    failing[kind] ??= Date.now();
    if (begun === undefined || Date.now() - begun < failAfter) return;
    delete failing[kind];
    if (sinks.size > 0) {
      hold(from);
      leave(`${from.transport.name} failed each ${kind} of the last ${failAfter} ms.`);
      return;
    }
    if (connecting > 0) return;
    for (const endpoint of inOrder()) {
      if (endpoint === from) continue;
      try {
        await abortable(endpoint.transport.pull({ collection, cursor: null, start: true, limit: 1, signal }), signal);
      } catch {
        continue;
      }
      if (endpoints[active] !== from || signal.aborted) return;
      hold(from);
      become(endpoint);
      return;
    }
  }

  async function watched<T>(
    kind: 'pull' | 'push',
    collection: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const at = active;
    if (kind === 'pull') {
      asked.delete(collection);
      asked.add(collection);
    }
    if (active > 0 && timer === undefined && connecting === 0) lookBackLater();
    try {
      const result = await work();
      if (at === active) {
        delete failing[kind];
        // Only now: one that connects and fails each read is to be left alone for longer each time.
        Object.assign(endpoints[at] as Endpoint, { failures: 0, until: 0 });
      }
      return result;
    } catch (error) {
      const sick = isSyncLayerError(error) && HEALTH.includes(error.code);
      if (sick && at === active && !signal.aborted) await stumble(kind, collection, signal);
      throw error;
    }
  }

  return delegate(current, {
    get name() {
      return source === undefined ? current().name : 'failover';
    },
    get source() {
      return sourceOf(active);
    },
    // A row may have been written at any of them.
    values: (collection) => combinedValues(transports.map((transport) => valuesOf(transport, collection))),
    attach(given) {
      host = given;
      for (const endpoint of endpoints) {
        // One that is only looked at answers nothing that core waits for.
        const alive = (signal?: AbortSignal): void => {
          if (endpoints[active] === endpoint) given.alive?.(signal);
        };
        endpoint.transport.attach?.({ ...ownTokenFirst(given), alive });
      }
    },

    async connect({ signal }) {
      throwIfAborted(lifetime.signal);
      connecting += 1;
      const failed = new Map<Endpoint, unknown>();
      try {
        for (const endpoint of inOrder()) {
          try {
            await reach(endpoint, signal);
          } catch (error) {
            // Out of time: the next attempt begins with another one.
            if (signal.aborted && isSyncLayerError(reasonOf(signal))) hold(endpoint);
            // A token that is refused, or a wrong configuration, is not cured by another address.
            const cured = failed.size > 0 || !isSyncLayerError(error) || error.kind === 'retry';
            if (signal.aborted || !cured) throw error;
            failed.set(endpoint, error);
            continue;
          }
          // Only now: where none can be reached it is the network that failed.
          for (const each of failed.keys()) hold(each);
          become(endpoint);
          return;
        }
        throw failed.values().next().value;
      } finally {
        connecting -= 1;
      }
    },

    subscribe(request, sink) {
      const own: ChangeSink = {
        change: (change) => sink.change(change),
        live: () => sink.live(),
        gap: (reason) => sink.gap(reason),
        error(error) {
          sinks.delete(own);
          sink.error(error);
        },
      };
      sinks.add(own);
      const end = current().subscribe(request, own);
      return () => {
        sinks.delete(own);
        end();
      };
    },
    pull: (request: PullRequest) => watched('pull', request.collection, request.signal, () => current().pull(request)),
    push: (changes, { signal }) =>
      watched('push', changes[0]?.collection ?? '', signal, () => current().push(changes, { signal })),
    async disconnect() {
      clearTimeout(timer);
      timer = undefined;
      await Promise.all(transports.map((transport) => transport.disconnect?.()));
    },
    async close() {
      abort(lifetime, new SyncLayerError('CLOSED', 'This transport is closed; make a new one.'));
      clearTimeout(timer);
      sinks.clear();
      await Promise.all(transports.map((transport) => transport.close()));
    },
    report: (): FailoverReport => ({ active, since, switches }),
  } satisfies Partial<RealtimeTransport> & { report(): FailoverReport });
}
