import type { Loaded } from '../load.js';
import { bringAlong } from './bring-along.js';
import type { Ledger } from './ledger.js';

/** Takes up what the store held. */
export function restore(ledger: Ledger, loaded: Loaded): void {
  const { rows, server, pending, failed, held, reading, batch, setPending } = ledger;
  reading.cursor = loaded.cursor;
  reading.reread = loaded.reread;
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
  if (loaded.fresh) batch.run(() => bringAlong(ledger));
}
