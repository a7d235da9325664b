import { abortable, throwIfAborted } from '../../base/abort.js';
import { capabilitiesOf } from '../../transport/capabilities.js';
import type { Cursor, PullPage } from '../../transport/transport.js';
import { checkRows } from '../duplicate-keys.js';
import { msSince } from '../tally.js';
import type { Remote } from './remote.js';
import type { SessionOptions } from './session.js';

export interface PullOptions extends Omit<SessionOptions, 'hooks'> {
  /** A page came, with the server's clock. */
  readonly clock: (serverTime: number, sentAt: number) => void;
  readonly log: SessionOptions['hooks']['log'];
  /** Fetches the rows of partial changes. */
  readonly complete: (ids: readonly string[], signal: AbortSignal, news?: Set<string>) => Promise<unknown>;
}

/** What a pull brought. */
export interface Pulled {
  readonly count: number;
  /** It was the entire collection, so no key can be missing. */
  readonly whole: boolean;
}

/** Reads a collection page by page, from where the last one ended. */
export function createPull(options: PullOptions) {
  const { collection, transport, replica, filter, settings, clock, log, complete } = options;
  /** A snapshot under way: it survives a failed page, so that a bad line does not start it over. */
  let snapshot:
    | { cursor: Cursor | null; seen: Set<string> | undefined; readonly touched: ReturnType<Remote['track']> }
    | undefined;

  function forget(): void {
    snapshot?.touched.stop();
    snapshot = undefined;
  }

  async function pullPage(cursor: Cursor | null, start: boolean, signal: AbortSignal): Promise<PullPage> {
    throwIfAborted(signal);
    const sentAt = Date.now();
    const request = { collection, cursor, start, limit: settings.pageSize, filter, signal };
    const page = await abortable(transport.pull(request), signal);
    if (page.serverTime !== undefined) clock(page.serverTime, sentAt);
    return page;
  }

  async function pullAll(signal: AbortSignal, news?: Set<string>): Promise<Pulled> {
    const reads = capabilitiesOf(transport, collection).cursor;
    // Such a pull begins with the first row each time: what an unfinished one has seen may be gone by now.
    if (reads === 'snapshot') forget();
    let cursor = snapshot ? snapshot.cursor : replica.cursor;
    let whole = cursor === null;
    let count = 0;
    let pages = 0;
    const startedAt = performance.now();
    // From before the first page is asked for: it may be made before a row that is saved and acknowledged meanwhile.
    const touched = snapshot?.touched ?? replica.track();
    try {
      let next = pullPage(cursor, true, signal);
      for (;;) {
        const page = await next;
        // Stopped between the answer and here: what it says is of the past.
        throwIfAborted(signal);
        // A log of changes may name a record twice.
        if (reads !== 'sequence') checkRows(collection, page.changes);
        // A pull from the very beginning holds everything, whether the transport says so or not. Rows that are here
        // already and not in it were deleted while we were away.
        const isSnapshot = page.snapshot || (cursor === null && replica.hasServerRows());
        if (isSnapshot) snapshot ??= { cursor, seen: new Set(), touched };
        else if (!snapshot) touched.stop();
        cursor = page.cursor;
        count += page.changes.length;
        pages += 1;
        const ended = page.changes.length === 0;
        // The backend makes the next page while this one is applied.
        if (!ended) next = pullPage(cursor, false, signal);
        // Should this one fail, it is not waited for.
        next.catch(() => undefined);
        // No cursor is stored before a snapshot is whole: after a crash in the middle the seen ids would be unknown, and
        // rows deleted meanwhile would stay for ever.
        const stored = snapshot && !ended ? undefined : cursor;
        const partial = replica.apply(page.changes, stored, { now: snapshot?.touched.ids, news });
        if (partial.length > 0) {
          await complete(partial, signal, news);
          throwIfAborted(signal);
          replica.apply([], stored);
        }
        if (snapshot) {
          if (page.incomplete) snapshot.seen = undefined;
          for (const { recordId, type } of page.changes) if (type !== 'delete') snapshot.seen?.add(recordId);
          snapshot.cursor = cursor;
        }
        if (!ended) continue;
        if (snapshot) {
          const { seen } = snapshot;
          if (seen) replica.removeMissing(seen, snapshot.touched.ids);
          whole = seen !== undefined;
          forget();
        }
        log('pull', () => ({ pages, rows: count, ms: msSince(startedAt) }));
        return { count, whole };
      }
    } finally {
      if (snapshot?.touched !== touched) touched.stop();
    }
  }

  return {
    /** Reads what is new; of a collection that was never read, everything. `news`: gets the ids of what was. */
    all: pullAll,
    /** Reads everything again, as a snapshot. */
    reread(signal: AbortSignal, news?: Set<string>): Promise<Pulled> {
      forget();
      snapshot = { cursor: null, seen: new Set(), touched: replica.track() };
      return pullAll(signal, news);
    },
    /** What an unfinished snapshot has seen says nothing any more. */
    forget,
  };
}

export type Pull = ReturnType<typeof createPull>;
