import type { Row } from '../../base/change.js';
import { mayTakeOver } from '../authors.js';
import { threeWay, withField } from '../conflict/merge.js';
import type { EditRules } from '../edits.js';
import type { OutboxEntry } from '../replica-state.js';
import type { Ledger } from './ledger.js';

/** What the app decides about edits that the backend has not taken. */
export function createAside(ledger: Ledger, { user }: Pick<EditRules, 'user'>) {
  const { rows, pending, failed, held, batch, dropEntry, release } = ledger;

  return {
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
      if (!entry || (again && !mayTakeOver(entry, user()))) return undefined;
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
  };
}
