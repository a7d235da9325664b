import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Row } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import type { ServerStore, StoredRecord } from './store.js';

export interface SqliteServerStoreOptions {
  /** The database file, in a folder that exists. `':memory:'` keeps it off the disk, and loses it at close. */
  readonly path: string;
  /**
   * `full` (default): each commit waits for the disk, so what was acknowledged survives a power loss. `normal`: several
   * times faster; a power loss can undo the last commits, and clients that had seen them would miss what comes instead.
   */
  readonly synchronous?: 'full' | 'normal';
}

const SCHEMA_VERSION = 2;
/** 'SyLs': tells our files from those of other programs. */
const APPLICATION_ID = 0x53794c73;

const SCHEMA = `
  CREATE TABLE meta (origin INTEGER NOT NULL) STRICT;
  CREATE TABLE collections (name TEXT PRIMARY KEY, oldest_seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE records (
    collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, updated_at INTEGER NOT NULL, data TEXT,
    edited_at INTEGER, PRIMARY KEY (collection, id)
  ) STRICT;
  CREATE UNIQUE INDEX records_by_version ON records (collection, version);
  CREATE INDEX tombstones ON records (updated_at) WHERE data IS NULL;
  CREATE TABLE ops (
    collection TEXT NOT NULL, id TEXT NOT NULL, op TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (collection, id, op)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ops_by_time ON ops (at);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

const queries = {
  get: 'SELECT id, data, version, updated_at, edited_at FROM records WHERE collection = ? AND id = ?',
  page: `SELECT id, data, version, updated_at, edited_at FROM records
         WHERE collection = ? AND version > ? AND updated_at >= ? ORDER BY version LIMIT ?`,
  put: `INSERT INTO records (collection, id, version, updated_at, data, edited_at) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (collection, id) DO UPDATE
        SET version = excluded.version, updated_at = excluded.updated_at, data = excluded.data,
            edited_at = excluded.edited_at`,
  count: 'SELECT count(*) AS n FROM records WHERE collection = ? AND data IS NOT NULL',
  newest: 'SELECT max(version) AS n FROM records WHERE collection = ?',
  oldest: 'SELECT oldest_seq AS n FROM collections WHERE name = ?',
  op: 'SELECT version, at FROM ops WHERE collection = ? AND id = ? AND op = ?',
  putOp: 'INSERT OR REPLACE INTO ops (collection, id, op, version, at) VALUES (?, ?, ?, ?, ?)',
  purgeOps: 'DELETE FROM ops WHERE at < ?',
  // What will be gone is written down first: in between a cursor must not pass for a good one.
  raiseOldest: `INSERT INTO collections (name, oldest_seq)
    SELECT collection, max(version) FROM records WHERE data IS NULL AND updated_at < ? GROUP BY collection
    ON CONFLICT (name) DO UPDATE SET oldest_seq = max(oldest_seq, excluded.oldest_seq)`,
  purgeTombstones: 'DELETE FROM records WHERE data IS NULL AND updated_at < ?',
} as const;

/** What is asked for with every write, kept at hand. */
interface Shelf {
  seq: number;
  oldestSeq: number;
  /** Counted when first asked for. */
  live: number | undefined;
}

interface Connection {
  readonly db: DatabaseSync;
  readonly statements: Readonly<Record<keyof typeof queries, StatementSync>>;
  /** When the file was made, ms since 1970: where its sequence numbers begin. */
  readonly origin: number;
}

interface RecordColumns {
  readonly id: string;
  readonly data: string | null;
  readonly version: number;
  readonly updated_at: number;
  readonly edited_at: number | null;
}

const toRecord = ({ id, data, version, updated_at, edited_at }: RecordColumns): StoredRecord => ({
  id,
  data: data === null ? null : (JSON.parse(data) as Row),
  version,
  updatedAt: updated_at,
  ...(edited_at !== null && { editedAt: edited_at }),
});

const pragma = (db: DatabaseSync, name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // After some failures, such as a full disk, SQLite has rolled back by itself.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Makes a new file ours. Returns what is wrong with one that this code must leave alone. */
function prepareFile(db: DatabaseSync, now: number): string | undefined {
  if (db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined) {
    db.exec(SCHEMA);
    // Numbers above those of a file that was here before: clients of that one notice, and take a snapshot.
    db.prepare('INSERT INTO meta (origin) VALUES (?)').run(now);
    return undefined;
  }
  if (pragma(db, 'application_id') !== APPLICATION_ID) return 'It belongs to another program; use another path.';
  const version = Number(pragma(db, 'user_version'));
  if (version > SCHEMA_VERSION) {
    return 'It was written by a newer synclayer; update the package, or use another path.';
  }
  if (version < 2) db.exec('ALTER TABLE records ADD COLUMN edited_at INTEGER');
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  return undefined;
}

/**
 * Keeps the server's records in one SQLite file, with Node's own `node:sqlite`: nothing to install. The file belongs
 * to one server at a time; beside it there is `<path>-wal` while it is open. Copy both, or copy after `close()`.
 *
 * The server throws STORE_FAILED when it starts and the file is open elsewhere, damaged, another program's or cannot
 * be written, and UNSUPPORTED where there is no `node:sqlite` (it needs Node 22.18).
 *
 * @example
 * const server = await createSyncServer({ port: 8080, store: sqliteServerStore({ path: 'sync.db' }) });
 */
export function sqliteServerStore({ path, synchronous = 'full' }: SqliteServerStoreOptions): ServerStore {
  let connection: Connection | undefined;
  const shelves = new Map<string, Shelf>();
  let reading = false;

  function current(): Connection {
    if (connection) return connection;
    throw new SyncLayerError('CLOSED', `The SQLite store ${path} is closed; start a server with it to open it`, {
      adapter: 'server',
    });
  }

  const numberOf = (row: unknown): number | undefined => (row as { n: number | null } | undefined)?.n ?? undefined;

  function shelfOf(collection: string): Shelf {
    const { statements, origin } = current();
    let shelf = shelves.get(collection);
    if (!shelf) {
      const oldestSeq = numberOf(statements.oldest.get(collection)) ?? origin;
      // The newest record may be a tombstone that was purged: then only `oldestSeq` knows its number.
      const seq = Math.max(numberOf(statements.newest.get(collection)) ?? 0, oldestSeq);
      shelf = { seq, oldestSeq, live: undefined };
      // A client may ask for any name; only what exists is worth remembering.
      if (seq > origin) shelves.set(collection, shelf);
    }
    return shelf;
  }

  function connect(now: () => number): Connection {
    const sqlite = globalThis.process?.getBuiltinModule?.('node:sqlite');
    if (!sqlite) {
      throw new SyncLayerError('UNSUPPORTED', 'sqliteServerStore needs node:sqlite; update to Node 22.18 or newer', {
        adapter: 'server',
      });
    }
    const db = new sqlite.DatabaseSync(path);
    try {
      // Before the first access: the file stays locked until close, so that no second server numbers its changes.
      db.exec('PRAGMA locking_mode = EXCLUSIVE');
      const problem = inTransaction(db, () => prepareFile(db, now()));
      if (problem) throw new Error(problem);
      db.exec('PRAGMA journal_mode = WAL');
      // On macOS a plain fsync leaves the data in the drive's cache; elsewhere `fullfsync` does nothing.
      db.exec(
        synchronous === 'full' ? 'PRAGMA synchronous = FULL; PRAGMA fullfsync = ON' : 'PRAGMA synchronous = NORMAL',
      );
      const prepared = Object.entries(queries).map(([name, sql]) => [name, db.prepare(sql)] as const);
      const statements = Object.fromEntries(prepared) as unknown as Connection['statements'];
      const { origin } = db.prepare('SELECT origin FROM meta').get() as { origin: number };
      return { db, statements, origin };
    } catch (error) {
      db.close();
      throw error;
    }
  }

  return {
    open(now) {
      if (connection) {
        throw new SyncLayerError('STORE_FAILED', `The SQLite store ${path} already serves a server; close that first`, {
          adapter: 'server',
        });
      }
      try {
        connection = connect(now);
      } catch (cause) {
        if (cause instanceof SyncLayerError) throw cause;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new SyncLayerError('STORE_FAILED', `The SQLite store ${path} could not be opened: ${reason}`, {
          adapter: 'server',
          cause,
        });
      }
    },
    close() {
      connection?.db.close();
      connection = undefined;
      shelves.clear();
    },
    transaction(run) {
      try {
        return inTransaction(current().db, run);
      } catch (error) {
        shelves.clear();
        throw error;
      }
    },
    seq: (collection) => shelfOf(collection).seq,
    oldestSeq: (collection) => shelfOf(collection).oldestSeq,
    count(collection) {
      const shelf = shelfOf(collection);
      shelf.live ??= numberOf(current().statements.count.get(collection)) ?? 0;
      return shelf.live;
    },
    get(collection, id) {
      const row = current().statements.get.get(collection, id);
      return row && toRecord(row as unknown as RecordColumns);
    },
    *page(collection, { after, limit, changedFrom = 0 }) {
      const { db, statements } = current();
      // Whoever reads a page may be asked `authorize` for each row, and that may read a page too.
      const statement = reading ? db.prepare(queries.page) : statements.page;
      const outer = reading;
      reading = true;
      try {
        for (const row of statement.iterate(collection, after, changedFrom, limit)) {
          yield toRecord(row as unknown as RecordColumns);
        }
      } finally {
        reading = outer;
      }
    },
    put(collection, record) {
      const { statements } = current();
      const { id, data, version, updatedAt, editedAt } = record;
      const shelf = shelfOf(collection);
      if (shelf.live !== undefined) {
        const previous = statements.get.get(collection, id) as unknown as RecordColumns | undefined;
        shelf.live += (data ? 1 : 0) - (previous && previous.data !== null ? 1 : 0);
      }
      statements.put.run(collection, id, version, updatedAt, data && JSON.stringify(data), editedAt ?? null);
      shelf.seq = version;
      shelves.set(collection, shelf);
    },
    op(collection, id, opId) {
      const row = current().statements.op.get(collection, id, opId);
      return row && { version: row.version as number, at: row.at as number };
    },
    putOp(collection, id, opId, { version, at }) {
      current().statements.putOp.run(collection, id, opId, version, at);
    },
    purge({ tombstones, ops }) {
      const { db, statements } = current();
      inTransaction(db, () => {
        statements.raiseOldest.run(tombstones);
        statements.purgeTombstones.run(tombstones);
        statements.purgeOps.run(ops);
      });
      shelves.clear();
    },
  };
}
