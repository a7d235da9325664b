import type { Row } from '../change.js';
import { deepEqual, getPath } from '../json.js';
import type { SyncFilter } from '../transport/transport.js';

/** True for a row that this client keeps. `timestamp`: when the server changed it, in ms; unknown passes `since`. */
export function matchesFilter(filter: SyncFilter, row: Row, timestamp: number | undefined): boolean {
  const { where, since } = filter;
  if (since !== undefined && timestamp !== undefined && timestamp < new Date(since).getTime()) return false;
  return !where || Object.entries(where).every(([path, value]) => deepEqual(getPath(row, path), value));
}

/** Only the fields that this client keeps. `id` always stays. */
export function projectRow(filter: SyncFilter, row: Row): Row {
  const { fields, excludeFields } = filter;
  if (!fields && !excludeFields) return row;
  const keeps = (field: string) =>
    field === 'id' || (fields ? fields.includes(field) : !excludeFields?.includes(field));
  return Object.fromEntries(Object.entries(row).filter(([field]) => keeps(field)));
}
