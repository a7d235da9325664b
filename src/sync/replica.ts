import type { Change, Row, Version } from '../base/change.js';
import { type SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { deepEqual } from '../base/json.js';
import type { Delta } from '../query/types.js';
import type { StoreWrite } from '../store/store.js';
import type { Cursor, RecordKey } from '../transport/transport.js';
import type { AnswerRules, Verdict } from './answer.js';
import { authored, isSent, mayTakeOver, type UserSwitch } from './authors.js';
import { type BatchHooks, createBatch } from './batch.js';
import { type Conflict, threeWay, withField } from './conflict/merge.js';
import { afterHead, carryOver, type EditRules, inWordsOf, makeEdit, openEdit, withId, withoutHead } from './edits.js';
import { type After, createIncoming, type IncomingRules } from './incoming.js';
import type { Loaded } from './load.js';
import {
  hiddenError,
  type OutboxEntry,
  type Pending,
  type ServerState,
  type StoredRow,
  settledState,
  UNKNOWN,
} from './replica-state.js';
import { createServerRows } from './server-rows.js';

const storedState = (state: ServerState): StoredRow => (state.row ? state : { ...state, at: Date.now() });

/** What the replica tells: once per batch, after memory has changed. */
export interface ReplicaHooks extends BatchHooks {
  /** A remote change that altered a visible row. */
  remote(delta: Delta): void;
  conflict(conflict: Conflict, result: Row | null): void;
  operation(what: 'queued' | 'synced' | 'failed', entry: OutboxEntry): void;
  invalid(error: SyncLayerError): void;
  /** The backend knows a record that was made here by another key. */
  adopted(id: string, storedAs: string): void;
  /** There are records in `doubtful` that were not there. */
  doubt(): void;
}

/** How changes that are applied were read. */
export interface Reading {
  /** They are what the backend holds now, but for these records, which have changed since it was asked. */
  readonly now?: ReadonlySet<string> | undefined;
  /** Gets the ids of what was news. */
  readonly news?: Set<string> | undefined;
}

export interface ReplicaOptions extends EditRules, IncomingRules, Pick<AnswerRules, 'maxRetries'> {
  readonly hooks: ReplicaHooks;
}

/**
 * One collection's rows, versions and unacknowledged edits, in memory. All rules of what a change does to them; no I/O:
 * what must become durable goes to `hooks.write`, in the batch that it belongs to.
 */
export function createReplica(options: ReplicaOptions, loaded: Loaded) {
  const { collection, filter, hooks } = options;
  /** What the app sees: the server's rows with the local edits on top. */
  const rows = new Map<string, Row>();
  const server = createServerRows(rows, filter.limit);
  const pending = new Map<string, Pending>();
  const failed = new Map<string, OutboxEntry>();
  /** Edits of other users, by their opId: they are no part of what this one sees. */
  const held = new Map<string, OutboxEntry>();
  /** Records that are being made, by the id as a backend may write it that has one spelling for each. */
  const respelled = new Map<string, string>();
  /** Ids that changed while the backend was asked about them: its answer says nothing about those. */
  const trackers = new Set<Set<string>>();
  /** Records that must be read by id: what has come of them does not say for certain what the backend holds. */
  const doubtful = new Set<string>();
  let { cursor, reread } = loaded;
  const batch = createBatch(hooks);
  const { tell } = batch;

  const saveEntry = (entry: OutboxEntry): void =>
    batch.write({ table: 'outbox', key: [collection, entry.opId], value: entry });
  const dropEntry = ({ opId }: OutboxEntry): void =>
    batch.write({ table: 'outbox', key: [collection, opId], value: undefined });
  const synced = (entry: OutboxEntry): void => tell(() => hooks.operation('synced', entry));
  const told = (delta: Delta | undefined): void => void (delta && tell(() => hooks.remote(delta)));
  const invalid = (error: SyncLayerError): void => tell(() => hooks.invalid(error));

  const serverState = (id: string): ServerState => pending.get(id)?.server ?? server.get(id);
  const { accept, stateAfter } = createIncoming(options, {
    state: serverState,
    version(id) {
      const edits = pending.get(id);
      return edits ? edits.server.version : server.version(id);
    },
    isEdited: (id) => pending.has(id),
    isReread: () => reread,
  });
  const answerRules: AnswerRules = { ...options, accept, invalid };

  function doubt(id: string): void {
    doubtful.add(id);
    tell(() => doubtful.has(id) && hooks.doubt());
  }

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
  }

  /** The backend knows a record that was made here by another key: there is one row at every moment. */
  function rename(from: string, to: string): void {
    const edits = pending.get(from);
    if (!edits || pending.has(to)) return;
    const entries = edits.entries.map((entry) => withId(entry, to));
    entries.forEach(saveEntry);
    release(from, edits.server);
    setPending(to, server.get(to), entries);
    show(to, entries.at(-1)?.local ?? null);
  }

  /** `rename`, and says so. */
  function adopt(from: string, to: string): void {
    if (!pending.has(from)) return;
    rename(from, to);
    tell(() => hooks.adopted(from, to));
  }

  function keepHeld(entry: OutboxEntry): void {
    held.set(entry.opId, entry);
    saveEntry(entry);
  }

  function amendHead(id: string, { server: from, entries }: Pending, change: Partial<OutboxEntry>): void {
    const [head, ...rest] = entries;
    const amended = { ...head, ...change };
    saveEntry(amended);
    setPending(id, from, [amended, ...rest]);
  }

  /** Nobody edits the record any more: the app sees the backend's row, if the filter lets it. */
  function release(id: string, state: ServerState): Delta | undefined {
    pending.delete(id);
    const settled = settledState(state);
    if (settled !== state) noteServer(id, settled);
    return show(id, settled.row);
  }

  /** Carries all edits of a record over to a newer server state, as one edit; none is left if the server's row wins. */
  function rebaseEdits(id: string, entries: Pending['entries'], state: ServerState): Delta | undefined {
    const { entry, row, conflict } = carryOver(entries, state, options);
    for (const old of entries) dropEntry(old);
    if (entry) {
      setPending(id, state, [entry]);
      saveEntry(entry);
    } else synced(entries.at(-1) ?? entries[0]);
    if (conflict) tell(() => hooks.conflict(conflict, row));
    return entry ? show(id, row) : release(id, state);
  }

  /** The head edit is done: the backend holds `state`, which is `own` if nobody has written since. */
  function finishHead(id: string, edits: Pending, state: ServerState, own: boolean): Delta | undefined {
    const [head, next, ...later] = edits.entries;
    dropEntry(head);
    noteServer(id, state);
    synced(head);
    if (!next) return release(id, state);
    const based = afterHead(head, next, state);
    if (!own || !deepEqual(state.row, head.local)) return rebaseEdits(id, [based, ...later], state);
    setPending(id, state, [based, ...later]);
    saveEntry(based);
    return undefined;
  }

  function applyState(
    id: string,
    state: ServerState,
    { opId, hidden }: { opId?: string | undefined; hidden?: true | undefined } = {},
  ): void {
    let edits = pending.get(id);
    let head = edits?.entries[0];
    // Made on another backend: that this one says null where that one had no field is no change.
    if (edits && state.row && !head?.sent && (edits.server.version === UNKNOWN || head?.mayHaveArrived)) {
      edits = { ...edits, entries: inWordsOf(state.row, edits.entries) };
      [head] = edits.entries;
    }
    const mayBeOurs = head?.mayHaveArrived || (head?.sent && !options.sameCounts());
    const echo = head && ((head.sent && opId === head.opId) || (mayBeOurs && deepEqual(state.row, head.local)));
    if (edits && echo) {
      told(finishHead(id, edits, state, true));
      return;
    }
    noteServer(id, state);
    if (!edits) told(show(id, state.row));
    // The push under way decides who was first: keep both until its answer.
    // The answer to a push decides, too, what becomes of edits of a row that is out of sight.
    else if (head?.sent || hidden) setPending(id, state, edits.entries);
    else told(rebaseEdits(id, edits.entries, state));
  }

  /** Applies one change. Returns its id if it is partial and the row must be fetched. */
  function applyChange(change: Change, { now, news }: Reading): string | undefined {
    const made = change.type === 'delete' ? undefined : respelled.get(change.recordId);
    if (made !== undefined && serverState(change.recordId).version === null) adopt(made, change.recordId);
    let state: After;
    try {
      state = stateAfter(change, now && !now.has(change.recordId));
    } catch (error) {
      const message = `Record ${JSON.stringify(change.recordId)} of "${collection}" could not be read; it was skipped.`;
      invalid(toSyncLayerError(error, 'VALIDATION_FAILED', message));
      return undefined;
    }
    const { recordId, metadata } = change;
    if (state === 'partial') return recordId;
    if (state === 'doubtful') doubt(recordId);
    else if (state) {
      if (state.row && !pending.has(recordId)) news?.add(recordId);
      applyState(recordId, state, {
        opId: metadata?.opId,
        hidden: change.type === 'delete' ? change.hidden : undefined,
      });
    }
    return undefined;
  }

  function applyEdit(id: string, next: Row | null): void {
    const current = rows.get(id) ?? null;
    if (deepEqual(current, next)) return;
    const edits = pending.get(id);
    const known = serverState(id);
    const open = openEdit(edits);
    const earlier = (edits?.entries ?? []).filter((entry) => entry !== open);
    const entry = makeEdit(id, edits, known, current, next, options);
    if (entry) {
      saveEntry(entry);
      setPending(id, known, [...earlier, entry]);
      tell(() => hooks.operation('queued', entry));
      const [head] = earlier;
      // The backend does not have the edit that waits: this one may be what lets it in, and goes with it.
      if (head?.waiting && !head.sent) rebaseEdits(id, [head, entry], known);
      else show(id, next);
    } else {
      if (open) dropEntry(open);
      setPending(id, known, earlier);
      if (earlier.length > 0) show(id, next);
      else release(id, known);
    }
  }

  /** Something else has to be there first. */
  function hold(id: string, edits: Pending, error: SyncLayerError): void {
    const { code, message } = error;
    if (edits.entries[1]) rebaseEdits(id, edits.entries, edits.server);
    else amendHead(id, edits, { sent: false, waiting: { code, message } });
  }

  function refuse(id: string, edits: Pending, { code, message }: SyncLayerError): void {
    const [head, next, ...later] = edits.entries;
    const aside = { ...head, failed: { code, message } };
    failed.set(aside.opId, aside);
    saveEntry(aside);
    if (next) rebaseEdits(id, [withoutHead(head, next), ...later], edits.server);
    else release(id, edits.server);
    tell(() => hooks.operation('failed', aside));
  }

  /** All edits of a row that this user may no longer see, as one: they are for when it is visible again. */
  function setAside(id: string, entries: Pending['entries'], state: ServerState): void {
    const [{ base, baseVersion, order }] = entries;
    const tail = entries.at(-1) ?? entries[0];
    for (const old of entries) if (old !== tail) dropEntry(old);
    noteServer(id, state);
    refuse(id, { server: state, entries: [{ ...tail, base, baseVersion, order }] }, hiddenError(collection, id));
  }

  function onAnswer(id: string, edits: Pending, verdict: Verdict): void {
    switch (verdict.type) {
      case 'done':
        told(finishHead(id, edits, verdict.state, verdict.own));
        if (verdict.doubtful) doubt(id);
        break;
      case 'hidden':
        setAside(id, edits.entries, verdict.state);
        break;
      case 'merge':
        noteServer(id, verdict.state);
        told(rebaseEdits(id, edits.entries, verdict.state));
        break;
      case 'again':
        if (verdict.counts) amendHead(id, edits, { attempts: edits.entries[0].attempts + 1 });
        break;
      case 'held':
        hold(id, edits, verdict.error);
        break;
      case 'refused':
        refuse(id, edits, verdict.error);
    }
  }

  /** `SyncFilter.limit`: lets go of the oldest rows that nobody is editing. */
  function trim(): void {
    for (const [id, version] of server.surplus((id) => !pending.has(id))) {
      // Its version stays known, or the next look at all rows would bring it back.
      noteServer(id, { row: null, version, excluded: true });
      show(id, null);
    }
  }

  /**
   * All edits are for another backend than they were made for: none was ever on its way there. Where the old one had no row
   * (any more), nobody can have changed or deleted it in the new one, so the first edit makes one.
   */
  function bringAlong(): void {
    const brought = (entry: OutboxEntry): OutboxEntry => ({
      ...entry,
      sent: false,
      attempts: 0,
      mayHaveArrived: entry.mayHaveArrived || entry.sent,
    });
    // Nobody compares these with the rows of this backend before their author is back.
    for (const entry of held.values()) keepHeld({ ...brought(entry), baseVersion: entry.base && UNKNOWN });
    for (const [id, { server: from, entries }] of pending) {
      const { row } = from;
      const moved = entries.map(brought);
      if (!row) Object.assign(moved[0] as OutboxEntry, { base: null, baseVersion: null });
      setPending(id, { row, version: row && UNKNOWN }, moved);
    }
  }

  for (const [id, state] of loaded.server) {
    server.set(id, state);
    if (state.row) rows.set(id, state.row);
  }
  for (const entry of loaded.entries) {
    const { recordId: id, local } = entry;
    const edits = pending.get(id);
    const known = edits?.server ?? loaded.server.get(id) ?? { row: null, version: null };
    setPending(id, known, [...(edits?.entries ?? []), entry]);
    if (local) rows.set(id, local);
    else rows.delete(id);
  }
  for (const entry of loaded.failed) failed.set(entry.opId, entry);
  for (const entry of loaded.held) held.set(entry.opId, entry);
  if (loaded.fresh) batch.run(bringAlong);

  return {
    rows: rows as ReadonlyMap<string, Row>,
    get cursor(): Cursor | null {
      return cursor;
    },
    /** Records with edits that wait or are on their way. Of each the first may be pushed. */
    pending: pending as ReadonlyMap<string, Pending>,
    /** Refused edits, by their opId. */
    failed: failed as ReadonlyMap<string, OutboxEntry>,
    /** Edits of other users, and of before anybody signed in, by their opId. */
    held: held as ReadonlyMap<string, OutboxEntry>,
    hasServerRows: (): boolean => server.versions.size > 0,
    /** Which version of a record is known; null: none. */
    version: (id: string): Version | null => serverState(id).version,
    believes: options.believes,
    /** Records to be read by id: whoever reads them takes them out. */
    doubtful,

    /**
     * Applies remote changes as one batch, with the cursor if it moves. Returns ids of partial ones to fetch: until that is
     * done the cursor stays, since after a failure or a crash nobody would know that their rows are missing.
     */
    apply(changes: readonly Change[], next?: Cursor, reading: Reading = {}): string[] {
      const partial: string[] = [];
      batch.run(() => {
        for (const change of changes) {
          const id = applyChange(change, reading);
          if (id !== undefined) partial.push(id);
        }
        if (next !== undefined && partial.length === 0) {
          cursor = next;
          batch.write({ table: 'meta', key: [collection, 'cursor'], value: next });
        }
        trim();
      });
      return partial;
    },

    /** Another backend answers from now on. Its rows are taken whatever their versions; unsent edits come along. */
    depart(): void {
      batch.run(() => {
        // Nobody knows these versions any more, and on the disk they would hide rows of the next one.
        for (const id of server.depart()) batch.write({ table: 'rows', key: [collection, id], value: undefined });
        bringAlong();
        doubtful.clear();
        cursor = null;
        reread = true;
      });
    },

    /** It is another user, or known for the first time: the edits of others are held until they are back, and those of this one go on. */
    switchUser(change: UserSwitch): void {
      batch.run(() => {
        for (const [id, { server: from, entries }] of [...pending]) {
          const now = entries.map((entry) => authored(entry, change));
          if (now.every((entry) => isSent(entry, change.next))) {
            now.filter((entry, index) => entry !== entries[index]).forEach(saveEntry);
            setPending(id, from, now);
          } else {
            now.forEach(keepHeld);
            release(id, from);
          }
        }
        for (const entry of [...held.values()].sort((a, b) => a.order - b.order)) {
          const own = authored(entry, change);
          if (!isSent(own, change.next)) continue;
          const { recordId: id, local } = own;
          held.delete(own.opId);
          saveEntry(own);
          const edits = pending.get(id);
          // As after a restart: what it started from is compared with the row as soon as that is read.
          setPending(id, edits?.server ?? server.get(id), [...(edits?.entries ?? []), own]);
          show(id, local);
        }
      });
    },

    /** Gives up edits that are not acknowledged, and those that were refused. Returns how many. */
    giveUp(test: (entry: OutboxEntry) => boolean): number {
      let count = 0;
      const drop = (entry: OutboxEntry): void => {
        dropEntry(entry);
        count += 1;
      };
      batch.run(() => {
        for (const [id, { server: from, entries }] of [...pending]) {
          if (!entries.every(test)) continue;
          entries.forEach(drop);
          release(id, from);
        }
        for (const entry of [...failed.values()].filter(test)) {
          failed.delete(entry.opId);
          drop(entry);
        }
      });
      return count;
    },

    /** Lets go of the backend's rows, in memory and in the store. Edits stay. */
    forgetRows(): void {
      batch.run(() => {
        for (const id of server.ids()) {
          batch.write({ table: 'rows', key: [collection, id], value: undefined });
          if (!pending.has(id)) show(id, null);
        }
        server.clear();
        doubtful.clear();
        for (const [id, { entries }] of pending) setPending(id, { row: null, version: null }, entries);
      });
    },

    /** From the beginning, as whole as another backend's. */
    rereadAll(): void {
      cursor = null;
      reread = true;
    },

    /** All has been read anew: from here on a version that is known brings nothing. */
    readAgain(): void {
      reread = false;
    },

    /** What `work` does to this replica is one commit and one notification. */
    batch: batch.run,

    /** Collects the ids that change from now on, until `stop`. */
    track(): { readonly ids: ReadonlySet<string>; stop(): void } {
      const ids = new Set<string>();
      trackers.add(ids);
      return { ids, stop: () => void trackers.delete(ids) };
    },

    /** Deletes rows that a *complete* list of the backend's keys lacks, but for those that changed meanwhile. */
    removeMissing(exists: { has(id: string): boolean }, touched: ReadonlySet<string>): void {
      batch.run(() => {
        for (const [id, version] of [...server.versions]) {
          if (exists.has(id) || touched.has(id)) continue;
          const edits = pending.get(id);
          // The row never was in this backend, so nobody deleted it there: the edit goes out as an insert.
          if (version === UNKNOWN && edits) amendHead(id, edits, { base: null });
          applyState(id, { row: null, version, inferred: true });
        }
        // A row of our own that was taken and deleted since: the answer to its push, once it comes, is of before that.
        for (const [id, { server: from, entries }] of pending)
          if (entries[0].sent && !from.row && !exists.has(id)) setPending(id, { ...from, inferred: true }, entries);
      });
    },

    present: server.present,

    /** The backend has no tombstones of these any more, nor rows that the filter leaves out. */
    forgetTombstones(ids: Iterable<string>): void {
      batch.run(() => {
        for (const id of ids) {
          const { row, version } = serverState(id);
          if (!row && !pending.has(id)) noteServer(id, { row, version, inferred: true });
        }
      });
    },

    /** Of these keys, those that are missing here, or have another version there. */
    outdated: (keys: ReadonlyMap<string, RecordKey>): string[] =>
      [...keys.values()]
        .filter(({ recordId, version }) => {
          const known = serverState(recordId);
          if (known.version === null || known.inferred || (!known.row && !known.excluded)) return true;
          return version !== undefined && version !== known.version;
        })
        .map(({ recordId }) => recordId),

    /** Local edits, as one batch: the whole row wanted, or null to delete. Visible at once. */
    edit(edits: readonly (readonly [id: string, next: Row | null])[]): void {
      batch.run(() => {
        for (const [id, next] of edits) applyEdit(id, next);
      });
    },

    /** A record that is being made may come from the backend under this key. */
    mayCome: (usual: string, id: string): void => void respelled.set(usual, id),

    /** Freezes the heads of these records: from now on they may have reached the backend. */
    markSent(heads: readonly OutboxEntry[]): void {
      batch.run(() => {
        for (const head of heads) {
          const edits = pending.get(head.recordId);
          if (!edits || edits.entries[0].opId !== head.opId || head.sent) continue;
          amendHead(head.recordId, edits, { sent: true });
        }
      });
    },

    /**
     * What became of a pushed edit, as `verdictOf` finds it. Nothing, if its echo has settled it already. False: the same edit is sent
     * again. `keys`: the backend may know the record by `usual`, and says that it does by `stored`.
     */
    settle(
      id: string,
      opId: string,
      { usual, stored }: { readonly usual: string; readonly stored: string | undefined },
      verdictOf: (edits: Pending, rules: AnswerRules) => Verdict,
    ): boolean {
      const isHere = (each: string): boolean => pending.get(each)?.entries[0].opId === opId;
      let at = [id, usual].find(isHere);
      if (at === undefined) return true;
      batch.run(() => {
        if (stored !== undefined && stored !== at) {
          // What came by the other spelling was another record, after all.
          if (stored === id) rename(at ?? id, id);
          else adopt(at ?? id, stored);
          at = [stored, at].find((each) => each !== undefined && isHere(each));
        }
        respelled.delete(usual);
        const edits = at === undefined ? undefined : pending.get(at);
        if (at !== undefined && edits) onAnswer(at, edits, verdictOf(edits, answerRules));
        trim();
      });
      return !isHere(at);
    },

    /** Takes a refused edit, or one of another user, out of its list and from the store. `again`: to make it as this user. */
    takeAside(opId: string, again: boolean): OutboxEntry | undefined {
      const entry = failed.get(opId) ?? held.get(opId);
      if (!entry || (again && !mayTakeOver(entry, options.user()))) return undefined;
      batch.run(() => {
        failed.delete(opId);
        held.delete(opId);
        dropEntry(entry);
      });
      return entry;
    },

    /** Gives up an edit that waits for something else to be there. False: there is none, or it is on its way. */
    dropWaiting(opId: string): boolean {
      for (const [id, edits] of pending) {
        const [head] = edits.entries;
        if (head.opId !== opId || !head.waiting || head.sent) continue;
        batch.run(() => {
          dropEntry(head);
          release(id, edits.server);
        });
        return true;
      }
      return false;
    },

    /** All that the store should hold, the cursor last: without it what came before is read again. */
    stored(): StoreWrite[] {
      const entries = [
        ...[...pending.values()].flatMap((edits) => edits.entries),
        ...failed.values(),
        ...held.values(),
      ];
      return [
        ...entries.map((entry): StoreWrite => ({ table: 'outbox', key: [collection, entry.opId], value: entry })),
        ...server
          .ids()
          .map((id): StoreWrite => ({ table: 'rows', key: [collection, id], value: storedState(serverState(id)) })),
        { table: 'meta', key: [collection, 'cursor'], value: cursor ?? undefined },
      ];
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
      for (const each of [rows, server, pending, failed, held, doubtful]) each.clear();
      cursor = null;
      reread = false;
      if (deltas.length > 0) hooks.changed(deltas);
    },
  };
}

export type Replica = ReturnType<typeof createReplica>;
