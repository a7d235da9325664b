import { type OutboxEntry, UNKNOWN } from '../replica-state.js';
import type { Ledger } from './ledger.js';

/**
 * All edits are for another backend than they were made for: none was ever on its way there. Where the old one had no row
 * (any more), no other client can have changed or deleted it in the new one, so the first edit makes one.
 */
export function bringAlong({ held, pending, keepHeld, setPending }: Ledger): void {
  const brought = (entry: OutboxEntry): OutboxEntry => ({
    ...entry,
    sent: false,
    attempts: 0,
    mayHaveArrived: entry.mayHaveArrived || entry.sent,
  });
  // They are compared with the rows of this backend once their author is back.
  for (const entry of held.values()) keepHeld({ ...brought(entry), baseVersion: entry.base && UNKNOWN });
  for (const [id, { server: from, entries }] of pending) {
    const { row } = from;
    const moved = entries.map(brought);
    if (!row) Object.assign(moved[0] as OutboxEntry, { base: null, baseVersion: null });
    setPending(id, { row, version: row && UNKNOWN }, moved);
  }
}
