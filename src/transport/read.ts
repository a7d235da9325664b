import { abortable, throwIfAborted } from '../base/abort.js';
import { asyncIterator } from '../base/async-iterator.js';
import type { Change } from '../base/change.js';
import type { Cursor, PullPage, RecordKey } from './transport.js';

/** Ids per `fetch`. */
const FETCH_BATCH = 100;

/** Asks for one page. `start`: it is the first page of this read. */
export type PullOne = (cursor: Cursor | null, start: boolean) => Promise<PullPage>;

/**
 * The pages from a cursor to the end; the last one is empty, and is given too, since it carries a cursor and the snapshot's mark. The
 * backend makes the next page while this one is worked at. A signal that aborts ends the wait for a page that hangs.
 *
 * @example
 * for await (const { changes } of readPages(pull, null, signal)) apply(changes);
 */
export async function* readPages(pull: PullOne, from: Cursor | null, signal: AbortSignal): AsyncGenerator<PullPage> {
  throwIfAborted(signal);
  let next = abortable(pull(from, true), signal);
  for (;;) {
    const page = await next;
    // It may have been aborted between the answer and here.
    throwIfAborted(signal);
    if (page.changes.length > 0) {
      next = abortable(pull(page.cursor, false), signal);
      // The reader may stop at this page, and then nothing awaits the next one.
      next.catch(() => undefined);
    }
    yield page;
    if (page.changes.length === 0) return;
  }
}

/** The rows of these ids, in batches, each id once. A row that does not exist is left out. */
export async function readRows(
  fetch: (ids: readonly string[]) => Promise<readonly Change[]>,
  ids: Iterable<string>,
  signal: AbortSignal,
): Promise<Change[]> {
  const unique = [...new Set(ids)];
  const rows: Change[] = [];
  for (let at = 0; at < unique.length; at += FETCH_BATCH) {
    throwIfAborted(signal);
    rows.push(...(await abortable(fetch(unique.slice(at, at + FETCH_BATCH)), signal)));
  }
  return rows;
}

const isPartial = (change: Change): boolean => change.type === 'update' && change.partial === true;

/** The same changes, with whole rows in place of partial ones, which are read by id. */
export async function completed(
  changes: readonly Change[],
  read: (ids: readonly string[]) => Promise<readonly Change[]>,
): Promise<readonly Change[]> {
  const partial = new Set(changes.filter(isPartial).map(({ recordId }) => recordId));
  if (partial.size === 0) return changes;
  const rows = await read([...partial]);
  return [...changes.filter((change) => !isPartial(change)), ...rows];
}

/** The pages of `keys()`. A list that hangs is given up with `signal`, and is not waited for. */
export async function* readKeys(
  list: AsyncIterable<readonly RecordKey[]>,
  signal: AbortSignal,
): AsyncGenerator<readonly RecordKey[]> {
  const pages = list[asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const page = await abortable(pages.next(), signal);
      throwIfAborted(signal);
      if (page.done) {
        ended = true;
        return;
      }
      yield page.value;
    }
  } finally {
    if (!ended) void pages.return?.().catch(() => undefined);
  }
}
