import type { Row } from '../../base/change.js';
import { deepEqual } from '../../base/json.js';
import type { Delta } from '../../query/types.js';
import type { StoreWrite } from '../../store/store.js';
import { authored, isSent, mayTakeOver, type UserSwitch } from '../authors.js';
import { threeWay, withField } from '../conflict/merge.js';
import { type EditRules, joinEdits, makeEdit, openEdit } from '../edits.js';
import type { OutboxEntry, Pending } from '../replica-state.js';
import type { Ledger } from './ledger.js';

/** What the app does to a collection: its edits, and its users. What the backend does is in `remote.ts`. */
export function createReplica(ledger: Ledger, rules: EditRules) {
  const { rows, server, pending, failed, held, doubtful, reading, batch, hooks } = ledger;
  const { saveEntry, dropEntry, show, setPending, release, keepHeld } = ledger;

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

  /** Edits that another user made go aside; those of this one come back. */
  function switchUser(change: UserSwitch): void {
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
  }

  return {
    rows: rows as ReadonlyMap<string, Row>,
    get cursor() {
      return reading.cursor;
    },
    pending: pending as ReadonlyMap<string, Pending>,
    unsigned: ledger.unsigned as ReadonlySet<string>,
    failed: failed as ReadonlyMap<string, OutboxEntry>,
    held: held as ReadonlyMap<string, OutboxEntry>,
    stored: (): StoreWrite[] => ledger.stored(),

    /** Local edits, as one batch: the whole row wanted, or null to delete. Visible at once. */
    edit(edits: readonly (readonly [id: string, next: Row | null])[]): void {
      batch.run(() => {
        for (const [id, next] of edits) applyEdit(id, next);
      });
    },

    /** It is another user, or known for the first time: the edits of others are held until they are back, and those of this one go on. */
    switchUser: (change: UserSwitch): void => batch.run(() => switchUser(change)),

    /** Another backend answers from now on. Its rows are taken whatever their versions; unsent edits come along. */
    depart(): void {
      batch.run(() => {
        // These versions mean nothing any more, and on the disk they would hide rows of the next backend.
        server.depart().forEach(ledger.forgetStored);
        ledger.bringAlong();
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

    /** Gives up edits that are not acknowledged, and those that were rejected. Returns how many. */
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

    /** Takes a rejected edit, or one of another user, out of its list and from the store. `again`: to make it as this user. */
    takeAside(opId: string, again: boolean): OutboxEntry | undefined {
      const entry = failed.get(opId) ?? held.get(opId);
      if (!entry || (again && !mayTakeOver(entry, rules.user()))) return undefined;
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

    /** The row that a rejected edit leads to now: its changes, on top of the row as it is. */
    redo({ base, local, recordId }: OutboxEntry): Row | null {
      const current = rows.get(recordId);
      if (!local || !current) return local;
      const { merged, fields } = threeWay(base, local, current);
      return fields.reduce((row, field) => withField(row, field, local), merged);
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
