import { SyncLayerError } from '../base/errors.js';
import { checkWrites } from './check-writes.js';
import type { LocalStore, StoreTable } from './store.js';
import { createTurns } from './volatile.js';

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
  const tables = new Map<string, Map<string, unknown>>();
  /** No table's name has a space. */
  const nameOf = (table: StoreTable, collection: string): string => `${table} ${collection}`;
  let isOpen = false;
  const turn = createTurns();

  function assertOpen() {
    if (isOpen) return;
    throw new SyncLayerError('CLOSED', 'The memory store is not open; call open() first.', {
      adapter: 'memory',
    });
  }

  return {
    name: 'memory',
    async open() {
      if (isOpen) {
        throw new SyncLayerError('STORE_FAILED', 'This memory store is open; close it, or create another one.', {
          adapter: 'memory',
          details: { busy: true },
        });
      }
      isOpen = true;
    },
    async *read(table, collection) {
      assertOpen();
      const entries = [...(tables.get(nameOf(table, collection)) ?? [])].map(([id, value]) => ({ id, value }));
      for (let at = 0; at < entries.length; at += PAGE_ROWS) yield entries.slice(at, at + PAGE_ROWS);
    },
    async commit(writes) {
      assertOpen();
      checkWrites(writes);
      for (const { table, key, value } of writes) {
        const [collection, id] = key;
        const name = nameOf(table, collection);
        const entries = tables.get(name) ?? new Map<string, unknown>();
        tables.set(name, entries);
        if (value === undefined) entries.delete(id);
        else entries.set(id, value);
      }
      await turn();
    },
    async clear() {
      assertOpen();
      tables.clear();
    },
    async close() {
      isOpen = false;
    },
  };
}
