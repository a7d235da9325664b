import { abort, abortable } from '../base/abort.js';
import type { Change, Row, Version } from '../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { backoffDelay } from '../transport/backoff.js';
import { delegate, ownTokenFirst } from '../transport/delegate.js';
import { matchesFilter, projectRow } from '../transport/filter.js';
import type { ChangeSink, RealtimeTransport, SubscribeRequest, Unsubscribe } from '../transport/transport.js';
import { sameRow, valuesOf } from '../transport/values.js';
import { type Compared, createComparison, type Side } from './comparison.js';

export interface ShadowOptions {
  /** The backend that the app works with. */
  readonly primary: RealtimeTransport;
  /** The backend that is only listened to. */
  readonly secondary: RealtimeTransport;
  /** What the secondary tells later than this after the primary is late, ms. Default 2000. */
  readonly lateAfter?: number;
  /** How long one of them is waited for before its event is missing, ms. Default 10 000. */
  readonly patience?: number;
  /** Differences that the report lists, the newest. All are counted. Default 100. */
  readonly keep?: number;
  /** Records that are remembered, the newest. Default 10 000. */
  readonly limit?: number;
  /** Whether two rows are the same. Default: by value, as far as both backends can keep it (`RealtimeTransport.values`). */
  readonly same?: (primary: Row, secondary: Row) => boolean;
}

export interface ShadowReport extends Compared {
  /** Collections of which both sides are live. With none here, nothing is compared. */
  readonly watched: readonly string[];
  /** Why the secondary cannot be heard. */
  readonly problem: string | undefined;
}

interface Watch {
  readonly request: SubscribeRequest;
  readonly live: Record<Side, boolean>;
  end: Unsubscribe | undefined;
}

/**
 * Works with one backend and listens to another: what both tell of each record is compared, by its content, since
 * versions and times of two backends have nothing in common. The secondary is never read or written, and the app hears
 * nothing of it. While one side is not live there is nothing to compare: that is counted as `unwatched`.
 *
 * @example
 * const transport = shadowTransport({ primary: websocketTransport({ url }), secondary: supabaseTransport({ url: other, key }) });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 * const { missing, extra, different, late, watched, differences } = transport.report();
 */
export function shadowTransport({
  primary,
  secondary,
  lateAfter = 2000,
  patience = 10_000,
  keep = 100,
  limit = 10_000,
  same,
}: ShadowOptions): RealtimeTransport & { report(): ShadowReport } {
  const transports = { primary, secondary };
  const watches = new Map<string, Watch>();
  const equal = (collection: string, one: Row, other: Row): boolean =>
    same ? same(one, other) : sameRow(one, other, valuesOf(primary, collection), valuesOf(secondary, collection));
  const comparison = createComparison({ lateAfter, patience, keep, limit, same: equal });
  let problem: string | undefined;
  /** Aborts the attempt to connect, or stands for the link that it gave. */
  let link: AbortController | undefined;
  let linked = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let log: (message: string) => void = () => undefined;
  const lifetime = new AbortController();

  function tell(
    side: Side,
    collection: string,
    ...what: [recordId: string, row: Row | null, version: Version, sure?: boolean]
  ): void {
    const watch = watches.get(collection);
    if (watch?.live.primary && watch.live.secondary) comparison.tell(side, collection, ...what);
    else if (watch) comparison.unwatched();
  }

  /** The whole row of a change, as the filter lets it be seen. */
  function hear(side: Side, { filter = {} }: SubscribeRequest, change: Change): void {
    const { collection, recordId, version, timestamp } = change;
    if (change.type === 'delete') {
      tell(side, collection, recordId, null, version, !change.inferred);
      return;
    }
    if (change.type === 'update' && change.partial) {
      const rows = transports[side].fetch?.(collection, [recordId], { signal: lifetime.signal }) ?? Promise.resolve([]);
      void rows.then(([whole]) => {
        if (whole && !lifetime.signal.aborted) hear(side, { collection, filter }, whole);
        else comparison.unwatched();
      }, comparison.unwatched);
      return;
    }
    const whole = { ...change.data, id: recordId };
    // Neither a row that the app does not keep, nor that it is gone from what it keeps, is told by every backend.
    if (matchesFilter(filter, whole, timestamp, false)) {
      tell(side, collection, recordId, projectRow(filter, whole), version);
    }
  }

  function setLive(side: Side, watch: Watch, live: boolean): void {
    comparison.reset(watch.request.collection);
    watch.live[side] = live;
  }

  /** What is said to `sink` is heard too. */
  const listening = (side: Side, watch: Watch, sink: Partial<ChangeSink>): ChangeSink => ({
    change(change) {
      sink.change?.(change);
      hear(side, watch.request, change);
    },
    live() {
      // Also a second time: some may have been missed.
      setLive(side, watch, true);
      sink.live?.();
    },
    gap(reason) {
      comparison.reset(watch.request.collection);
      sink.gap?.(reason);
    },
    error(error) {
      setLive(side, watch, false);
      sink.error?.(error);
    },
  });

  /** Keeps the secondary's link up for as long as there is something to listen to. */
  function connect(): void {
    if (link !== undefined || retry !== undefined || lifetime.signal.aborted) return;
    const mine = new AbortController();
    link = mine;
    void abortable(secondary.connect({ signal: mine.signal }), mine.signal).then(
      () => {
        if (link !== mine) return;
        linked = true;
        problem = undefined;
        for (const watch of watches.values()) listen(watch);
      },
      (thrown: unknown) => {
        if (link === mine) lose(toSyncLayerError(thrown, 'CONNECT_FAILED', `${secondary.name} could not connect.`));
      },
    );
  }

  function unlink(): void {
    if (link) abort(link, new SyncLayerError('CLOSED', 'The shadow was stopped.'));
    link = undefined;
    linked = false;
    clearTimeout(retry);
    retry = undefined;
    for (const watch of watches.values()) mute(watch);
  }

  function lose(error: SyncLayerError): void {
    unlink();
    problem = error.message;
    failures += 1;
    log(`The shadow (${secondary.name}) cannot be heard: ${problem}`);
    retry = setTimeout(
      () => {
        retry = undefined;
        connect();
      },
      backoffDelay(failures, { base: 1000, max: 60_000 }),
    );
  }

  function mute(watch: Watch): void {
    watch.end?.();
    watch.end = undefined;
    setLive('secondary', watch, false);
  }

  function listen(watch: Watch): void {
    if (watch.end) return;
    const sink = listening('secondary', watch, {
      live() {
        failures = 0;
      },
      error(error) {
        if (watches.get(watch.request.collection) !== watch) return;
        lose(error);
      },
    });
    watch.end = secondary.subscribe(watch.request, sink);
  }

  return delegate(() => primary, {
    attach(host) {
      primary.attach?.(host);
      log = (message) => host.log('warn', message);
      // What comes of the secondary is no part of an answer that the app waits for.
      const { moved: _, serverTime: _clock, alive: _alive, ...own } = ownTokenFirst(host);
      secondary.attach?.({ ...own, report: ({ message }) => log(message) });
    },
    subscribe(request, sink) {
      const { collection } = request;
      const watch: Watch = { request, live: { primary: false, secondary: false }, end: undefined };
      watches.set(collection, watch);
      const end = primary.subscribe(request, listening('primary', watch, sink));
      if (linked) listen(watch);
      else connect();
      return () => {
        end();
        mute(watch);
        if (watches.get(collection) === watch) watches.delete(collection);
      };
    },
    async push(changes, options) {
      const results = await primary.push(changes, options);
      for (const [index, { collection, recordId, data }] of changes.entries()) {
        const result = results[index];
        const filter = watches.get(collection)?.request.filter ?? {};
        if (result?.type !== 'applied') continue;
        const row = result.data ?? data;
        const change = { collection, recordId, version: result.version };
        // Not every backend tells a client what it wrote itself.
        hear(
          'primary',
          { collection, filter },
          row ? { type: 'insert', ...change, data: row } : { type: 'delete', ...change },
        );
      }
      return results;
    },
    async disconnect() {
      unlink();
      await Promise.all([primary.disconnect?.(), Promise.resolve(secondary.disconnect?.()).catch(() => undefined)]);
    },
    async close() {
      abort(lifetime, new SyncLayerError('CLOSED', 'This shadow is closed.'));
      comparison.close();
      unlink();
      watches.clear();
      await Promise.all([primary.close(), secondary.close().catch(() => undefined)]);
    },
    report: (): ShadowReport => ({
      ...comparison.report(),
      watched: [...watches].flatMap(([name, { live }]) => (live.primary && live.secondary ? [name] : [])),
      problem,
    }),
  } satisfies Partial<RealtimeTransport> & { report(): ShadowReport });
}
