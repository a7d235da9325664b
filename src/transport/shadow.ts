import {
  abortable,
  backoffDelay,
  type Change,
  compareVersions,
  deepEqual,
  type Row,
  SyncLayerError,
  toSyncLayerError,
  type Version,
} from '../kit.js';
import { matchesFilter, projectRow } from '../sync/filter.js';
import { delegate, ownTokenFirst } from './delegate.js';
import type { ChangeSink, RealtimeTransport, SubscribeRequest, Unsubscribe } from './transport.js';

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
  /** Whether two rows are the same, where the two backends write one value in two ways. Default: as JSON. */
  readonly same?: (primary: Row, secondary: Row) => boolean;
}

/** What the two backends told of one record, and when. `null`: that it was deleted. */
export interface ShadowDifference {
  /**
   * `missing`: only the primary told it. `extra`: only the secondary did. `different`: each told something of its own.
   * `late`: the secondary told it after more than `lateAfter` ms.
   */
  readonly kind: 'missing' | 'extra' | 'different' | 'late';
  readonly collection: string;
  readonly recordId: string;
  readonly primary?: Row | null;
  readonly secondary?: Row | null;
  /** When it was told first, in ms since 1970. */
  readonly at: number;
  /** Of a late one, ms. */
  readonly delay?: number;
}

export interface ShadowReport {
  /** What both told, late or not. */
  readonly matched: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly late: number;
  /** States that one of them left out since a newer one, which both told, came soon: no difference. */
  readonly superseded: number;
  /** Events that say nothing, for one side was not live, or may have missed some. */
  readonly unwatched: number;
  /** Events that wait for the other side. */
  readonly waiting: number;
  /** Collections of which both sides are live. With none here, nothing is compared. */
  readonly watched: readonly string[];
  /** Why the secondary cannot be heard. */
  readonly problem: string | undefined;
  readonly differences: readonly ShadowDifference[];
}

type Side = 'primary' | 'secondary';

interface Told {
  readonly row: Row | null;
  readonly at: number;
}

interface Heard {
  readonly collection: string;
  readonly recordId: string;
  /** Told by this side, and not by the other (yet). */
  readonly waiting: Record<Side, Told[]>;
  readonly last: Partial<Record<Side, { readonly row: Row | null; readonly version: Version }>>;
  /** Places in the list of what was given up as missing. */
  missing: ShadowDifference[];
}

interface Watch {
  readonly request: SubscribeRequest;
  readonly live: Record<Side, boolean>;
  end: Unsubscribe | undefined;
}

const sides: readonly Side[] = ['primary', 'secondary'];

/**
 * Works with one backend and listens to another: what both tell of each record is compared, by its content, since
 * versions and times of two backends have nothing in common. The secondary is never read or written, and the app hears
 * nothing of it. While one side is not live there is nothing to compare: that is counted as `unwatched`.
 *
 * @example
 * const transport = shadow({ primary: websocketTransport({ url }), secondary: supabaseTransport({ url: other, key }) });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 * const { missing, extra, different, late, watched, differences } = transport.report();
 */
export function shadow({
  primary,
  secondary,
  lateAfter = 2000,
  patience = 10_000,
  keep = 100,
  limit = 10_000,
  same = deepEqual,
}: ShadowOptions): RealtimeTransport & { report(): ShadowReport } {
  const transports = { primary, secondary };
  const watches = new Map<string, Watch>();
  const records = new Map<string, Heard>();
  /** Who waits, the first first. */
  const deadlines: { readonly heard: Heard; readonly at: number }[] = [];
  const counts = { matched: 0, missing: 0, extra: 0, different: 0, late: 0, superseded: 0, unwatched: 0 };
  let differences: ShadowDifference[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let problem: string | undefined;
  /** Aborts the attempt to connect, or stands for the link that it gave. */
  let link: AbortController | undefined;
  let linked = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let log: (message: string) => void = () => undefined;
  const lifetime = new AbortController();

  const equal = (one: Row | null, other: Row | null): boolean =>
    one === other || (!!one && !!other && same(one, other));

  function differs(difference: ShadowDifference): void {
    counts[difference.kind] += 1;
    differences.push(difference);
    if (differences.length > keep) differences.shift();
  }

  /** What waits is not compared any more: one side may have missed the rest. */
  function forget(heard: Heard): void {
    for (const side of sides) counts.unwatched += heard.waiting[side].splice(0).length;
    records.delete(JSON.stringify([heard.collection, heard.recordId]));
  }

  function reset(collection: string): void {
    for (const heard of [...records.values()]) if (heard.collection === collection) forget(heard);
  }

  function recordOf(collection: string, recordId: string): Heard {
    const key = JSON.stringify([collection, recordId]);
    const known = records.get(key);
    const heard = known ?? { collection, recordId, waiting: { primary: [], secondary: [] }, last: {}, missing: [] };
    // The newest last.
    records.delete(key);
    records.set(key, heard);
    const [oldest] = records.values();
    if (records.size > limit && oldest) forget(oldest);
    return heard;
  }

  /** Nobody came in time. */
  function giveUp({ collection, recordId, waiting, ...heard }: Heard): Heard['missing'] {
    const [one, other] = [waiting.primary.splice(0), waiting.secondary.splice(0)];
    const [here, there] = [one.at(-1), other.at(-1)];
    const about = { collection, recordId };
    if (here && there) {
      counts.superseded += one.length + other.length - 2;
      const at = Math.min(here.at, there.at);
      differs({ kind: 'different', ...about, primary: here.row, secondary: there.row, at });
      return [];
    }
    for (const { row, at } of other) differs({ kind: 'extra', ...about, secondary: row, at });
    const missing = one.map(({ row, at }): ShadowDifference => ({ kind: 'missing', ...about, primary: row, at }));
    for (const each of missing) differs(each);
    return [...heard.missing, ...missing].slice(-keep);
  }

  function watchTime(): void {
    clearTimeout(timer);
    timer = undefined;
    const [next] = deadlines;
    if (!next || lifetime.signal.aborted) return;
    timer = setTimeout(() => {
      const now = Date.now();
      while (deadlines[0] && deadlines[0].at <= now) {
        const { heard, at } = deadlines.shift() as (typeof deadlines)[number];
        const due = sides.some((side) => heard.waiting[side].some((told) => told.at + patience <= at));
        if (due) heard.missing = giveUp(heard);
      }
      watchTime();
    }, next.at - Date.now());
  }

  /** It came after all. */
  function comesLate(heard: Heard, row: Row | null, now: number): boolean {
    const found = heard.missing.find(({ primary: wanted }) => equal(wanted ?? null, row));
    if (!found) return false;
    heard.missing = heard.missing.filter((each) => each !== found);
    differences = differences.filter((each) => each !== found);
    counts.missing -= 1;
    counts.matched += 1;
    differs({ ...found, kind: 'late', secondary: row, delay: now - found.at });
    return true;
  }

  function tell(
    side: Side,
    collection: string,
    recordId: string,
    row: Row | null,
    version: Version,
    sure = true,
  ): void {
    const watch = watches.get(collection);
    if (!watch) return;
    if (!watch.live.primary || !watch.live.secondary) {
      counts.unwatched += 1;
      return;
    }
    const heard = recordOf(collection, recordId);
    const { last, waiting } = heard;
    const known = last[side];
    // Events come twice, and a push is answered after its echo; neither is news.
    if (known && ((sure && compareVersions(version, known.version) <= 0) || equal(known.row, row))) return;
    last[side] = { row, version };
    const now = Date.now();
    const others = waiting[side === 'primary' ? 'secondary' : 'primary'];
    const index = others.findIndex((told) => equal(told.row, row));
    const found = others[index];
    if (found) {
      counts.matched += 1;
      // Either may leave out what is old by then.
      counts.superseded += index + waiting[side].splice(0).length;
      others.splice(0, index + 1);
      const delay = now - found.at;
      const about = { collection, recordId, primary: found.row, secondary: row, at: found.at };
      if (side === 'secondary' && delay > lateAfter) differs({ kind: 'late', ...about, delay });
    } else if (side === 'primary' || !comesLate(heard, row, now)) {
      waiting[side].push({ row, at: now });
      if (deadlines.push({ heard, at: now + patience }) === 1) watchTime();
    }
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
      void rows.then(
        ([whole]) => {
          if (whole && !lifetime.signal.aborted) hear(side, { collection, filter }, whole);
          else counts.unwatched += 1;
        },
        () => {
          counts.unwatched += 1;
        },
      );
      return;
    }
    const whole = { ...change.data, id: recordId };
    // Neither a row that the app does not keep, nor that it is gone from what it keeps, is told by every backend.
    if (matchesFilter(filter, whole, timestamp, false)) {
      tell(side, collection, recordId, projectRow(filter, whole), version);
    }
  }

  function setLive(side: Side, watch: Watch, live: boolean): void {
    reset(watch.request.collection);
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
      reset(watch.request.collection);
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
    link?.abort(new SyncLayerError('CLOSED', 'The shadow was stopped.'));
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
      const { moved: _, ...own } = ownTokenFirst(host);
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
      lifetime.abort(new SyncLayerError('CLOSED', 'This shadow is closed.'));
      clearTimeout(timer);
      unlink();
      watches.clear();
      await Promise.all([primary.close(), secondary.close().catch(() => undefined)]);
    },
    report: (): ShadowReport => ({
      ...counts,
      waiting: [...records.values()].reduce(
        (sum, { waiting: { primary: one, secondary: other } }) => sum + one.length + other.length,
        0,
      ),
      watched: [...watches].flatMap(([name, { live }]) => (live.primary && live.secondary ? [name] : [])),
      problem,
      differences: [...differences],
    }),
  } satisfies Partial<RealtimeTransport> & { report(): ShadowReport });
}
