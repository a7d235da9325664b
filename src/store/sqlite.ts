import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SyncLayerError } from '../base/errors.js';
import { checkWrites } from './check-writes.js';
import type { LocalStore, StoreEntry, StoreTable, StoreWrite } from './store.js';

export interface SqliteStoreOptions {
  /** The database file, in a folder that exists. `':memory:'` keeps it off the disk, and loses it at close. */
  readonly path: string;
  /**
   * `full` (default): each commit waits for the disk, so a save that resolved survives a power loss. `normal`: several
   * times faster; it survives a crash of the process, but a power loss or a crash of the system can undo the last
   * commits. The file stays consistent either way.
   */
  readonly synchronous?: 'full' | 'normal';
}

const TABLES: readonly StoreTable[] = ['rows', 'outbox', 'meta'];
const SCHEMA_VERSION = 1;
/** 'SyLr': tells our files from those of other programs. */
const APPLICATION_ID = 0x53794c72;

/** One page of a read is parsed in one go: these two bound how long that blocks the event loop. */
const PAGE_ROWS = 2_000;
const PAGE_CHARS = 2_000_000;

/** SQLite's primary result codes, with what a user can do about them. */
const remedies: Readonly<Record<number, string>> = {
  5: 'It is open elsewhere, in this process or in another one. Close it there, or use another path.',
  8: 'It is read-only. Let this process write to the file and to its folder.',
  10: 'The disk reported an error. Check the disk and free space.',
  11: 'It is damaged. Restore it from a backup, or move it away: synced data is fetched again, unsent edits are lost.',
  13: 'The disk is full. Free some space.',
  14: 'It cannot be opened. Create its folder first, and let this process write there.',
  26: 'It is not a SQLite database, or is damaged. Restore it from a backup, or use another path.',
};

const BUSY = 5;
const CORRUPT = 11;
/** Two that open a file at the same moment can both be refused: each tries again a few times, at random moments. */
const OPEN_TRIES = 8;
const OPEN_RETRY_MS = 40;

const resultCode = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) & 0xff;

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * node:sqlite cuts a text off at its first NUL, and UTF-8 has no lone surrogates: such ids are stored as JSON strings.
 * So is the empty id, because a page is asked for with `id > ''`.
 */
const encode = (id: string) => (/^$|^"|\0/.test(id) || !id.isWellFormed() ? JSON.stringify(id) : id);
const decode = (text: string): string => (text.startsWith('"') ? JSON.parse(text) : text);

interface Statements {
  readonly put: StatementSync;
  readonly remove: StatementSync;
  readonly page: StatementSync;
}

interface Connection {
  readonly db: DatabaseSync;
  readonly statements: Record<StoreTable, Statements>;
}

function transaction(db: DatabaseSync, work: () => void) {
  db.exec('BEGIN IMMEDIATE');
  try {
    work();
    db.exec('COMMIT');
  } catch (error) {
    // After some failures, such as a full disk, SQLite has rolled back by itself.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

const pragma = (db: DatabaseSync, name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];

/** Makes a new file ours. Returns what is wrong with one that this code must leave alone. */
function prepareFile(db: DatabaseSync): string | undefined {
  if (db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() !== undefined) {
    const version = Number(pragma(db, 'user_version'));
    if (pragma(db, 'application_id') !== APPLICATION_ID) return 'It belongs to another program. Use another path.';
    if (version <= SCHEMA_VERSION) return undefined;
    return (
      `It was written by a newer synclayer (format ${version}; this one knows ${SCHEMA_VERSION}). ` +
      'Update the synclayer package, or use another path.'
    );
  }
  // Without rowid the key is the tree itself: one page to write where there would be two.
  for (const table of TABLES) {
    db.exec(
      `CREATE TABLE ${table} (collection TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL,
       PRIMARY KEY (collection, id)) STRICT, WITHOUT ROWID`,
    );
  }
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
  return undefined;
}

const prepareStatements = (db: DatabaseSync, table: StoreTable): Statements => ({
  put: db.prepare(
    `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT (collection, id) DO UPDATE SET value = excluded.value`,
  ),
  remove: db.prepare(`DELETE FROM ${table} WHERE collection = ? AND id = ?`),
  page: db.prepare(`SELECT id, value FROM ${table} WHERE collection = ? AND id > ? ORDER BY id LIMIT ${PAGE_ROWS}`),
});

/**
 * A local store in one SQLite file, with Node's own `node:sqlite`: nothing to install. Node 22 prints an
 * ExperimentalWarning when it is first used; `node --disable-warning=ExperimentalWarning` turns that off.
 *
 * The file belongs to one store at a time. Beside it there is `<path>-wal` while it is open, and after a crash: keep
 * the two together. Copy them only after `close()`.
 *
 * Throws STORE_FAILED when the file is open elsewhere, damaged, another program's, of a newer version, or cannot be
 * written; UNSUPPORTED where there is no `node:sqlite`; CLOSED when used before `open` or after `close`;
 * VALIDATION_FAILED for a value that is not plain JSON.
 *
 * @example
 * const sync = await createSyncLayer({ store: sqliteStore({ path: 'app.db' }), collections: ['todos'] });
 */
export function sqliteStore({ path, synchronous = 'full' }: SqliteStoreOptions): LocalStore {
  /** Settles once open. Set from the start of open() to the start of close(). */
  let session: Promise<Connection> | undefined;
  let connection: Connection | undefined;

  const failure = (problem: string, cause?: unknown, isBusy = false) =>
    new SyncLayerError('STORE_FAILED', `The SQLite store ${path} ${problem}`, {
      adapter: 'sqlite',
      cause,
      details: isBusy ? { busy: true } : {},
    });

  /** Runs `work`, turning what SQLite throws into an error that says what to do. */
  function attempt<T>(action: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof SyncLayerError) throw error;
      const code = error instanceof SyntaxError ? CORRUPT : resultCode(error);
      throw failure(`could not be ${action}. ${remedies[code] ?? (error as Error).message}`, error, code === BUSY);
    }
  }

  function connect(db: DatabaseSync): Connection {
    // Exclusive before the first access: the file stays locked until close, and WAL needs no shared memory.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    // A write transaction takes the lock, before anything is read that another process could be changing.
    transaction(db, () => {
      const problem = prepareFile(db);
      if (problem !== undefined) throw failure(`could not be opened. ${problem}`);
    });
    db.exec('PRAGMA journal_mode = WAL');
    // On macOS a plain fsync leaves the data in the drive's cache; elsewhere `fullfsync` does nothing.
    db.exec(
      synchronous === 'full' ? 'PRAGMA synchronous = FULL; PRAGMA fullfsync = ON' : 'PRAGMA synchronous = NORMAL',
    );
    const [rows, outbox, meta] = TABLES.map((table) => prepareStatements(db, table)) as [
      Statements,
      Statements,
      Statements,
    ];
    return { db, statements: { rows, outbox, meta } };
  }

  async function begin(): Promise<Connection> {
    if (path === '') {
      throw new SyncLayerError('CONFIG_INVALID', "The sqlite store needs a path, e.g. { path: 'app.db' }.", {
        adapter: 'sqlite',
      });
    }
    // Not import(): bundlers for browsers fail on a `node:` specifier, even behind a condition.
    const sqlite = globalThis.process?.getBuiltinModule?.('node:sqlite');
    if (sqlite === undefined) {
      throw new SyncLayerError(
        'UNSUPPORTED',
        'The sqlite store needs Node 22.18 or newer, for its built-in node:sqlite. Update Node, or use the indexeddb ' +
          'store in a browser.',
        { adapter: 'sqlite' },
      );
    }
    for (let tries = 1; ; tries++) {
      const opened = attempt('opened', () => {
        const db = new sqlite.DatabaseSync(path);
        try {
          return connect(db);
        } catch (error) {
          db.close();
          if (resultCode(error) === BUSY && tries < OPEN_TRIES) return undefined;
          throw error;
        }
      });
      if (opened !== undefined) return opened;
      await wait(Math.random() * OPEN_RETRY_MS);
    }
  }

  const closed = () =>
    new SyncLayerError('CLOSED', 'The SQLite store is not open. Call open() before using it.', {
      adapter: 'sqlite',
    });

  function current(): Connection {
    if (connection === undefined) throw closed();
    return connection;
  }

  function write({ statements }: Connection, { table, key, value }: StoreWrite) {
    const collection = encode(key[0]);
    const id = encode(key[1]);
    if (value === undefined) statements[table].remove.run(collection, id);
    else statements[table].put.run(collection, id, JSON.stringify(value));
  }

  return {
    name: 'sqlite',
    async open() {
      if (session !== undefined)
        throw failure('is already open. Close it where it is in use, or use another path.', undefined, true);
      const opening = begin();
      session = opening;
      try {
        const opened = await opening;
        if (session !== opening) throw closed();
        connection = opened;
      } catch (error) {
        if (session === opening) session = undefined;
        throw error;
      }
    },
    async *read(table, collection) {
      let after: string | undefined = '';
      while (after !== undefined) {
        const page: StoreEntry[] = [];
        const { statements } = current();
        const rows = statements[table].page.iterate(encode(collection), after) as Iterable<{
          id: string;
          value: string;
        }>;
        after = attempt('read', () => {
          let chars = 0;
          for (const { id, value } of rows) {
            page.push({ id: decode(id), value: JSON.parse(value) });
            chars += value.length;
            if (page.length === PAGE_ROWS || chars > PAGE_CHARS) return id;
          }
          return undefined;
        });
        if (page.length > 0) yield page;
        await nextTurn();
      }
    },
    async commit(writes) {
      const open = current();
      checkWrites(writes);
      attempt('written', () =>
        transaction(open.db, () => {
          for (const item of writes) write(open, item);
        }),
      );
      // The commit blocked the event loop. Without this, a loop of awaited saves would never let it turn.
      await nextTurn();
    },
    async clear() {
      const { db } = current();
      attempt('cleared', () => transaction(db, () => db.exec(TABLES.map((table) => `DELETE FROM ${table};`).join(''))));
    },
    async close() {
      const ending = session;
      session = undefined;
      connection = undefined;
      const open = await ending?.catch(() => undefined);
      if (open !== undefined) attempt('closed', () => open.db.close());
    },
  };
}
