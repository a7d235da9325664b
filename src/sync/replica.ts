import { type Change, compareVersions, type Row, type Version } from '../change.js';
import { SyncLayerError } from '../errors.js';
import { deepEqual } from '../json.js';
import type { Delta } from '../query/types.js';
import type { LocalStore, StoreWrite } from '../store/store.js';
import type { Cursor, PushResult, RecordKey, SyncFilter } from '../transport/transport.js';
import { matchesFilter, projectRow } from './filter.js';
import { type Conflict, type ConflictResolver, rebase, threeWay, withField } from './merge.js';
import type { OutboxEntry, Pending, ServerState, StoredRow } from './replica-state.js';

/** How long the version of a deleted record is remembered, in ms: a late older event must not bring it back. */
const TOMBSTONE_RETENTION = 7 * 24 * 3_600_000;

/** The version of a row that another backend gave us: older than any that this one can give. */
const UNKNOWN: Version = 0;

/** What the replica tells: once per batch, after memory has changed. */
export interface ReplicaHooks {
  /** Durable soon; in one commit. */
  write(writes: readonly StoreWrite[]): void;
  changed(deltas: readonly Delta[]): void;
  /** A remote change that altered a visible row. */
  remote(delta: Delta, change: Change | undefined): void;
  conflict(conflict: Conflict, result: Row | null): void;
  operation(what: 'queued' | 'synced' | 'failed', entry: OutboxEntry): void;
  invalid(error: SyncLayerError): void;
}

export interface ReplicaOptions {
  readonly collection: string;
  readonly filter: SyncFilter;
  readonly resolve: ConflictResolver;
  /** True: a resolver is asked even where both sides changed a field to the same value (it may have to sum). */
  readonly sameCounts: () => boolean;
  /** The row as the schema wants it; throws VALIDATION_FAILED. */
  readonly parse: (row: Row) => Row;
  readonly maxRetries: number;
  /** Server clock minus device clock, in ms. */
  readonly clockOffset: () => number;
  readonly nextOrder: () => number;
  readonly newId: () => string;
  readonly hooks: ReplicaHooks;
}

/**
 * One collection's rows, versions and unacknowledged edits, in memory. All rules of what a change does to them; no I/O:
 * what must become durable goes to `hooks.write`, in the batch that it belongs to.
 */
export function createReplica(options: ReplicaOptions) {
  const { collection, filter, hooks } = options;
  /** What the app sees: the server's rows with the local edits on top. */
  const rows = new Map<string, Row>();
  /** Versions of the server's live rows. */
  const versions = new Map<string, Version>();
  /** Versions of rows that are gone. */
  const tombstones = new Map<string, { readonly version: Version; readonly inferred?: true }>();
  const pending = new Map<string, Pending>();
  const failed = new Map<string, OutboxEntry>();
  /** Ids that changed while somebody compares key lists: they say nothing about those. */
  const trackers = new Set<Set<string>>();
  let cursor: Cursor | null = null;
  let batch: { writes: StoreWrite[]; deltas: Delta[]; told: (() => void)[] } | undefined;

  /** Runs `work` as one batch: one store commit, one notification. */
  function transact(work: () => void): void {
    if (batch) {
      work();
      return;
    }
    const current = { writes: [] as StoreWrite[], deltas: [] as Delta[], told: [] as (() => void)[] };
    batch = current;
    try {
      work();
    } finally {
      batch = undefined;
      if (current.writes.length > 0) hooks.write(current.writes);
      if (current.deltas.length > 0) hooks.changed(current.deltas);
      for (const event of current.told) event();
    }
  }

  /** Events wait for the end of their batch: a listener that edits must not find a record half changed. */
  const tell = (event: () => void): void => void batch?.told.push(event);

  const write = (table: StoreWrite['table'], id: string, value: unknown): void => {
    batch?.writes.push({ table, key: [collection, id], value });
  };
  const saveEntry = (entry: OutboxEntry): void => write('outbox', entry.opId, entry);
  const dropEntry = (entry: OutboxEntry): void => write('outbox', entry.opId, undefined);

  function serverState(id: string): ServerState {
    const edits = pending.get(id);
    if (edits) return edits.server;
    const tombstone = tombstones.get(id);
    if (tombstone) return { row: null, ...tombstone };
    const version = versions.get(id) ?? null;
    return { row: version === null ? null : (rows.get(id) ?? null), version };
  }

  /** Makes `row` what the app sees of this record. Returns the step, or undefined if nothing visible changed. */
  function show(id: string, row: Row | null): Delta | undefined {
    const before = rows.get(id);
    if (row === null ? before === undefined : before !== undefined && deepEqual(before, row)) return undefined;
    if (row === null) rows.delete(id);
    else rows.set(id, row);
    const delta: Delta = { id, before, after: row ?? undefined };
    batch?.deltas.push(delta);
    return delta;
  }

  /** Notes what the backend holds. Does not touch what the app sees. */
  function noteServer(id: string, state: ServerState): void {
    for (const tracker of trackers) tracker.add(id);
    versions.delete(id);
    tombstones.delete(id);
    if (state.version !== null) {
      const { version, inferred } = state;
      if (state.row) versions.set(id, version);
      else tombstones.set(id, inferred ? { version, inferred } : { version });
    }
    const stored: StoredRow = state.row ? state : { ...state, at: Date.now() };
    write('rows', id, state.version === null && !state.row ? undefined : stored);
  }

  function setPending(id: string, server: ServerState, entries: readonly OutboxEntry[]): void {
    const [head, ...rest] = entries;
    if (head) pending.set(id, { server, entries: [head, ...rest] });
    else pending.delete(id);
  }

  /** Carries all edits of a record over to a newer server state, as one edit; none is left if the server's row wins. */
  function rebaseEdits(id: string, entries: readonly OutboxEntry[], state: ServerState): Delta | undefined {
    const [head, tail] = [entries[0], entries.at(-1)];
    if (!head || !tail) return show(id, state.row);
    const edit = { base: head.base, local: tail.local, timestamp: tail.editedAt + options.clockOffset() };
    const identity = { collection, recordId: id, sameCounts: options.sameCounts() };
    const { row, conflict } = rebase(edit, state, options.resolve, identity);
    for (const entry of entries) dropEntry(entry);
    if (row === state.row || deepEqual(row, state.row)) {
      setPending(id, state, []);
      tell(() => hooks.operation('synced', tail));
    } else {
      const baseVersion = state.row ? state.version : null;
      const next: OutboxEntry = {
        ...tail,
        opId: options.newId(),
        order: head.order,
        base: state.row,
        baseVersion,
        local: row,
        sent: false,
        attempts: 0,
      };
      setPending(id, state, [next]);
      saveEntry(next);
    }
    if (conflict) tell(() => hooks.conflict(conflict, row));
    return show(id, row);
  }

  /** The head edit is done: the backend holds `state`, which is `own` if nobody has written since. */
  function finishHead(id: string, edits: Pending, state: ServerState, own: boolean): Delta | undefined {
    const [head, next] = edits.entries;
    dropEntry(head);
    noteServer(id, state);
    tell(() => hooks.operation('synced', head));
    if (!next) {
      pending.delete(id);
      return show(id, state.row);
    }
    const based: OutboxEntry = { ...next, base: head.local, baseVersion: head.local ? state.version : null };
    if (!own || !deepEqual(state.row, head.local)) return rebaseEdits(id, [based], state);
    setPending(id, state, [based]);
    saveEntry(based);
    return undefined;
  }

  /** A backend's row as this client keeps it; null if the filter leaves it out. Throws VALIDATION_FAILED. */
  function accept(id: string, data: Row, timestamp: number | undefined): Row | null {
    // `__proto__` as an own key comes from JSON.parse; assigning it anywhere later would set a prototype.
    if (Object.hasOwn(data, '__proto__')) {
      const message = `Record ${id} of "${collection}" has a field named __proto__; it was not stored. Rename the field at its source.`;
      throw new SyncLayerError('VALIDATION_FAILED', message, { details: { collection, recordId: id } });
    }
    const whole = data.id === id ? data : { ...data, id };
    return matchesFilter(filter, whole, timestamp) ? options.parse(projectRow(filter, whole)) : null;
  }

  function isStale(id: string, version: Version): boolean {
    const known = serverState(id);
    if (known.version === null) return false;
    const order = compareVersions(version, known.version);
    return order < 0 || (order === 0 && !known.inferred);
  }

  function applyState(id: string, state: ServerState, change: Change | undefined): void {
    const edits = pending.get(id);
    const head = edits?.entries[0];
    const echo =
      head?.sent &&
      (change?.metadata?.opId === head.opId || (!options.sameCounts() && deepEqual(state.row, head.local)));
    let delta: Delta | undefined;
    if (edits && echo) delta = finishHead(id, edits, state, true);
    else {
      noteServer(id, state);
      if (!edits) delta = show(id, state.row);
      // The push under way decides who was first: keep both until its answer.
      else if (head?.sent) setPending(id, state, edits.entries);
      else delta = rebaseEdits(id, edits.entries, state);
    }
    if (delta) tell(() => hooks.remote(delta, change));
  }

  /** Applies one change. Returns its id if it is partial and the row must be fetched. */
  function applyChange(change: Change): string | undefined {
    const id = change.recordId;
    if (isStale(id, change.version)) return undefined;
    try {
      let row: Row | null = null;
      if (change.type !== 'delete') {
        let data = change.data;
        if (change.type === 'update' && change.partial) {
          const known = serverState(id);
          if (!known.row || change.baseVersion === undefined || change.baseVersion !== known.version) return id;
          data = { ...known.row, ...data };
        }
        row = accept(id, data, change.timestamp);
      }
      applyState(id, { row, version: change.version, timestamp: change.timestamp }, change);
    } catch (error) {
      if (!(error instanceof SyncLayerError)) throw error;
      tell(() => hooks.invalid(error));
    }
    return undefined;
  }

  function applyEdit(id: string, next: Row | null): void {
    const current = rows.get(id) ?? null;
    if (current === next || (current && next && deepEqual(current, next))) return;
    const edits = pending.get(id);
    const server = serverState(id);
    const tail = edits?.entries.at(-1);
    const open = tail && !tail.sent ? tail : undefined;
    const earlier = open ? (edits?.entries.slice(0, -1) ?? []) : (edits?.entries ?? []);
    if (open && deepEqual(open.base, next)) {
      dropEntry(open);
      setPending(id, server, earlier);
    } else {
      const editedAt = Date.now();
      const entry: OutboxEntry = open
        ? { ...open, local: next, editedAt }
        : {
            opId: options.newId(),
            collection,
            recordId: id,
            order: options.nextOrder(),
            base: current,
            // After a sent edit the version is known only once that is acknowledged.
            baseVersion: current && !tail ? server.version : null,
            local: next,
            editedAt,
            sent: false,
            attempts: 0,
          };
      saveEntry(entry);
      setPending(id, server, [...earlier, entry]);
      tell(() => hooks.operation('queued', entry));
    }
    show(id, next);
  }

  /** `SyncFilter.limit`: lets go of the oldest rows that nobody is editing. */
  function trim(): void {
    const excess = filter.limit === undefined ? 0 : versions.size - filter.limit;
    if (excess <= 0) return;
    const oldest = [...versions].filter(([id]) => !pending.has(id)).sort(([, a], [, b]) => compareVersions(a, b));
    for (const [id] of oldest.slice(0, excess)) {
      versions.delete(id);
      write('rows', id, undefined);
      show(id, null);
    }
  }

  return {
    rows: rows as ReadonlyMap<string, Row>,
    get cursor(): Cursor | null {
      return cursor;
    },
    /** Edits waiting or on their way, oldest first. */
    entries: (): OutboxEntry[] => [...pending.values()].flatMap(({ entries }) => entries),
    /** The first edit of each record: the one that may be pushed. */
    heads: (): OutboxEntry[] => [...pending.values()].map(({ entries }) => entries[0]),
    head: (id: string): OutboxEntry | undefined => pending.get(id)?.entries[0],
    failedEntries: (): OutboxEntry[] => [...failed.values()],
    pendingCount: (): number => pending.size,
    hasServerRows: (): boolean => versions.size > 0,

    /**
     * Reads the collection back. `rewind`: the cursor is not used (the filter has changed). `fresh`: the stored versions and cursor belong to another backend; rows and unsent
     * edits are kept, and compared with the new backend's as they come.
     */
    async load(store: LocalStore, { fresh, rewind }: { fresh: boolean; rewind: boolean }): Promise<void> {
      const server = new Map<string, ServerState>();
      for await (const page of store.read('rows', collection)) {
        for (const { id, value } of page) {
          const stored = value as StoredRow;
          const expired = !stored.row && Date.now() - (stored.at ?? 0) > TOMBSTONE_RETENTION;
          if (expired || (fresh && !stored.row))
            hooks.write([{ table: 'rows', key: [collection, id], value: undefined }]);
          else server.set(id, fresh ? { row: stored.row, version: UNKNOWN } : stored);
        }
      }
      for (const [id, { row, version, inferred }] of server) {
        if (row) rows.set(id, row);
        if (version === null) continue;
        if (row) versions.set(id, version);
        else tombstones.set(id, inferred ? { version, inferred } : { version });
      }
      const entries: OutboxEntry[] = [];
      for await (const page of store.read('outbox', collection))
        for (const { value } of page) entries.push(value as OutboxEntry);
      for (const stored of entries.sort((a, b) => a.order - b.order)) {
        if (stored.failed) {
          failed.set(stored.opId, stored);
          continue;
        }
        const entry = fresh ? { ...stored, sent: false } : stored;
        const { recordId: id, local } = entry;
        setPending(id, server.get(id) ?? { row: null, version: null }, [...(pending.get(id)?.entries ?? []), entry]);
        if (local) rows.set(id, local);
        else rows.delete(id);
      }
      if (rewind) return;
      for await (const page of store.read('meta', collection))
        for (const { id, value } of page) if (id === 'cursor') cursor = value as Cursor;
    },

    /**
     * Applies remote changes as one batch, with the cursor if it moves. Returns ids of partial ones to fetch: until that is
     * done the cursor stays, since after a failure or a crash nobody would know that their rows are missing.
     */
    apply(changes: readonly Change[], next?: Cursor): string[] {
      const partial: string[] = [];
      transact(() => {
        for (const change of changes) {
          const id = applyChange(change);
          if (id !== undefined) partial.push(id);
        }
        if (next !== undefined && partial.length === 0) {
          cursor = next;
          write('meta', 'cursor', next);
        }
        trim();
      });
      return partial;
    },

    /** What `work` does to this replica is one commit and one notification. */
    batch: transact,

    /** Collects the ids that change from now on, until `stop`. */
    track(): { readonly ids: ReadonlySet<string>; stop(): void } {
      const ids = new Set<string>();
      trackers.add(ids);
      return { ids, stop: () => void trackers.delete(ids) };
    },

    /** Deletes rows that a *complete* list of the backend's keys lacks, but for those that changed meanwhile. */
    removeMissing(exists: { has(id: string): boolean }, touched: ReadonlySet<string>): void {
      transact(() => {
        for (const [id, version] of [...versions]) {
          if (exists.has(id) || touched.has(id)) continue;
          const edits = pending.get(id);
          // The row never was in this backend, so nobody deleted it there: the edit goes out as an insert.
          if (version === UNKNOWN && edits)
            setPending(id, edits.server, [{ ...edits.entries[0], base: null }, ...edits.entries.slice(1)]);
          applyState(id, { row: null, version, inferred: true }, undefined);
        }
      });
    },

    /** Of these keys, those that are missing here or newer there. */
    outdated: (keys: ReadonlyMap<string, RecordKey>): string[] =>
      [...keys.values()]
        .filter(({ recordId, version }) => {
          const known = serverState(recordId);
          if (known.version === null || known.inferred) return true;
          return version !== undefined && compareVersions(version, known.version) > 0;
        })
        .map(({ recordId }) => recordId),

    /** Local edits, as one batch: the whole row wanted, or null to delete. Visible at once. */
    edit(edits: readonly (readonly [id: string, next: Row | null])[]): void {
      transact(() => {
        for (const [id, next] of edits) applyEdit(id, next);
      });
    },

    /** Freezes the heads of these records: from now on they may have reached the backend. */
    markSent(heads: readonly OutboxEntry[]): void {
      transact(() => {
        for (const head of heads) {
          const edits = pending.get(head.recordId);
          if (!edits || edits.entries[0].opId !== head.opId || head.sent) continue;
          const sent = { ...edits.entries[0], sent: true };
          saveEntry(sent);
          setPending(head.recordId, edits.server, [sent, ...edits.entries.slice(1)]);
        }
      });
    },

    /** What became of a pushed edit. Nothing, if its echo has settled it already. */
    settle(id: string, opId: string, result: PushResult): void {
      const edits = pending.get(id);
      if (edits?.entries[0].opId !== opId) return;
      const [head, ...rest] = edits.entries;
      const newest = (state: ServerState): ServerState =>
        edits.server.version !== null &&
        state.version !== null &&
        compareVersions(edits.server.version, state.version) > 0
          ? edits.server
          : state;
      const accepted = (data: Row | null, timestamp: number | undefined): Row | null => {
        try {
          return data && accept(id, data, timestamp);
        } catch (error) {
          if (!(error instanceof SyncLayerError)) throw error;
          tell(() => hooks.invalid(error));
          return head.local;
        }
      };
      transact(() => {
        if (result.type === 'applied') {
          const { version, timestamp } = result;
          const row = accepted(result.data && head.local ? result.data : head.local, timestamp);
          const state = newest({ row, version, timestamp });
          const delta = finishHead(id, edits, state, state !== edits.server);
          if (delta) tell(() => hooks.remote(delta, undefined));
        } else if (result.type === 'conflict') {
          const { version, timestamp } = result.current;
          const state = newest({ row: accepted(result.current.data, timestamp), version, timestamp });
          // A backend that does not know opIds answers so when our own push came through and its answer was lost.
          if (!options.sameCounts() && deepEqual(state.row, head.local)) {
            finishHead(id, edits, state, true);
            return;
          }
          noteServer(id, state);
          const delta = rebaseEdits(id, edits.entries, state);
          if (delta) tell(() => hooks.remote(delta, undefined));
        } else if (result.type === 'retry' && head.attempts < options.maxRetries) {
          const again = { ...head, attempts: head.attempts + 1 };
          saveEntry(again);
          setPending(id, edits.server, [again, ...rest]);
        } else {
          const aside = { ...head, failed: { code: result.error.code, message: result.error.message } };
          failed.set(aside.opId, aside);
          saveEntry(aside);
          const [next] = rest;
          if (next) {
            const based = { ...next, base: head.base, baseVersion: head.baseVersion };
            saveEntry(based);
            rebaseEdits(id, [based], edits.server);
          } else {
            pending.delete(id);
            show(id, edits.server.row);
          }
          tell(() => hooks.operation('failed', aside));
        }
        trim();
      });
    },

    /** Takes a refused edit back out of the list, and from the store. */
    takeFailed(opId: string): OutboxEntry | undefined {
      const entry = failed.get(opId);
      if (entry)
        transact(() => {
          failed.delete(opId);
          dropEntry(entry);
        });
      return entry;
    },

    /** The row that a refused edit leads to now: its changes, on top of the row as it is. */
    redo({ base, local, recordId }: OutboxEntry): Row | null {
      const current = rows.get(recordId);
      if (!local || !current) return local;
      const { merged, fields } = threeWay(base, local, current);
      return fields.reduce((row, field) => withField(row, field, local), merged);
    },

    /** Forgets everything in memory; the store is cleared by the caller. */
    reset(): void {
      const deltas = [...rows].map(([id, before]): Delta => ({ id, before, after: undefined }));
      for (const map of [rows, versions, tombstones, pending, failed]) map.clear();
      cursor = null;
      if (deltas.length > 0) hooks.changed(deltas);
    },
  };
}

export type Replica = ReturnType<typeof createReplica>;
