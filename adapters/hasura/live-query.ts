import { type Change, createTimers, isObject } from '../../src/adapter-kit/kit.js';
import { type Columns, keyOf } from '../../src/adapter-kit/postgres-rows.js';
import { stampAt, versionOf } from '../../src/adapter-kit/postgres-time.js';
import type { Scope } from './live.js';
import { problem } from './options.js';
import { allOf, type Document, given, notDeleted, order, type Table } from './table.js';

/** How often, and after how long, a live query's missing row is looked for, in ms: longer than the server's poll. */
const LOOKS = 3;
const LOOK = 2000;
/** How far a server's clock, known to a second, may be off, in ms. */
const CLOCK = 1000;

/** Ordered, since the server takes another order for a change. */
export const liveDocument = (table: Table): Document => {
  const by = order(table, [table.id]);
  return `subscription (${given(table)}) { rows: ${table.roots.select}(where: $where, ${by}) { ${table.selection} } }`;
};

/** A row is gone, and no version of its delete is known: `at` is the server's time when it was not there, in ms. */
export const gone = (collection: string, recordId: string, at: number): Change => ({
  type: 'delete',
  collection,
  recordId,
  // Newer than every version up to this time, and older than all that come later.
  version: `${versionOf(stampAt(at))}~`,
  timestamp: at,
  inferred: true,
});

/** What differs between two results of a live query. */
export interface Difference {
  /** New rows, and those with another `updatedAt`. */
  readonly changed: readonly Columns[];
  /** Keys of rows that are in the old one only. */
  readonly missing: readonly string[];
  /** Rows without a usable key or time. */
  readonly malformed: number;
  /** The new result: each row's time, verbatim, by its key. */
  readonly times: ReadonlyMap<string, unknown>;
}

/** Compares by key and `updatedAt` alone: it has to be done for each change of any row. */
export function difference(
  { id: key, updatedAt }: Table,
  old: ReadonlyMap<string, unknown>,
  rows: readonly unknown[],
): Difference {
  const changed: Columns[] = [];
  const times = new Map<string, unknown>();
  let malformed = 0;
  let kept = 0;
  for (const row of rows) {
    const id = isObject(row) ? keyOf(row[key]) : undefined;
    if (id === undefined) {
      malformed += 1;
      continue;
    }
    const time = (row as Columns)[updatedAt];
    const before = old.get(id);
    if (before !== undefined) kept += 1;
    if (before !== time) changed.push(row as Columns);
    times.set(id, time);
  }
  const missing = kept < old.size ? [...old.keys()].filter((id) => !times.has(id)) : [];
  return { changed, missing, malformed, times };
}

/**
 * A live query: all rows at each change. Its first result holds whatever was committed by then, and the difference to each
 * later one shows all that was committed since: so it is live with the first.
 */
export function runLiveQuery(scope: Scope): void {
  const { table, sink, reads, signal } = scope;
  const { collection } = table;
  const timers = createTimers<'check'>();
  scope.add(timers.close);
  let times: ReadonlyMap<string, unknown> | undefined;
  /** Rows that a push or a pull brought and no result has shown yet, and how often they are still looked for. */
  const unseen = new Map<string, number>();

  /** What was written and deleted between two polls of the server is in no result, so no difference shows that it is gone. */
  function lookLater(): void {
    timers.schedule('check', LOOK, () => {
      const ids = [...unseen].flatMap(([id, left]) => (left > 0 ? id : []));
      for (const id of ids) unseen.set(id, (unseen.get(id) ?? 0) - 1);
      if (ids.length === 0) return;
      void find(ids);
      lookLater();
    });
  }
  reads.observers.set(collection, ({ type, recordId }) => {
    if (type === 'delete' || !times || times.has(recordId) || unseen.has(recordId)) return;
    unseen.set(recordId, LOOKS);
    if (!timers.has('check')) lookLater();
  });
  scope.add(() => reads.observers.delete(collection));

  /** A row that left the result was deleted, marked as deleted, or just left the condition or a limit: only a read shows which. */
  async function find(ids: readonly string[]): Promise<void> {
    try {
      const { changes, present, serverTime } = await reads.byIds(table, ids, signal);
      changes.forEach(sink.change);
      // It cannot be too new: a row that is created again is in the next result.
      const at = (serverTime ?? Date.now()) + CLOCK;
      for (const id of ids) {
        if (present.has(id) || times?.has(id)) continue;
        unseen.delete(id);
        sink.change(gone(collection, id, at));
      }
    } catch {
      sink.gap('rows are no longer in the live query, and could not be read');
    }
  }

  scope.listen(liveDocument(table), allOf(table.where, notDeleted(table)), (rows) => {
    if (!Array.isArray(rows)) return;
    const { changed, missing, malformed, times: now } = difference(table, times ?? new Map(), rows);
    const first = times === undefined;
    times = now;
    for (const id of unseen.keys()) if (now.has(id)) unseen.delete(id);
    if (malformed > 0)
      scope.report(problem('PROTOCOL_VIOLATION', `${malformed} rows of "${collection}" have no usable key.`));
    // What the first one holds, the catch-up that follows reads.
    if (first) return scope.live();
    for (const row of changed) reads.toChange(table, row).forEach(sink.change);
    if (missing.length > 0) void find(missing);
  });
}
