import type { Change, Version } from '../../base/change.js';
import { toSyncLayerError } from '../../base/errors.js';
import { deepEqual } from '../../base/json.js';
import type { Cursor } from '../../transport/transport.js';
import type { AnswerRules } from '../answer.js';
import { type After, createIncoming, type IncomingRules } from '../incoming.js';
import { type Pending, type ServerState, UNKNOWN } from '../replica-state.js';
import { type CarryOptions, createCarry } from './carry.js';
import { inWordsOf } from './carry-over.js';
import { createKeyLists } from './key-lists.js';
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
  const { server, pending, batch, hooks, noteServer, setPending, serverState } = ledger;
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
    get cursor(): Cursor | null {
      return ledger.reading.cursor;
    },
    ...createKeyLists(ledger, applyState),
    ...createPushResults(ledger, { carry, respelled, trim, rules: { ...rules, accept, invalid } }),
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
  };
}

export type Remote = ReturnType<typeof createRemote>;
