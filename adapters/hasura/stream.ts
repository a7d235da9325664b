import { createTimers } from '../../src/adapter-kit/kit.js';
import { stampAt, stampOf, timeOf } from '../../src/adapter-kit/postgres-time.js';
import { ask } from './link.js';
import type { Scope } from './live.js';
import { allOf, type Document, dated, given, order, type Table } from './table.js';

/** Between two catch-ups for full batches, in ms. */
const SOON = 1000;

/** For the newest row's time. */
export const newestDocument = (table: Table): Document => {
  const by = order(table, [table.updatedAt], 'desc');
  return `query (${given(table)}) { rows: ${table.roots.select}(where: $where, ${by}, limit: 1) { ${table.updatedAt} } }`;
};

/** `from` is a literal: its type is the column's own. */
export const streamDocument = (table: Table, from: string, batchSize: number): Document => {
  const { word, updatedAt, roots, selection } = table;
  const cursor = `cursor: {${word('initial_value')}: {${updatedAt}: ${JSON.stringify(from)}}, ordering: ASC}`;
  return `subscription (${given(table)}) { rows: ${roots.stream}(${word('batch_size')}: ${batchSize}, ${cursor}, where: $where) { ${selection} } }`;
};

export const countDocument = (table: Table): Document =>
  `subscription (${given(table)}) { rows: ${table.roots.aggregate}(where: $where) { aggregate { count } } }`;

/**
 * A time before which nothing is committed any more: everything newer has yet to come, or is read by the catch-up that follows.
 * ISO text.
 */
async function horizon({ table, reads, options, signal }: Scope): Promise<string> {
  const what = `Reading the newest row of "${table.collection}"`;
  const variables = { where: allOf(table.where, dated(table)) };
  const { rows, serverTime } = await reads.rows(what, newestDocument(table), variables, signal);
  const stamp = stampOf(rows[0]?.[table.updatedAt]);
  if (stamp === undefined) return new Date(0).toISOString();
  // One from the future must not hide those of the present.
  return new Date(Math.min(timeOf(stamp), serverTime ?? Date.now()) - options.overlap).toISOString();
}

/**
 * A streaming subscription gives rows whose time is behind its cursor. It skips what shares its time with the end of a full
 * batch, what commits with an earlier time than a row that it has sent, and hard deletes. So it is a hint: once a transaction that
 * was under way at a hint must have ended, a catch-up with its overlap follows.
 *
 * It is live as soon as the server has understood it, since it does not begin there but at a time before which nothing is
 * committed any more.
 */
export async function runStream(scope: Scope): Promise<void> {
  const { table, sink, reads, options, signal, client } = scope;
  const timers = createTimers<'check' | 'soon'>();
  scope.add(timers.close);
  let newest = '';
  let hinted = false;
  let checkedAt = Number.NEGATIVE_INFINITY;

  function check(): void {
    checkedAt = performance.now();
    sink.gap('the stream may have skipped rows');
  }
  function checkLater(): void {
    hinted = false;
    timers.schedule('check', options.overlap, () => {
      check();
      // As long as a row from the future hides those of the present, nothing is hinted at.
      if (hinted || newest > stampAt(Date.now())) checkLater();
    });
  }

  function onRows(rows: unknown): void {
    if (!Array.isArray(rows)) return;
    scope.live();
    for (const row of rows) {
      reads.toChange(table, row).forEach(sink.change);
      const stamp = stampOf(row[table.updatedAt]) ?? '';
      if (stamp > newest) newest = stamp;
    }
    hinted = true;
    if (!timers.has('check')) checkLater();
    if (rows.length >= options.batchSize && !timers.has('soon'))
      timers.schedule('soon', Math.max(0, checkedAt + SOON - performance.now()), check);
  }

  /** Fewer rows than before: some were deleted. That others came in the same moment, the stream shows. */
  let count = 0;
  function onCount(answer: unknown): void {
    const { aggregate } = Object(answer) as { readonly aggregate?: { readonly count?: unknown } };
    const now = Number(aggregate?.count);
    if (now < count) sink.gap('rows were deleted');
    count = now;
  }

  const from = await horizon(scope);
  if (signal.aborted) return;
  const where = allOf(table.where);
  scope.listen(streamDocument(table, from, options.batchSize), where, onRows);
  if (table.watchCount && table.deletedAt === undefined) scope.listen(countDocument(table), where, onCount);
  await ask(client, signal);
  scope.live();
}
