import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { isSyncLayerError, SyncLayerError } from '../base/errors.js';
import { checkWrites } from './check-writes.js';
import type { LocalStore, StoreEntry, StoreTable, StoreWrite } from './store.js';

export interface IndexedDbStoreOptions {
  /** Names the database `synclayer:<name>`. Tabs of one site that use the same name exclude one another. */
  readonly name: string;
}

const TABLES: readonly StoreTable[] = ['rows', 'outbox', 'meta'];
const SCHEMA_VERSION = 1;
/** Decoding a page blocks the tab: this many small rows take some 10 ms, and larger pages read no faster. */
const PAGE_ROWS = 500;

interface Schema extends DBSchema {
  rows: { key: [string, string]; value: unknown };
  outbox: { key: [string, string]; value: unknown };
  meta: { key: [string, string]; value: unknown };
}

type Database = IDBPDatabase<Schema>;

/** Gives the lock back, and settles once another tab can have it. */
type Release = () => Promise<void>;

/** Web Locks end with their page, so a crashed tab blocks nobody. Undefined: another tab or worker has it. */
function takeLock(name: string): Promise<Release | undefined> {
  // Absent on http: pages other than localhost. Two tabs are then not kept apart.
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  if (locks === undefined) return Promise.resolve(async () => {});
  return new Promise((resolve, reject) => {
    const ended: Promise<void> = locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(undefined);
      return new Promise<void>((free) => {
        resolve(() => {
          free();
          return ended;
        });
      });
    });
    ended.catch(reject);
  });
}

/** What holds while the store fails. A reload would lose what only memory has. */
const KEPT =
  'Edits stay in memory and are sent, and the store is tried again: keep the page open until sync.status.pending is 0.';

const nameOf = (error: unknown) => (error as { name?: unknown } | null)?.name;

function remedy(error: unknown): string {
  switch (nameOf(error)) {
    case 'QuotaExceededError':
      return 'The browser allows this site no more space. Free some on the disk or delete data of this site.';
    case 'VersionError':
      return 'It was written by a newer synclayer. Reload the page to get the newer app, or use another name.';
    case 'SecurityError':
    case 'InvalidStateError':
      return 'A private window or blocked site data may be why. Allow site data here, or use the memory store.';
    default:
      return `The browser said: ${error instanceof Error ? error.message : String(error)}.`;
  }
}

async function write(db: Database, writes: readonly StoreWrite[]): Promise<void> {
  // Without `strict` a browser may report success while the data is still in the system's cache.
  const transaction = db.transaction(TABLES, 'readwrite', { durability: 'strict' });
  const requests: Promise<unknown>[] = [transaction.done];
  try {
    for (const { table, key, value } of writes) {
      const store = transaction.objectStore(table);
      requests.push(value === undefined ? store.delete([...key]) : store.put(value, [...key]));
    }
  } catch (error) {
    // What was put so far would be committed otherwise.
    transaction.abort();
    await Promise.allSettled(requests);
    throw error;
  }
  await Promise.all(requests);
}

/**
 * A local store in the browser's IndexedDB, for pages and workers. Commits are `durability: 'strict'`: a save that
 * resolved is on the disk. A browser that runs out of space can delete a whole site's data, unsent edits too, unless
 * the app got `navigator.storage.persist()`.
 *
 * One tab at a time: the second gets STORE_FAILED until the first one closes the store or is closed itself. (Web Locks
 * do that. On an http: page other than localhost there are none, so nothing keeps tabs apart there.)
 *
 * Throws STORE_FAILED when it is open elsewhere, when the browser allows no storage or no more of it, or removed the
 * data; UNSUPPORTED where there is no IndexedDB; CLOSED when used before `open` or after `close`; VALIDATION_FAILED for
 * a value that is not plain JSON.
 *
 * @example
 * const sync = await createSyncLayer({ store: indexedDbStore({ name: 'my-app' }), collections: ['todos'] });
 */
export function indexedDbStore({ name }: IndexedDbStoreOptions): LocalStore {
  const database = `synclayer:${name}`;
  /** Settles once open. Set from the start of open() to the start of close(). */
  let session: Promise<Release> | undefined;
  let connection: Promise<Database> | undefined;
  /** The database was deleted while it was open, and made again; who writes has not been told yet. */
  let emptied = false;

  const failure = (message: string, cause?: unknown, details = {}) =>
    new SyncLayerError('STORE_FAILED', `The IndexedDB store '${name}' ${message}`, {
      adapter: 'indexeddb',
      cause,
      details,
    });

  const failed = (action: string, error: unknown) =>
    error instanceof SyncLayerError
      ? error
      : failure(
          `could not be ${action}. ${remedy(error)} ${action === 'opened' ? 'Then reload the page.' : KEPT}`,
          error,
        );

  const elsewhere = () =>
    failure(
      'is open in another tab, window or worker of this site. Close it there, then open it here again.',
      undefined,
      { busy: true },
    );

  function connect(isFirst: boolean): Promise<Database> {
    const connecting = new Promise<Database>((resolve, reject) => {
      let refused = false;
      openDB<Schema>(database, SCHEMA_VERSION, {
        upgrade(db) {
          for (const table of TABLES) db.createObjectStore(table);
          emptied = !isFirst;
        },
        blocked() {
          refused = true;
          reject(elsewhere());
        },
        // Safari does this to pages in the background, any browser when the site's data is deleted.
        terminated() {
          if (connection === connecting) connection = undefined;
        },
      }).then((db) => {
        if (refused) db.close();
        else resolve(db);
      }, reject);
    });
    return connecting;
  }

  async function begin(): Promise<Release> {
    // Null in some private windows; reading it can even throw.
    if (globalThis.indexedDB == null) {
      throw new SyncLayerError(
        'UNSUPPORTED',
        'There is no IndexedDB here. Use the sqlite store in Node, the memory store elsewhere.',
        { adapter: 'indexeddb' },
      );
    }
    const release = await takeLock(database);
    if (release === undefined) throw elsewhere();
    try {
      connection = connect(true);
      await connection;
      return release;
    } catch (error) {
      connection = undefined;
      await release();
      throw error;
    }
  }

  function assertOpen() {
    if (session !== undefined) return;
    throw new SyncLayerError('CLOSED', 'The IndexedDB store is not open. Call open() before using it.', {
      adapter: 'indexeddb',
    });
  }

  function disconnect() {
    connection?.then(
      (db) => db.close(),
      () => {},
    );
    connection = undefined;
  }

  /** Throws the first time that somebody writes after the database was deleted. */
  function tellEmptied(): void {
    if (!emptied) return;
    emptied = false;
    const message =
      'was deleted while it was open, by the user or the browser. It is made again with all that is in memory.';
    throw failure(message, undefined, { emptied: true });
  }

  async function attempt<T>(action: string, work: (db: Database) => Promise<T>): Promise<T> {
    const once = async () => {
      assertOpen();
      connection ??= connect(false);
      return work(await connection);
    };
    try {
      return await once();
    } catch (error) {
      if (isSyncLayerError(error) && error.details.emptied) throw error;
      // The connection may have died without a word. Whatever is done here can be done twice.
      disconnect();
      return await once().catch((error: unknown) => {
        throw failed(action, error);
      });
    }
  }

  return {
    name: 'indexeddb',
    async open() {
      if (session !== undefined)
        throw failure('is already open. Close it where it is in use, or use another name.', undefined, { busy: true });
      const opening = begin();
      session = opening;
      try {
        await opening;
      } catch (error) {
        if (session === opening) session = undefined;
        throw failed('opened', error);
      }
      assertOpen();
    },
    async *read(table, collection) {
      let after: string | undefined;
      do {
        const from = after === undefined ? [collection] : [collection, after];
        // An array sorts after every string, so this is past the collection's last id.
        const range = IDBKeyRange.bound(from, [collection, []], true);
        const [keys, values] = await attempt('read', (db) => {
          const { store, done } = db.transaction(table);
          // `done` too: nobody else would catch its rejection.
          return Promise.all([store.getAllKeys(range, PAGE_ROWS), store.getAll(range, PAGE_ROWS), done]);
        });
        const page: StoreEntry[] = keys.map(([, id], index) => ({ id, value: values[index] }));
        if (page.length > 0) yield page;
        after = page.length === PAGE_ROWS ? page.at(-1)?.id : undefined;
      } while (after !== undefined);
    },
    async commit(writes) {
      assertOpen();
      checkWrites(writes);
      await attempt('written', async (db) => {
        tellEmptied();
        await write(db, writes);
      });
    },
    async clear() {
      await attempt('cleared', async (db) => {
        const transaction = db.transaction(TABLES, 'readwrite', { durability: 'strict' });
        await Promise.all([...TABLES.map((table) => transaction.objectStore(table).clear()), transaction.done]);
        emptied = false;
      });
    },
    async close() {
      const ending = session;
      session = undefined;
      const release = await ending?.catch(() => undefined);
      disconnect();
      await release?.();
    },
  };
}
