import type { Row } from '../base/change.js';
import { deepEqual, getPath } from '../base/json.js';
import type { SyncFilter } from './transport.js';

const keeps = ({ fields, excludeFields }: SyncFilter, field: string): boolean =>
  field === 'id' || (fields ? fields.includes(field) : !excludeFields?.includes(field));

/**
 * True for a row that this client keeps. `timestamp`: when the server changed it, in ms; unknown passes `since`. `part`:
 * the row has only the fields that this client keeps, so a condition on another one says nothing where that is missing.
 */
export function matchesFilter(filter: SyncFilter, row: Row, timestamp: number | undefined, part = false): boolean {
  const { where, since } = filter;
  if (since !== undefined && timestamp !== undefined && timestamp < new Date(since).getTime()) return false;
  return (
    !where ||
    Object.entries(where).every(([path, value]) => {
      const actual = getPath(row, path);
      return deepEqual(actual, value) || (part && actual === undefined && !keeps(filter, path.split('.')[0] ?? ''));
    })
  );
}

/** Only the fields that this client keeps. `id` always stays. */
export function projectRow(filter: SyncFilter, row: Row): Row {
  if (!filter.fields && !filter.excludeFields) return row;
  return Object.fromEntries(Object.entries(row).filter(([field]) => keeps(filter, field)));
}
