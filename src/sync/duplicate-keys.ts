import type { Change } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import { deepEqual } from '../base/json.js';
import type { RecordKey } from '../transport/transport.js';

/** Two rows of one page have one key: as one record they would overwrite each other. */
function twice(collection: string, recordId: string): SyncLayerError {
  const what = `Two rows of "${collection}" have the key ${JSON.stringify(recordId)}. Is its key made of several columns?`;
  const fix = 'Give it one unique column as its id; `npx synclayer doctor` shows which.';
  return new SyncLayerError('PROTOCOL_VIOLATION', `${what} ${fix}`, { details: { collection, recordId } });
}

/** Throws PROTOCOL_VIOLATION where a list names a key twice. */
export function checkKeys(collection: string, page: readonly RecordKey[]): void {
  const seen = new Set<string>();
  for (const { recordId } of page) {
    if (seen.has(recordId)) throw twice(collection, recordId);
    seen.add(recordId);
  }
}

/**
 * Throws PROTOCOL_VIOLATION where a page of rows, as they were at one moment, has two rows of one key. The same row twice is one row:
 * an adapter may have asked two questions for the page.
 */
export function checkRows(collection: string, page: readonly Change[]): void {
  const seen = new Map<string, Change>();
  for (const change of page) {
    if (change.type === 'delete' || (change.type === 'update' && change.partial)) continue;
    const other = seen.get(change.recordId);
    seen.set(change.recordId, change);
    if (!other || other.type === 'delete') continue;
    const isSame = other.version === change.version && deepEqual(other.data, change.data);
    if (!isSame) throw twice(collection, change.recordId);
  }
}
