import type { SyncLayerError } from '../../base/errors.js';
import { deepEqual } from '../../base/json.js';
import type { Delta } from '../../query/types.js';
import { hiddenError, type Pending, type ServerState } from '../replica-state.js';
import { afterHead, type CarryRules, carryOver, withId, withoutHead } from './carry-over.js';
import type { Ledger } from './ledger.js';

export interface CarryOptions extends CarryRules {
  /** The backend knows a record that was made here by another key. */
  readonly adopted: (id: string, storedAs: string) => void;
}

/** What becomes of a record's edits when the backend's row, or its answer to the first of them, is there. */
export function createCarry(ledger: Ledger, rules: CarryOptions) {
  const { pending, failed, batch, hooks } = ledger;
  const { saveEntry, dropEntry, synced, show, noteServer, setPending, amendHead, release } = ledger;

  /** Carries all edits of a record over to a newer server state, as one edit; none is left if the server's row wins. */
  function rebaseEdits(id: string, entries: Pending['entries'], state: ServerState): Delta | undefined {
    const { entry, row, conflict } = carryOver(entries, state, rules);
    for (const old of entries) dropEntry(old);
    if (entry) {
      setPending(id, state, [entry]);
      saveEntry(entry);
    } else synced(entries.at(-1) ?? entries[0]);
    if (conflict) batch.tell(() => hooks.conflict(conflict, row));
    return entry ? show(id, row) : release(id, state);
  }

  /** The head edit is done: the backend holds `state`, which is `own` if no other client has written since. */
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

  /** Something else has to be there first. */
  function hold(id: string, edits: Pending, { code, message }: SyncLayerError): void {
    if (edits.entries[1]) rebaseEdits(id, edits.entries, edits.server);
    else amendHead(id, edits, { sent: false, waiting: { code, message } });
  }

  /** Returns the step with which the app sees the backend's row again. */
  function reject(id: string, edits: Pending, { code, message }: SyncLayerError): Delta | undefined {
    const [head, next, ...later] = edits.entries;
    const aside = { ...head, failed: { code, message } };
    failed.set(aside.opId, aside);
    saveEntry(aside);
    batch.tell(() => hooks.operation('failed', aside));
    return next ? rebaseEdits(id, [withoutHead(head, next), ...later], edits.server) : release(id, edits.server);
  }

  /** All edits of a row that this user may no longer see, as one: they are for when it is visible again. */
  function setAside(id: string, entries: Pending['entries'], state: ServerState): Delta | undefined {
    const [{ base, baseVersion, order }] = entries;
    const tail = entries.at(-1) ?? entries[0];
    for (const old of entries) if (old !== tail) dropEntry(old);
    noteServer(id, state);
    const error = hiddenError(rules.collection, id);
    return reject(id, { server: state, entries: [{ ...tail, base, baseVersion, order }] }, error);
  }

  /** The backend knows a record that was made here by another key: there is one row at every moment. */
  function rename(from: string, to: string): void {
    const edits = pending.get(from);
    if (!edits || pending.has(to)) return;
    const entries = edits.entries.map((entry) => withId(entry, to));
    entries.forEach(saveEntry);
    release(from, edits.server);
    setPending(to, ledger.server.get(to), entries);
    show(to, entries.at(-1)?.local ?? null);
  }

  return {
    rebaseEdits,
    finishHead,
    hold,
    reject,
    setAside,
    rename,
    /** `rename`, and says so. */
    adopt(from: string, to: string): void {
      if (!pending.has(from)) return;
      rename(from, to);
      batch.tell(() => rules.adopted(from, to));
    },
    told: (delta: Delta | undefined): void => void (delta && batch.tell(() => hooks.remote(delta))),
    doubt(id: string): void {
      ledger.doubtful.add(id);
      batch.tell(() => ledger.doubtful.has(id) && hooks.doubt());
    },
  };
}

export type Carry = ReturnType<typeof createCarry>;
