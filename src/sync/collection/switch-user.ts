import { authored, isSent, type UserSwitch } from '../authors.js';
import type { Ledger } from './ledger.js';

/** Edits that another user made go aside; those of this one come back. */
export function switchUser(ledger: Ledger, change: UserSwitch): void {
  const { server, pending, held, saveEntry, setPending, release, keepHeld, show } = ledger;
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
