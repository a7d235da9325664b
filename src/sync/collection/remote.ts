import type { Change, Version } from '../../base/change.js';
import { toSyncLayerError } from '../../base/errors.js';
import { deepEqual } from '../../base/json.js';
import type { Cursor, RecordKey } from '../../transport/transport.js';
import type { AnswerRules } from '../answer.js';
import { type After, createIncoming, type IncomingRules } from '../incoming.js';
import { type Pending, type ServerState, UNKNOWN } from '../replica-state.js';
import { type CarryOptions, createCarry } from './carry.js';
import { inWordsOf } from './carry-over.js';
import type { Ledger } from './ledger.js';
import { createPushResults } from './push-result.js';
import { createRespelled } from './respelled.js';

/** How changes that are applied were read. */
export interface Reading {
  /** They are what the backend holds now, but for these records, which have changed since it was asked. */
  readonly now?: ReadonlySet<string> | undefined;
  /** Gets the ids of what was news. */
  readonly news?: Set<string> | undefined;
}

export interface RemoteRules extends CarryOptions, IncomingRules, Pick<AnswerRules, 'maxRetries'> {}

/** What the backend does to a collection: its changes, its lists of keys, and its answers to pushes. */
export function createRemote(ledger: Ledger, rules: RemoteRules) {
  const { collection } = rules;
  const { server, pending, batch, hooks, noteServer, setPending, amendHead, serverState } = ledger;
  const carry = createCarry(ledger, rules);
  const respelled = createRespelled(pending);
  const { accept, stateAfter } = createIncoming(rules, {
    state: serverState,
    version: ledger.version,
    isEdited: (id) => pending.has(id),
    isReread: () => ledger.reading.reread,
  });
  const invalid: AnswerRules['invalid'] = (error) => batch.tell(() => hooks.invalid(error));

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
    const mayBeOurs = head?.mayHaveArrived || (head?.sent && !rules.sameCounts());
    const echo = head && ((head.sent && opId === head.opId) || (mayBeOurs && deepEqual(state.row, head.local)));
    if (edits && echo) {
      carry.told(carry.finishHead(id, edits, state, true));
      return;
    }
    noteServer(id, state);
    if (!edits) carry.told(ledger.show(id, state.row));
    // The push under way decides which of both was first: keep both until its answer. That decides, too, what becomes of edits of a
    // row that is out of sight.
    else if (head?.sent || hidden) setPending(id, state, edits.entries);
    else carry.told(carry.rebaseEdits(id, edits.entries, state));
  }

  /** Applies one change. Returns its id if it is partial and the row must be fetched. */
  function applyChange(change: Change, { now, news }: Reading): string | undefined {
    const { recordId, metadata } = change;
    const made = change.type === 'delete' ? undefined : respelled.of(recordId);
    if (made !== undefined && serverState(recordId).version === null) carry.adopt(made, recordId);
    let state: After;
    try {
      state = stateAfter(change, now && !now.has(recordId));
    } catch (error) {
      const message = `Record ${JSON.stringify(recordId)} of "${collection}" could not be read; it was skipped.`;
      invalid(toSyncLayerError(error, 'VALIDATION_FAILED', message));
      return undefined;
    }
    if (state === 'partial') return recordId;
    if (state === 'doubtful') carry.doubt(recordId);
    else if (state) {
      if (state.row && !pending.has(recordId)) news?.add(recordId);
      const hidden = change.type === 'delete' ? change.hidden : undefined;
      applyState(recordId, state, { opId: metadata?.opId, hidden });
    }
    return undefined;
  }

  /** `SyncFilter.limit`: lets go of the oldest rows that have no edits. */
  function trim(): void {
    for (const [id, version] of server.surplus((id) => !pending.has(id))) {
      // Its version stays known, or the next look at all rows would bring it back.
      noteServer(id, { row: null, version, excluded: true });
      ledger.show(id, null);
    }
  }

  return {
    ...createPushResults(ledger, { carry, respelled, trim, rules: { ...rules, accept, invalid } }),
    get cursor(): Cursor | null {
      return ledger.reading.cursor;
    },
    pending: pending as ReadonlyMap<string, Pending>,
    doubtful: ledger.doubtful,
    version: (id: string): Version | null => serverState(id).version,
    hasServerRows: (): boolean => server.versions.size > 0,
    believes: rules.believes,
    present: server.present,
    track: ledger.track,
    /** What `work` does to this collection is one commit and one notification. */
    batch: batch.run,

    /**
     * Applies remote changes as one batch, with the cursor if it moves. Returns ids of partial ones to fetch: until that is
     * done the cursor stays, since after a failure or a crash it would be unknown that their rows are missing.
     */
    apply(changes: readonly Change[], next?: Cursor, reading: Reading = {}): string[] {
      const partial: string[] = [];
      batch.run(() => {
        for (const change of changes) {
          const id = applyChange(change, reading);
          if (id !== undefined) partial.push(id);
        }
        if (next !== undefined && partial.length === 0) ledger.writeCursor(next);
        trim();
      });
      return partial;
    },

    /** Deletes rows that a *complete* list of the backend's keys lacks, but for those that changed meanwhile. */
    removeMissing(exists: { has(id: string): boolean }, touched: ReadonlySet<string>): void {
      batch.run(() => {
        for (const [id, version] of [...server.versions]) {
          if (exists.has(id) || touched.has(id)) continue;
          const edits = pending.get(id);
          // The row never was in this backend, so it cannot have been deleted there: the edit goes out as an insert.
          if (version === UNKNOWN && edits) amendHead(id, edits, { base: null });
          applyState(id, { row: null, version, inferred: true });
        }
        // A row of our own that was taken and deleted since: the answer to its push, once it comes, is of before that.
        for (const [id, { server: from, entries }] of pending)
          if (entries[0].sent && !from.row && !exists.has(id)) setPending(id, { ...from, inferred: true }, entries);
      });
    },

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
  };
}

export type Remote = ReturnType<typeof createRemote>;
