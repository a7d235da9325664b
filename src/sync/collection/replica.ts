import type { Row } from '../../base/change.js';
import { deepEqual } from '../../base/json.js';
import type { Delta } from '../../query/types.js';
import type { StoreWrite } from '../../store/store.js';
import type { UserSwitch } from '../authors.js';
import { type EditRules, joinEdits, makeEdit, openEdit } from '../edits.js';
import type { OutboxEntry, Pending } from '../replica-state.js';
import { createAside } from './aside.js';
import { bringAlong } from './bring-along.js';
import type { Ledger } from './ledger.js';
import { storedOf } from './stored.js';
import { switchUser } from './switch-user.js';

/** What the app does to a collection: its edits, and its users. What the backend does is in `remote.ts`. */
export function createReplica(ledger: Ledger, rules: EditRules) {
  const { rows, server, pending, failed, held, doubtful, reading, batch, hooks } = ledger;
  const { saveEntry, dropEntry, show, setPending, release } = ledger;

  function applyEdit(id: string, next: Row | null): void {
    const current = rows.get(id) ?? null;
    if (deepEqual(current, next)) return;
    const edits = pending.get(id);
    const known = ledger.serverState(id);
    const open = openEdit(edits);
    const earlier = (edits?.entries ?? []).filter((entry) => entry !== open);
    const entry = makeEdit(id, edits, known, current, next, rules);
    if (!entry) {
      if (open) dropEntry(open);
      setPending(id, known, earlier);
      if (earlier.length > 0) show(id, next);
      else release(id, known);
      return;
    }
    batch.tell(() => hooks.operation('queued', entry));
    const [head] = earlier;
    // The backend does not have the edit that waits: this one may be what lets it in, and goes with it.
    if (head?.waiting && !head.sent) {
      for (const old of earlier) dropEntry(old);
      if (deepEqual(next, known.row)) release(id, known);
      else {
        const joined = joinEdits([head, entry], known, next, rules);
        saveEntry(joined);
        setPending(id, known, [joined]);
        show(id, next);
      }
      return;
    }
    saveEntry(entry);
    setPending(id, known, [...earlier, entry]);
    show(id, next);
  }

  return {
    get cursor() {
      return reading.cursor;
    },
    ...createAside(ledger, rules),
    rows: rows as ReadonlyMap<string, Row>,
    pending: pending as ReadonlyMap<string, Pending>,
    unsigned: ledger.unsigned as ReadonlySet<string>,
    failed: failed as ReadonlyMap<string, OutboxEntry>,
    held: held as ReadonlyMap<string, OutboxEntry>,
    stored: (): StoreWrite[] => storedOf(ledger),

    /** Local edits, as one batch: the whole row wanted, or null to delete. Visible at once. */
    edit(edits: readonly (readonly [id: string, next: Row | null])[]): void {
      batch.run(() => {
        for (const [id, next] of edits) applyEdit(id, next);
      });
    },

    /** It is another user, or known for the first time: the edits of others are held until they are back, and those of this one go on. */
    switchUser: (change: UserSwitch): void => batch.run(() => switchUser(ledger, change)),

    /** Another backend answers from now on. Its rows are taken whatever their versions; unsent edits come along. */
    depart(): void {
      batch.run(() => {
        // These versions mean nothing any more, and on the disk they would hide rows of the next backend.
        server.depart().forEach(ledger.forgetStored);
        bringAlong(ledger);
        doubtful.clear();
        this.rereadAll();
      });
    },

    /** Lets go of the backend's rows, in memory and in the store. Edits stay. */
    forgetRows(): void {
      batch.run(() => {
        for (const id of server.ids()) {
          ledger.forgetStored(id);
          if (!pending.has(id)) show(id, null);
        }
        server.clear();
        doubtful.clear();
        for (const [id, { entries }] of pending) setPending(id, { row: null, version: null }, entries);
      });
    },

    /** From the beginning, as whole as another backend's. */
    rereadAll(): void {
      reading.cursor = null;
      reading.reread = true;
    },

    /** All has been read again: from here on a version that is known brings nothing. */
    readAgain(): void {
      reading.reread = false;
    },

    /** Forgets everything in memory; the store is cleared by the caller. */
    reset(): void {
      const deltas = [...rows].map(([id, before]): Delta => ({ id, before, after: undefined }));
      for (const each of [rows, server, pending, ledger.unsigned, failed, held, doubtful]) each.clear();
      reading.cursor = null;
      reading.reread = false;
      if (deltas.length > 0) hooks.changed(deltas);
    },
  };
}

export type Replica = ReturnType<typeof createReplica>;
