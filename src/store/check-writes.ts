import { jsonFault, notJson } from '../base/json-fault.js';
import type { StoreWrite } from './store.js';

/**
 * Throws VALIDATION_FAILED unless every value is plain JSON. Without this a Date or a NaN would come back as itself
 * from one store, as a string or null from another, and a bad value would be found only when half of a batch is done.
 */
export function checkWrites(writes: readonly StoreWrite[]): void {
  for (const { table, key, value, checked } of writes) {
    const fault = checked || value === undefined ? undefined : jsonFault(value);
    if (fault)
      throw notJson(`Nothing was saved: ${table} ${JSON.stringify(key)}${fault}`, {
        adapter: 'store',
        details: { table, key },
      });
  }
}
