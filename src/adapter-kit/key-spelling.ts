import { usualSpelling } from '../transport/key-spelling.js';
import type { Change, OutgoingChange } from './kit.js';
import { hasOp } from './own-marks.js';
import { holds } from './postgres-outcome.js';
import { fieldsOf } from './push-fields.js';

/**
 * Finds the row of each change: by its key, or, where the database has written that its own way, by what else shows it. `written`:
 * these rows, and no others, were made by these changes.
 */
export function rowsOf<R extends Change>(
  changes: readonly OutgoingChange[],
  rows: readonly R[],
  written: boolean,
): Map<OutgoingChange, R> {
  const found = new Map<OutgoingChange, R>();
  const free = new Set(rows);
  const take = (matches: (change: OutgoingChange, row: R) => boolean): void => {
    for (const change of changes) {
      if (found.has(change)) continue;
      for (const row of free) {
        if (!matches(change, row)) continue;
        found.set(change, row);
        free.delete(row);
        break;
      }
    }
  };
  const byKey = new Map(rows.map((row) => [row.recordId, row]));
  for (const change of changes) {
    const row = byKey.get(change.recordId);
    if (!row) continue;
    found.set(change, row);
    free.delete(row);
  }
  if (free.size === 0) return found;
  take((change, row) => usualSpelling(change.recordId) === usualSpelling(row.recordId));
  // A trigger made another key of it.
  take((change, row) => change.type === 'insert' && hasOp(row, change));
  if (written)
    take((change, row) => change.type === 'insert' && row.type !== 'delete' && holds(row.data, fieldsOf(change)));
  return found;
}
