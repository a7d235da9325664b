import type { Row } from '../base/change.js';
import { deepEqual, handOut } from '../base/json.js';
import { compileOrder } from './order.js';
import { compilePredicate } from './predicate.js';
import { createSortedList } from './sorted-list.js';
import type { QuerySpec, RowSource } from './types.js';

/** What a watcher is told beside the rows. */
export interface WatchInfo {
  /** The rows have not all arrived yet: an empty result means "wait", not "nothing there". */
  readonly loading: boolean;
}

const throwLater = (error: unknown) =>
  queueMicrotask(() => {
    throw error;
  });

/**
 * Keeps a query's result up to date, change by change, and tells `onRows`: once in a microtask at the start, then once
 * per batch that changed the rows within offset and limit, or `loading`. A change outside of them costs a search.
 *
 * Each result is a new array that the receiver may keep and change. Rows are frozen, and one that did not change is the
 * same object as before. Without an order, rows stand in the order in which this device first saw them: an update keeps
 * the place. What `onRows` throws goes to `onError`, by default as an uncaught error.
 *
 * @returns a function that stops it: `onRows` is not called again.
 * @throws SyncLayerError VALIDATION_FAILED for a condition or an order that cannot be.
 * @example
 * const stop = createLiveQuery(source, { conditions: [], order: [], offset: 0 }, (rows, { loading }) => {
 *   render(loading ? 'Loading' : rows);
 * });
 */
export function createLiveQuery(
  source: RowSource,
  { conditions, order, offset, limit = Number.POSITIVE_INFINITY }: QuerySpec,
  onRows: (rows: readonly Row[], info: WatchInfo) => void,
  onError: (error: unknown) => void = throwLater,
): () => void {
  const matches = compilePredicate(conditions);
  const places = new Map<unknown, number>();
  let nextPlace = 0;
  const arrive = (id: string) => {
    if (!order.length && !places.has(id)) places.set(id, nextPlace++);
  };
  for (const id of source.rows.keys()) arrive(id);
  const sorting = compileOrder(order, order.length ? undefined : (row) => places.get(row.id));
  const list = createSortedList(sorting, [...source.rows.values()].filter(matches));

  let shown: readonly Row[] = [];
  let stale = true;
  let loading: boolean | undefined;
  let stopped = false;

  const edit = (change: (row: Row) => void, row: Row) => {
    // Behind a full window nothing shows.
    const last = shown.at(-1);
    stale ||= shown.length < limit || (last !== undefined && sorting.compare(row, last) <= 0);
    change(row);
  };

  /** Takes the window from the list; true if it differs from what is shown. */
  const refresh = (): boolean => {
    const rows = list.slice(offset, limit);
    let changed = rows.length !== shown.length;
    // Both are the same sequence but for a few rows. Walking them together finds those few, and only they are frozen.
    let old = 0;
    for (const row of rows) {
      if (row === shown[old]) old++;
      else {
        changed = true;
        if (row === shown[old + 1]) old += 2;
        else handOut(row);
      }
    }
    shown = rows;
    return changed;
  };

  const notify = () => {
    if (stopped || source.closed?.aborted) return;
    const wasLoading = loading;
    loading = !source.ready;
    const changed = stale && refresh();
    stale = false;
    if (!changed && loading === wasLoading) return;
    try {
      onRows(shown.slice(), { loading });
    } catch (error) {
      onError(error);
    }
  };

  const unsubscribe = source.onChange((deltas) => {
    for (const { id, before, after } of deltas) {
      if (after) arrive(id);
      const was = before && matches(before);
      const is = after && matches(after);
      const stays = was && is && !sorting.compare(before, after);
      // The echo of an own write equals the row that is shown: that one stays, and with it its identity.
      if (!stays || !deepEqual(before, after)) {
        if (was && !stays) edit(list.remove, before);
        if (is) edit(list.put, after);
      }
      if (!after) places.delete(id);
    }
    // What comes before the first notification is told with it.
    if (loading !== undefined) notify();
  });
  queueMicrotask(notify);
  return () => {
    if (!stopped) unsubscribe();
    stopped = true;
  };
}
