import { abort, abortable } from '../base/abort.js';
import type { Change, Row, Version } from '../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { newId } from '../base/id.js';
import { patchBetween } from '../base/patch.js';
import { backoffDelay } from '../transport/backoff.js';
import { delegate, ownTokenFirst } from '../transport/delegate.js';
import { type PullOne, readPages, readRows } from '../transport/read.js';
import type { OutgoingChange, RealtimeTransport } from '../transport/transport.js';
import { sameRow, valuesOf } from '../transport/values.js';

export interface MirrorOptions {
  /** The backend that the app works with: all reads come from it, and its answer is the answer to every write. */
  readonly primary: RealtimeTransport;
  /** The backend that gets the same rows, some time later. */
  readonly secondary: RealtimeTransport;
  /** Records of one collection that may wait for the secondary. With more it is compared whole. Default 1000. */
  readonly limit?: number;
  /** Whether two rows are the same. Default: by value, as far as both backends can keep it (`RealtimeTransport.values`). */
  readonly same?: (primary: Row, secondary: Row) => boolean;
}

/** Where a mirror stands. */
export interface MirrorReport {
  /** Records that wait for the secondary. */
  readonly queued: number;
  /** Collections of which more changed than could wait: they are compared whole. */
  readonly behind: readonly string[];
  /** Rows written to the secondary so far, deletes included. */
  readonly written: number;
  /** What the secondary refused for good, the newest 100: these records differ. */
  readonly refused: readonly { readonly collection: string; readonly recordId: string; readonly reason: string }[];
  /** Why nothing gets through at the moment. */
  readonly problem: string | undefined;
}

export interface Mirror extends RealtimeTransport {
  report(): MirrorReport;
  /**
   * Resolves once nothing waits for the secondary, and these collections have been compared whole: for the start, when
   * nobody knows what an earlier process left behind. Rejects with CLOSED at the end.
   */
  level(collections?: readonly string[]): Promise<void>;
}

/** A record as one of the backends has it. */
interface Held {
  readonly row: Row | null;
  readonly version: Version | null;
}

/** Ids per question, rows per page. */
const BATCH = 100;
const PAGE = 500;
const KEPT = 100;
const ABSENT: Held = { row: null, version: null };

const heldOf = (change: Change): Held =>
  change.type === 'delete' ? ABSENT : { row: { ...change.data, id: change.recordId }, version: change.version };

async function fetched(
  transport: RealtimeTransport,
  collection: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Held>> {
  if (!transport.fetch) return everything(transport, collection, signal);
  const { fetch } = transport;
  const rows = await readRows((some) => fetch.call(transport, collection, some, { signal }), ids, signal);
  return new Map(rows.map((change) => [change.recordId, heldOf(change)]));
}

/** Every row of a collection. */
async function everything(
  transport: RealtimeTransport,
  collection: string,
  signal: AbortSignal,
): Promise<Map<string, Held>> {
  const held = new Map<string, Held>();
  const partial = new Set<string>();
  const pull: PullOne = (cursor, start) => transport.pull({ collection, cursor, start, limit: PAGE, signal });
  for await (const { changes } of readPages(pull, null, signal))
    for (const change of changes) {
      held.set(change.recordId, heldOf(change));
      if (change.type === 'update' && change.partial) partial.add(change.recordId);
      else partial.delete(change.recordId);
    }
  if (partial.size === 0) return held;
  if (!transport.fetch) {
    // Written to the other side, the part would wipe the rest of the row there.
    const message = `${transport.name} gave a part of a row of "${collection}" and has no fetch, so the mirror cannot compare the collection.`;
    throw new SyncLayerError('PROTOCOL_VIOLATION', message, { adapter: transport.name });
  }
  for (const [id, each] of await fetched(transport, collection, [...partial], signal)) held.set(id, each);
  return held;
}

/**
 * Works with one backend and writes to two. The app has the primary and nothing else; whatever the secondary does, or
 * does not, is no error of the app's. What is to be written to it is not the edit but the row: each record that was pushed
 * is marked, and the primary's row of that moment is written over the secondary's, by compare-and-set. So the order in
 * which several clients come does not matter, a repeated write does no harm, and the last one leaves the newest row.
 *
 * The marks are kept in memory, as long as the transport lives, `limit` for each collection. When there are more, the
 * collection is behind (`report().behind`), and once the secondary can be reached all of its rows are compared. What
 * waits when the app is closed is forgotten: `level(collections)` finds it. Each client mirrors its own writes only.
 *
 * @example
 * const transport = mirrorTransport({ primary: websocketTransport({ url }), secondary: supabaseTransport({ url: other, key }) });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 * await transport.level(['todos']); // now both hold the same
 */
export function mirrorTransport({ primary, secondary, limit = 1000, same }: MirrorOptions): Mirror {
  const equal = (collection: string, one: Row, other: Row): boolean =>
    same ? same(one, other) : sameRow(one, other, valuesOf(primary, collection), valuesOf(secondary, collection));
  const marked = new Map<string, Set<string>>();
  const behind = new Set<string>();
  const refused: MirrorReport['refused'][number][] = [];
  const waiters = new Set<{ resolve: () => void; reject: (error: SyncLayerError) => void }>();
  let log: (message: string) => void = () => undefined;
  let written = 0;
  let underWay = 0;
  /** Still behind, until it has been compared to the end. */
  let comparing: string | undefined;
  let failures = 0;
  let problem: string | undefined;
  let linked = false;
  let running: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let work = new AbortController();
  let closed = false;

  function mark(collection: string, ids: Iterable<string>): void {
    const set = marked.get(collection) ?? new Set();
    marked.set(collection, set);
    for (const id of ids) set.add(id);
    if (set.size <= limit) return;
    marked.delete(collection);
    behind.add(collection);
  }

  /** Writes the primary's rows of these ids. Gives those that somebody else wrote meanwhile. */
  async function carry(collection: string, ids: readonly string[], signal: AbortSignal): Promise<string[]> {
    // The secondary first: whoever writes there after this look has a row of the primary that is no older than ours,
    // and the compare-and-set lets only one of us through.
    const there = await fetched(secondary, collection, ids, signal);
    const here = await fetched(primary, collection, ids, signal);
    const changes = ids.flatMap((recordId): OutgoingChange[] => {
      const { row: base, version } = there.get(recordId) ?? ABSENT;
      const { row } = here.get(recordId) ?? ABSENT;
      if (row === base || (row && base && equal(collection, row, base))) return [];
      const change = { collection, recordId, opId: newId(), data: row, base, timestamp: Date.now() };
      const baseVersion = base && version;
      if (!row) return [{ ...change, type: 'delete', baseVersion }];
      if (!base) return [{ ...change, type: 'insert', baseVersion }];
      return [{ ...change, type: 'update', baseVersion, ...patchBetween(base, row) }];
    });
    if (changes.length === 0) return [];
    const results = await abortable(secondary.push(changes, { signal }), signal);
    const again: string[] = [];
    let later: SyncLayerError | undefined;
    for (const [index, { recordId }] of changes.entries()) {
      const result = results[index];
      if (result?.type === 'applied') written += 1;
      else if (result?.type === 'rejected') {
        refused.push({ collection, recordId, reason: result.error.message });
        if (refused.length > KEPT) refused.shift();
        log(`The mirror of "${collection}" refused a row: ${result.error.message}`);
      } else again.push(recordId);
      if (result?.type === 'retry' || result?.type === 'waiting') later = result.error;
    }
    if (later) {
      mark(collection, again);
      throw later;
    }
    return again;
  }

  /** Until nobody is in between, or the caller's patience ends. */
  async function settle(collection: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
    underWay += ids.length;
    let left = ids;
    try {
      for (let round = 0; left.length > 0; round++) {
        if (round === 10) throw new SyncLayerError('CONFLICT', `Others keep writing to the mirror of "${collection}".`);
        left = await carry(collection, left, signal);
      }
    } catch (error) {
      mark(collection, left);
      throw error;
    } finally {
      underWay -= ids.length;
    }
  }

  /** Brings a whole collection level. */
  async function compare(collection: string, signal: AbortSignal): Promise<void> {
    // What overflows from here on asks for another look.
    behind.delete(collection);
    comparing = collection;
    try {
      const there = await everything(secondary, collection, signal);
      const here = await everything(primary, collection, signal);
      const unlike = [...new Set([...there.keys(), ...here.keys()])].filter((id) => {
        const [one, other] = [here.get(id)?.row ?? null, there.get(id)?.row ?? null];
        return one === null || other === null ? one !== other : !equal(collection, one, other);
      });
      for (let from = 0; from < unlike.length; from += BATCH)
        await settle(collection, unlike.slice(from, from + BATCH), signal);
    } catch (error) {
      behind.add(collection);
      throw error;
    } finally {
      comparing = undefined;
    }
  }

  async function drain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [collection, ids] = [...marked].find(([, set]) => set.size > 0) ?? [];
      const [next] = behind;
      if (!ids && next === undefined) return;
      if (!linked && secondary.capabilities.live !== false) await abortable(secondary.connect({ signal }), signal);
      linked = true;
      if (collection !== undefined && ids) {
        const some = [...ids].slice(0, BATCH);
        // Taken out before anything is read: a mark that comes from here on is a new one.
        for (const id of some) ids.delete(id);
        await settle(collection, some, signal);
      } else if (next !== undefined) await compare(next, signal);
      failures = 0;
      problem = undefined;
    }
  }

  function wake(): void {
    if (running || timer !== undefined || closed || work.signal.aborted) return;
    const { signal } = work;
    running = drain(signal)
      .then(
        () => {
          for (const waiter of waiters) waiter.resolve();
          waiters.clear();
        },
        async (thrown: unknown) => {
          if (signal.aborted) return;
          const error = toSyncLayerError(thrown, 'CONNECTION_LOST', 'The mirror could not be written.');
          problem = error.message;
          log(`The secondary of a mirror (${secondary.name}) is behind: ${error.message}`);
          failures += 1;
          linked = false;
          timer = setTimeout(
            () => {
              timer = undefined;
              wake();
            },
            backoffDelay(failures, { base: 1000, max: 60_000 }),
          );
          await Promise.resolve(secondary.disconnect?.()).catch(() => undefined);
        },
      )
      .finally(() => {
        running = undefined;
        // A mark that came after the last look.
        if (behind.size > 0 || [...marked.values()].some((set) => set.size > 0)) wake();
      });
  }

  /** The app wants the network (again). */
  function resume(): void {
    if (work.signal.aborted && !closed) work = new AbortController();
    wake();
  }

  async function halt(): Promise<void> {
    abort(work, new SyncLayerError('CLOSED', 'The mirror was stopped.'));
    clearTimeout(timer);
    timer = undefined;
    linked = false;
    await running;
  }

  return delegate(() => primary, {
    attach(host) {
      primary.attach?.(host);
      log = (message) => host.log('warn', message);
      // What comes of the secondary is no part of an answer that the app waits for.
      const { moved: _, serverTime: _clock, alive: _alive, ...own } = ownTokenFirst(host);
      // Whatever is wrong with the secondary is not the app's problem.
      secondary.attach?.({ ...own, report: ({ message }) => log(message) });
    },
    async connect(options) {
      await primary.connect(options);
      resume();
    },
    async pull(request) {
      const page = await primary.pull(request);
      resume();
      return page;
    },
    async push(changes, options) {
      try {
        return await primary.push(changes, options);
      } finally {
        // Also where the answer was lost, or said no: the row of the primary tells what became of it.
        for (const { collection, recordId } of changes) mark(collection, [recordId]);
        resume();
      }
    },
    async disconnect() {
      await halt();
      await Promise.all([primary.disconnect?.(), Promise.resolve(secondary.disconnect?.()).catch(() => undefined)]);
    },
    async close() {
      closed = true;
      const stopped = halt();
      const error = new SyncLayerError('CLOSED', 'The mirror was closed before both sides were level.');
      for (const { reject } of waiters) reject(error);
      waiters.clear();
      await Promise.all([primary.close(), stopped, secondary.close().catch(() => undefined)]);
    },
    report: (): MirrorReport => ({
      queued: [...marked.values()].reduce((sum, { size }) => sum + size, underWay),
      behind: [...new Set([...behind, ...(comparing === undefined ? [] : [comparing])])],
      written,
      refused: [...refused],
      problem,
    }),
    level: (collections: readonly string[] = []): Promise<void> =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new SyncLayerError('CLOSED', 'This mirror is closed.'));
          return;
        }
        for (const collection of collections) behind.add(collection);
        waiters.add({ resolve, reject });
        resume();
      }),
  } satisfies Partial<RealtimeTransport> & Pick<Mirror, 'report' | 'level'>);
}
