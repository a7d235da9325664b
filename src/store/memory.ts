import { SyncLayerError } from '../errors.js';
import { checkWrites } from './check-writes.js';
import type { LocalStore, StoreEntry, StoreTable } from './store.js';

const PAGE_ROWS = 2_000;

/**
 * Keeps data for as long as the instance lives: closing and opening it again finds everything, a new one is empty and
 * so is every one after a restart. Values and ids are kept by reference, so that a row costs a map entry and no copy.
 *
 * Throws STORE_FAILED when it is opened twice, CLOSED when it is used before `open` or after `close`, and
 * VALIDATION_FAILED for a value that is not plain JSON.
 *
 * @example
 * const sync = await createSyncLayer({ store: memoryStore(), collections: ['todos'] });
 */
export function memoryStore(): LocalStore {
  const tables: Record<StoreTable, Map<string, Map<string, unknown>>> = {
    rows: new Map(),
    outbox: new Map(),
    meta: new Map(),
  };
  let isOpen = false;

  function assertOpen() {
    if (isOpen) return;
    throw new SyncLayerError('CLOSED', 'The memory store is not open. Call open() before using it.', {
      adapter: 'memory',
    });
  }

  return {
    name: 'memory',
    async open() {
      if (isOpen) {
        throw new SyncLayerError(
          'STORE_FAILED',
          'This memory store is already open. Close it where it is in use, or create another one.',
          { adapter: 'memory' },
        );
      }
      isOpen = true;
    },
    async *read(table, collection) {
      assertOpen();
      let page: StoreEntry[] = [];
      for (const [id, value] of tables[table].get(collection) ?? []) {
        page.push({ id, value });
        if (page.length < PAGE_ROWS) continue;
        yield page;
        page = [];
      }
      if (page.length > 0) yield page;
    },
    async commit(writes) {
      assertOpen();
      checkWrites(writes);
      for (const { table, key, value } of writes) {
        const entries = tables[table].get(key[0]) ?? new Map<string, unknown>();
        tables[table].set(key[0], entries);
        if (value === undefined) entries.delete(key[1]);
        else entries.set(key[1], value);
      }
    },
    async clear() {
      assertOpen();
      for (const collections of Object.values(tables)) collections.clear();
    },
    async close() {
      isOpen = false;
    },
  };
}
