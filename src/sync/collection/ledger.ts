import type { Row, Version } from '../../base/change.js';
import type { SyncLayerError } from '../../base/errors.js';
import { deepEqual } from '../../base/json.js';
import type { Delta } from '../../query/types.js';
import type { Cursor } from '../../transport/transport.js';
import { type BatchHooks, createBatch } from '../batch.js';
import type { Conflict } from '../conflict/merge.js';
import { type OutboxEntry, type Pending, type ServerState, type StoredRow, settledState } from '../replica-state.js';
import { createServerRows } from '../server-rows.js';

/** What a collection tells: once per batch, after memory has changed. */
export interface LedgerHooks extends BatchHooks {
  /** A remote change that altered a visible row. */
  remote(delta: Delta): void;
  conflict(conflict: Conflict, result: Row | null): void;
  operation(what: 'queued' | 'synced' | 'failed', entry: OutboxEntry): void;
  invalid(error: SyncLayerError): void;
  /** There are records in `doubtful` that were not there. */
  doubt(): void;
}

export interface LedgerOptions {
  readonly collection: string;
  /** Rows at the most: see `SyncFilter.limit`. */
  readonly limit: number | undefined;
  readonly hooks: LedgerHooks;
}

export const storedState = (state: ServerState): StoredRow => (state.row ? state : { ...state, at: Date.now() });

/**
 * One collection's rows, versions and unacknowledged edits in memory, and the writes that make them durable. It knows how to keep them
 * consistent; what changes them, and why, is in `replica.ts` and `remote.ts`. No I/O: what must become durable goes to `hooks.write`, in
 * the batch that it belongs to.
 */
export function createLedger({ collection, limit, hooks }: LedgerOptions) {
  /** What the app sees: the server's rows with the local edits on top. */
  const rows = new Map<string, Row>();
  const server = createServerRows(rows, limit);
  const pending = new Map<string, Pending>();
  /** Records whose first edit waits until somebody signs in. */
  const unsigned = new Set<string>();
  const failed = new Map<string, OutboxEntry>();
  const held = new Map<string, OutboxEntry>();
  /** Ids that changed while the backend was asked about them: its answer says nothing about those. */
  const trackers = new Set<Set<string>>();
  const batch = createBatch(hooks);
  const reading: { cursor: Cursor | null; reread: boolean } = { cursor: null, reread: false };

  const saveEntry = (entry: OutboxEntry): void =>
    batch.write({ table: 'outbox', key: [collection, entry.opId], value: entry });
  const dropEntry = ({ opId }: OutboxEntry): void =>
    batch.write({ table: 'outbox', key: [collection, opId], value: undefined });
  const forgetStored = (id: string): void => batch.write({ table: 'rows', key: [collection, id], value: undefined });
  const serverState = (id: string): ServerState => pending.get(id)?.server ?? server.get(id);

  /** Makes `row` what the app sees of this record. Returns the step, or undefined if nothing visible changed. */
  function show(id: string, row: Row | null): Delta | undefined {
    const before = rows.get(id);
    const after = row ?? undefined;
    if (deepEqual(before, after)) return undefined;
    if (after) rows.set(id, after);
    else rows.delete(id);
    const delta: Delta = { id, before, after };
    batch.changed(delta);
    return delta;
  }

  /** Notes what the backend holds. Does not touch what the app sees. */
  function noteServer(id: string, state: ServerState): void {
    for (const tracker of trackers) tracker.add(id);
    server.set(id, state);
    batch.write({ table: 'rows', key: [collection, id], value: storedState(state), checked: true });
  }

  function setPending(id: string, from: ServerState, entries: readonly OutboxEntry[]): void {
    const [head, ...rest] = entries;
    if (head) pending.set(id, { server: from, entries: [head, ...rest] });
    else pending.delete(id);
    if (head?.waiting?.code === 'AUTH_REQUIRED') unsigned.add(id);
    else unsigned.delete(id);
  }

  function amendHead(id: string, { server: from, entries }: Pending, change: Partial<OutboxEntry>): void {
    const [head, ...rest] = entries;
    const amended = { ...head, ...change };
    saveEntry(amended);
    setPending(id, from, [amended, ...rest]);
  }

  /** The record has no edits any more: the app sees the backend's row, if the filter lets it. */
  function release(id: string, state: ServerState): Delta | undefined {
    setPending(id, state, []);
    const settled = settledState(state);
    if (settled !== state) noteServer(id, settled);
    return show(id, settled.row);
  }

  function keepHeld(entry: OutboxEntry): void {
    held.set(entry.opId, entry);
    saveEntry(entry);
  }

  return {
    rows,
    server,
    /** Records with edits that wait or are on their way. Of each the first may be pushed. */
    pending,
    /** Records whose first edit waits until somebody signs in. */
    unsigned,
    /** Rejected edits, by their opId. */
    failed,
    /** Edits of other users, and of before the first one signed in, by their opId: they are no part of what this one sees. */
    held,
    /** Records that must be read by id: what has come of them does not say for certain what the backend holds. */
    doubtful: new Set<string>(),
    /** How far the backend was read. `reread`: all is read again, and a version that is known is taken again. */
    reading,
    collection,
    hooks,
    batch,
    saveEntry,
    dropEntry,
    forgetStored,
    serverState,
    show,
    noteServer,
    setPending,
    amendHead,
    release,
    keepHeld,
    synced: (entry: OutboxEntry): void => batch.tell(() => hooks.operation('synced', entry)),

    version(id: string): Version | null {
      const edits = pending.get(id);
      return edits ? edits.server.version : server.version(id);
    },

    writeCursor(next: Cursor): void {
      reading.cursor = next;
      batch.write({ table: 'meta', key: [collection, 'cursor'], value: next });
    },

    /** Collects the ids that change from now on, until `stop`. */
    track(): { readonly ids: ReadonlySet<string>; stop(): void } {
      const ids = new Set<string>();
      trackers.add(ids);
      return { ids, stop: () => void trackers.delete(ids) };
    },
  };
}

export type Ledger = ReturnType<typeof createLedger>;
