import type { Row } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import { handOut } from '../base/json.js';
import { invalid } from './invalid.js';
import { createLiveQuery, type WatchInfo } from './live-query.js';
import { compileOrder } from './order.js';
import type { Operand, Path, PathValue } from './path.js';
import { compilePredicate } from './predicate.js';
import type { Direction, Operator, QuerySpec, RowSource } from './types.js';
import { latest } from './watch.js';

/**
 * A query on one collection. Immutable: each step gives a new query, so a part can be kept and used for several. Rows
 * come out frozen; arrays are the caller's own.
 *
 * @example
 * const open = todos.where('done', '==', false);
 * const next = await open.orderBy('due').limit(10).get();
 * const stop = open.watch((rows, { loading }) => render(rows, loading));
 */
export interface Query<T = Row> {
  /**
   * Keeps the rows for which this holds, beside what held before. `path` is a field, or reaches inside with dots
   * (`address.city`, `tags.0`); a field whose own name contains the dot comes first.
   *
   * - `==` `!=` `in` `notIn`: deep equality. A missing field is null; `!=` and `notIn` match such rows, unlike SQL.
   * - `>` `>=` `<` `<=`: values of the same type only, never null. Strings by UTF-16 code unit; ISO dates sort so.
   * - `startsWith` `endsWith` `contains`: a part of a string, with case.
   * - `arrayContains` `arrayContainsAny`: an array that holds this element, or one of these.
   * - `isNull`: null or missing; with `false` neither.
   *
   * @throws SyncLayerError VALIDATION_FAILED for an unknown operator or a value that it cannot use.
   * @example
   * todos.where('tags', 'arrayContains', 'home').where('due', '<', '2026-06-01').where('deletedAt', 'isNull');
   */
  where<P extends Path<T>, O extends Operator>(
    path: P,
    operator: O,
    ...value: O extends 'isNull' ? [value?: boolean] : [value: Operand<PathValue<T, P>, O>]
  ): Query<T>;
  /**
   * Sorts by a field, after the orders that were given before. Mixed values have an order too: null and missing <
   * false < true < numbers < strings < objects; `desc` reverses it. Ties go by `id`. Without any `orderBy` rows come
   * in the order in which this device first saw them.
   *
   * @example
   * todos.orderBy('priority', 'desc').orderBy('text');
   */
  orderBy(path: Path<T>, direction?: Direction): Query<T>;
  /**
   * At most this many rows.
   * @throws SyncLayerError VALIDATION_FAILED unless it is an integer, 0 or more. So does `offset`.
   */
  limit(count: number): Query<T>;
  /** Leaves out this many rows at the start. */
  offset(count: number): Query<T>;
  /** The rows, from memory. */
  get(): Promise<T[]>;
  /** The first of `get()`. */
  first(): Promise<T | undefined>;
  /** How many rows `get()` gives: limit and offset count too. */
  count(): Promise<number>;
  /**
   * Tells the rows now (in a microtask), and after each batch of changes that altered them. Each result is a new array
   * in which a row that did not change is the same object. `loading`: rows are still on their way from the backend.
   *
   * @returns a function that stops it.
   * @throws SyncLayerError CLOSED after `close()`, in both forms.
   * @example
   * const stop = todos.orderBy('text').watch((rows, { loading }) => render(loading ? 'Loading' : rows));
   */
  watch(callback: (rows: readonly T[], info: WatchInfo) => void): () => void;
  /**
   * The same as an async iterable. A slow loop gets the newest result, never a backlog. It starts with the first
   * result that is known: an empty one only once nothing is loading. It ends when the collection is closed.
   *
   * @example
   * for await (const rows of todos.where('done', '==', false).watch()) if (!rows.length) break;
   */
  watch(): AsyncIterable<T[]>;
}

/** The rows of a query as they are now. With an order and a limit it never sorts much more than the limit. */
function select(source: RowSource, { conditions, order, offset, limit = Number.POSITIVE_INFINITY }: QuerySpec): Row[] {
  const matches = compilePredicate(conditions);
  const { compare } = compileOrder(order);
  const end = offset + limit;
  const found: Row[] = [];
  let worst: Row | undefined;
  for (const row of source.rows.values()) {
    if (!order.length && found.length >= end) break;
    if (!matches(row) || (worst && compare(row, worst) > 0)) continue;
    // Room for as many again, so that a sort is paid by as many rows as it sorts.
    if (found.push(row) >= 2 * end + 100 && order.length) {
      found.sort(compare).length = end;
      worst = found.at(-1);
    }
  }
  if (order.length) found.sort(compare);
  return found.slice(offset, end);
}

/**
 * A query over a source. `onError` gets what a watcher's callback throws; without it, it becomes an uncaught error.
 *
 * @throws SyncLayerError VALIDATION_FAILED for a spec that cannot be.
 * @example
 * const query = createQuery<Todo>(source).where('done', '==', false);
 */
export function createQuery<T = Row>(
  source: RowSource,
  spec: QuerySpec = { conditions: [], order: [], offset: 0 },
  onError?: (error: unknown) => void,
): Query<T> {
  // Checked at each step: the mistake shows where it was made, not where the query is used.
  compilePredicate(spec.conditions);
  compileOrder(spec.order);
  for (const name of ['limit', 'offset'] as const) {
    const count = spec[name] ?? 0;
    if (!Number.isSafeInteger(count) || count < 0) throw invalid(`${name}(${count})`, 'needs an integer, 0 or more');
  }

  const extend = (change: Partial<QuerySpec>) => createQuery<T>(source, { ...spec, ...change }, onError);
  const live = (callback: (rows: readonly T[], info: WatchInfo) => void) =>
    createLiveQuery(source, spec, callback as (rows: readonly Row[], info: WatchInfo) => void, onError);

  function watch(callback: (rows: readonly T[], info: WatchInfo) => void): () => void;
  function watch(): AsyncIterable<T[]>;
  function watch(callback?: (rows: readonly T[], info: WatchInfo) => void) {
    if (source.closed?.aborted) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.');
    if (callback !== undefined) {
      if (typeof callback !== 'function')
        throw invalid('watch()', 'needs a function, or nothing for an async iterable');
      return live(callback);
    }
    return latest<readonly T[]>((push) => {
      let known = false;
      return live((rows, { loading }) => {
        known ||= !loading || rows.length > 0;
        if (known) push(rows);
      });
    }, source.closed);
  }

  return {
    where: (path, operator, ...[value]) => extend({ conditions: [...spec.conditions, { path, operator, value }] }),
    orderBy: (path, direction = 'asc') => extend({ order: [...spec.order, { path, direction }] }),
    limit: (limit) => extend({ limit }),
    offset: (offset) => extend({ offset }),
    get: async () => select(source, spec).map(handOut) as T[],
    first: async () =>
      select(source, { ...spec, limit: Math.min(1, spec.limit ?? 1) }).map(handOut)[0] as T | undefined,
    count: async () => select(source, { ...spec, order: [] }).length,
    watch,
  };
}
