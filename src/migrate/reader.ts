import { type Change, compareVersions } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import { completed, readKeys } from '../transport/read.js';
import type { Endpoint } from './endpoint.js';
import type { State } from './state.js';
import type { Direction } from './wanted.js';
import type { Writer } from './writer.js';

/** So many rows may have vanished at the source, or this share of them; more look like a source that cannot be read. */
const MOST_GONE = 20;
const MOST_GONE_SHARE = 0.1;
/** Live changes held in memory; more are dropped, and pulled. */
const MOST_BUFFERED = 10_000;

export interface ReaderOptions {
  readonly collection: string;
  readonly direction: Direction;
  readonly source: Endpoint;
  readonly writer: Writer;
  readonly state: State;
  readonly pageSize: number;
  readonly signal: AbortSignal;
  readonly allowDeletes: boolean;
  readonly auditInterval: number;
  readonly pollInterval: number;
  /** So many rows more were read, and brought over. */
  readonly onRows: (count: number) => void;
}

/** One collection in one direction: reads the source, in order and without a gap, and has it copied. */
export function createReader(options: ReaderOptions) {
  const { collection, direction, source, state, signal } = options;
  const side = direction.source;
  const { transport } = source;
  /** One thing at a time: what a pull brings and what events bring must not overtake one another. */
  let turn: Promise<unknown> = Promise.resolve();
  let buffer: Change[] = [];
  /** Live changes that were copied. */
  let copied = 0;
  /** Rows that were written, whatever told of them. */
  let written = 0;

  async function copy(changes: readonly Change[], snapshot: number | null = null, anew = false): Promise<number> {
    // What comes while a snapshot is open may lie before the place where it goes on: that it is not seen there again is no delete.
    const open = snapshot ?? state.progress(collection, side).snapshot;
    const count = await options.writer.write(changes, open, anew);
    written += count;
    return count;
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function fetchRows(ids: readonly string[]): Promise<Change[]> {
    const rows = await source.fetch(collection, ids);
    if (!rows) throw new SyncLayerError('UNSUPPORTED', `${transport.name} cannot read single rows.`);
    return rows;
  }

  /**
   * A source that reads as empty may be one whose rights were taken away, or that was restarted without its rows: nobody said
   * that they were deleted.
   */
  function checkGone(snapshot: number): void {
    if (options.allowDeletes) return;
    const gone = state.countUnseen(collection, side, snapshot);
    const all = state.count(collection, side);
    if (gone === 0 || (gone < all && (gone <= MOST_GONE || gone <= all * MOST_GONE_SHARE))) return;
    // What was read of it is no basis for a later read.
    state.setProgress(collection, side, { cursor: null, snapshot: null, whole: false });
    const message = `${gone} of ${all} rows of "${collection}" can no longer be read at the source (${transport.name}). Nothing was deleted. See whether it is the right backend, and whether we may read every row; if they were really deleted, allow it: --allow-deletes, or allowDeletes.`;
    throw new SyncLayerError('VALIDATION_FAILED', message);
  }

  /** The rows that the source had, and has no more. */
  async function removeUnseen(snapshot: number): Promise<number> {
    checkGone(snapshot);
    let count = 0;
    for (const ids of state.unseen(collection, side, snapshot)) {
      const gone = ids.flatMap((recordId): Change[] => {
        const known = state.pair(collection, recordId)[side];
        return known ? [{ type: 'delete', collection, recordId, version: known.version, inferred: true }] : [];
      });
      count += await copy(gone);
    }
    return count;
  }

  /** What was under way when a run ended: the target may have it, and the source may have deleted it since. */
  async function settleSent(ids: readonly string[]): Promise<number> {
    const rows = transport.fetch && ids.length > 0 ? await fetchRows(ids) : [];
    let count = await copy(rows);
    const there = new Set(rows.flatMap(({ type, recordId }) => (type === 'delete' ? [] : [recordId])));
    const gone = ids.filter((id) => !there.has(id) && !state.pair(collection, id)[side]?.row);
    if (gone.length > 0) count += await options.writer.takeBack(gone);
    state.transaction(() => {
      for (const id of ids) state.answered(collection, side, id);
    });
    return count;
  }

  /** Pulls until nothing is new. */
  async function pullAll(within?: AbortSignal): Promise<number> {
    let { cursor, snapshot, whole } = state.progress(collection, side);
    // Such a pull begins with the first row each time.
    if (capabilitiesOf(transport, collection).cursor === 'snapshot') snapshot = null;
    const sent = state.unanswered(collection, side);
    // Only all rows tell whether it still has these.
    if (sent.length > 0 && !transport.fetch) [cursor, snapshot] = [null, null];
    let written = 0;
    for await (const page of source.pages(collection, cursor, options.pageSize, within)) {
      const { changes, cursor: after, snapshot: marked } = page;
      // A pull from the very beginning holds everything, whether the transport says so or not.
      if ((marked || cursor === null) && snapshot === null) snapshot = state.nextSnapshot();
      const ended = changes.length === 0;
      if (!ended) {
        written += await copy(await completed(changes, fetchRows), snapshot);
        options.onRows(changes.length);
      } else if (snapshot !== null) {
        written += await removeUnseen(snapshot);
        snapshot = null;
      }
      if (ended && sent.length > 0) written += await settleSent(sent);
      cursor = after;
      whole ||= ended;
      // Only what the target has acknowledged is behind this mark.
      state.setProgress(collection, side, { cursor, snapshot, whole });
    }
    return written;
  }

  /** Finds what no pull tells: hard deletes, and commits that came later than the overlap. */
  async function compareKeys(within?: AbortSignal): Promise<number> {
    const keys = transport.keys?.bind(transport);
    if (!keys) return 0;
    let pass = 0;
    let unknown: string[] = [];
    // Again from the first page, should one fail: an incomplete list would look like deletes.
    await source.run(`Reading the keys of "${collection}"`, async () => {
      pass = state.nextSnapshot();
      unknown = [];
      for await (const page of readKeys(keys(collection, { signal }), signal)) {
        if (within?.aborted) break;
        state.transaction(() => {
          for (const { recordId, version } of page) {
            const known = state.pair(collection, recordId)[side];
            if (!known || (version !== undefined && compareVersions(version, known.version) > 0))
              unknown.push(recordId);
            if (known) state.see(collection, side, recordId, pass);
          }
        });
      }
    });
    within?.throwIfAborted();
    // Not before: what the target fails with is not the source's fault.
    let count = 0;
    for (let at = 0; transport.fetch && at < unknown.length; at += options.pageSize)
      count += await copy(await fetchRows(unknown.slice(at, at + options.pageSize)), pass);
    return count + (await removeUnseen(pass));
  }

  async function flush(): Promise<number> {
    const changes = buffer;
    buffer = [];
    if (changes.length === 0) return 0;
    const count = await copy(await completed(changes, fetchRows));
    copied += count;
    return count;
  }

  /**
   * All that the source has now; `audit`: also what no pull tells. Resolves with how many rows were written. `within`: ends it before its
   * next page, as a process that is killed would.
   */
  const catchUp = (audit: boolean, within?: AbortSignal): Promise<number> =>
    inTurn(async () => {
      within?.throwIfAborted();
      let written = await pullAll(within);
      const { deletes, cursor } = capabilitiesOf(transport, collection);
      if (audit && (deletes !== 'tombstones' || cursor === 'timestamp')) written += await compareKeys(within);
      return written + (await flush());
    });

  return {
    collection,
    /** Rows written since the start. */
    get written() {
      return written;
    },
    catchUp,
    /** What the target refused before is tried once more. */
    retryRefused: (): Promise<void> =>
      inTurn(async () => {
        for (const changes of state.refusedChanges(collection, side)) {
          // What came since has been copied, or refused in its place.
          const last = changes.filter(
            ({ recordId, version }) => state.pair(collection, recordId)[side]?.version === version,
          );
          await copy(last, null, true);
        }
      }),
    /** Brings these over, whatever comes of the rest. */
    copy: (changes: readonly Change[]): Promise<number> => inTurn(() => copy(changes)),
    /** Brings these rows over as if nothing were known of them. */
    repair: (ids: readonly string[]): Promise<void> =>
      inTurn(async () => {
        if (ids.length === 0) return;
        state.transaction(() => {
          state.renewOpIds();
          for (const id of ids) state.setPair(collection, { recordId: id, from: null, to: null });
        });
        if (transport.fetch) {
          for (let at = 0; at < ids.length; at += options.pageSize)
            await copy(await fetchRows(ids.slice(at, at + options.pageSize)));
          return;
        }
        state.setProgress(collection, side, { cursor: null, snapshot: null, whole: false });
        await pullAll();
      }),
    /** Resolves when nothing is under way. */
    idle: (): Promise<unknown> => turn,

    /** Carries live changes over until it is stopped. `failed` is told of what ends it before. */
    follow(failed: (error: unknown) => void): { stop(): Promise<void>; readonly copied: number } {
      let stopped = false;
      let waiting: ReturnType<typeof setTimeout> | undefined;
      let flushing = false;
      let pulling = false;
      let pullAgain = false;
      const guard = (work: Promise<unknown>): void =>
        void work.catch((error: unknown) => {
          if (!stopped && !signal.aborted) failed(error);
        });
      function pull(audit: boolean): void {
        if (stopped) return;
        if (pulling) {
          pullAgain = true;
          return;
        }
        pulling = true;
        guard(
          catchUp(audit).finally(() => {
            pulling = false;
            if (!pullAgain) return;
            pullAgain = false;
            pull(audit);
          }),
        );
      }
      function take(change: Change): void {
        buffer.push(change);
        if (buffer.length > MOST_BUFFERED) {
          buffer = [];
          pull(false);
        } else if (!flushing) {
          flushing = true;
          guard(
            inTurn(() => {
              flushing = false;
              return flush();
            }),
          );
        }
      }
      const live = capabilitiesOf(transport, collection).live !== false;
      const every = live ? options.auditInterval : options.pollInterval;
      const tick = (): void => {
        waiting = setTimeout(() => {
          if (stopped || signal.aborted) return;
          pull(true);
          tick();
        }, every);
      };
      tick();
      signal.addEventListener('abort', () => clearTimeout(waiting), { once: true });
      const end = live
        ? source.listen(collection, { change: take, live: () => pull(true), gap: () => pull(true) })
        : (): void => undefined;
      if (!live) pull(true);
      return {
        get copied() {
          return copied;
        },
        async stop() {
          stopped = true;
          clearTimeout(waiting);
          end();
          await turn;
        },
      };
    },
  };
}

export type Reader = ReturnType<typeof createReader>;
