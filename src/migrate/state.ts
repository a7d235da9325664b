import { hash, randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { Change, Row, Version } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import type { Cursor } from '../transport/transport.js';
import type { Refusal, Side, SideState } from './types.js';

/** What both sides are known to have of one record. */
export interface Pair {
  readonly recordId: string;
  readonly from: SideState | null;
  readonly to: SideState | null;
}

/** How far one side of a collection was read. */
export interface Progress {
  readonly cursor: Cursor | null;
  /** The snapshot that this cursor stands in the middle of. */
  readonly snapshot: number | null;
  /** It was read to its end at least once. */
  readonly whole: boolean;
}

/** 'SyMg': tells our files from those of other programs. */
const APPLICATION_ID = 0x53794d67;
const FORMAT = 1;

const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE progress (collection TEXT, side TEXT, value TEXT NOT NULL, PRIMARY KEY (collection, side)) STRICT, WITHOUT ROWID;
  CREATE TABLE pairs (
    collection TEXT, id TEXT,
    from_version TEXT, from_row TEXT, from_seen INTEGER,
    to_version TEXT, to_row TEXT, to_seen INTEGER,
    PRIMARY KEY (collection, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE refused (
    collection TEXT, id TEXT, side TEXT, reason TEXT NOT NULL, change TEXT NOT NULL,
    PRIMARY KEY (collection, id, side)) STRICT, WITHOUT ROWID;
  CREATE TABLE scanned (
    side TEXT, collection TEXT, id TEXT, version TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (collection, id, side)) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT};`;

/** `sent`: rows on their way to the other side as new ones. `differing`: what the last comparison found that can be repaired. */
const LATER = `
  CREATE TABLE IF NOT EXISTS sent (
    collection TEXT, side TEXT, id TEXT, PRIMARY KEY (collection, side, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS differing (collection TEXT, id TEXT, PRIMARY KEY (collection, id)) STRICT, WITHOUT ROWID;`;

/** In place of a row that is the other side's, character for character. */
const SAME = '=';

const json = (value: unknown): string => JSON.stringify(value);
/** node:sqlite cuts a text off at a NUL, and stores no lone surrogate: so ids are JSON texts. */
const keyOf = json;
const idOf = (key: unknown): string => JSON.parse(String(key)) as string;

type Columns = Readonly<Record<string, string | number | null>>;

function openFile(path: string): DatabaseSync {
  const failed = (why: string, cause?: unknown): SyncLayerError =>
    new SyncLayerError('STORE_FAILED', `The state file ${path} cannot be used: ${why}`, { cause });
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    // Two processes would carry everything twice.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('BEGIN IMMEDIATE');
    const pragma = (name: string): unknown => Object.values(db?.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    const empty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    if (empty) db.exec(SCHEMA);
    else if (pragma('application_id') !== APPLICATION_ID) throw failed('it belongs to another program.');
    else if (pragma('user_version') !== FORMAT) throw failed('another version of synclayer wrote it.');
    db.exec(LATER);
    db.exec('COMMIT');
    // What a power loss takes of the last commits is carried again, and found done.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof SyncLayerError) throw error;
    throw failed(`${(error as Error).message}. Is another migration running on it? Else give another path.`, error);
  }
}

/** What a migration remembers, in one SQLite file. Memory does not grow with the number of rows. */
export function openState(path: string, sources: Readonly<Record<Side, string>>) {
  const db = openFile(path);
  const getMeta = db.prepare('SELECT value FROM meta WHERE key = ?');
  const putMeta = db.prepare('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
  const getProgress = db.prepare('SELECT value FROM progress WHERE collection = ? AND side = ?');
  const putProgress = db.prepare(
    'INSERT INTO progress VALUES (?, ?, ?) ON CONFLICT (collection, side) DO UPDATE SET value = excluded.value',
  );
  const getPair = db.prepare('SELECT * FROM pairs WHERE collection = ? AND id = ?');
  const putPair = db.prepare(
    `INSERT INTO pairs (collection, id, from_version, from_row, to_version, to_row) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (collection, id) DO UPDATE SET from_version = excluded.from_version, from_row = excluded.from_row,
     to_version = excluded.to_version, to_row = excluded.to_row`,
  );
  const mark = {
    from: db.prepare('UPDATE pairs SET from_seen = ? WHERE collection = ? AND id = ?'),
    to: db.prepare('UPDATE pairs SET to_seen = ? WHERE collection = ? AND id = ?'),
  };
  // A row that was refused is not known as a row, but its refusal ends with it.
  const unseenOf = (side: Side) =>
    db.prepare(
      `SELECT id FROM pairs p WHERE collection = ? AND id > ? AND ${side}_seen IS NOT ? AND (${side}_row IS NOT NULL OR EXISTS
       (SELECT 1 FROM refused r WHERE r.collection = p.collection AND r.id = p.id AND r.side = '${side}')) ORDER BY id LIMIT 500`,
    );
  const unseen = { from: unseenOf('from'), to: unseenOf('to') };
  const putRefused = db.prepare(
    `INSERT INTO refused VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (collection, id, side) DO UPDATE SET reason = excluded.reason, change = excluded.change`,
  );
  const putSent = db.prepare('INSERT OR IGNORE INTO sent VALUES (?, ?, ?)');
  const dropSent = db.prepare('DELETE FROM sent WHERE collection = ? AND side = ? AND id = ?');
  const allSent = db.prepare('SELECT id FROM sent WHERE collection = ? AND side = ?');
  const dropRefused = db.prepare('DELETE FROM refused WHERE collection = ? AND id = ? AND side = ?');
  const someRefused = db.prepare('SELECT 1 FROM refused LIMIT 1');

  let anyRefused = someRefused.get() !== undefined;

  const meta = (key: string): unknown => {
    const value = getMeta.get(key)?.value;
    return value === undefined ? undefined : JSON.parse(String(value));
  };
  const setMeta = (key: string, value: unknown): void => void putMeta.run(key, json(value));

  function transaction<T>(work: () => T): T {
    db.exec('BEGIN');
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  const known = meta('sources');
  if (known === undefined) {
    setMeta('sources', sources);
    // So that another migration's operations are never taken for these.
    setMeta('id', randomUUID());
  } else if (json(known) !== json(sources)) {
    db.close();
    const message = `The state file ${path} belongs to a migration between other backends. Give another path, or delete it.`;
    throw new SyncLayerError('CONFIG_INVALID', message);
  }
  const id = String(meta('id'));
  let generation = Number(meta('generation') ?? 0);

  const sideOf = (version: unknown, row: unknown): SideState | null =>
    version === null
      ? null
      : {
          version: JSON.parse(String(version)) as Version,
          row: row === null ? null : (JSON.parse(String(row)) as Row),
        };

  return {
    db,
    transaction,
    meta,
    setMeta,

    /** The same for the same write, in each run of this migration. */
    opId(...parts: readonly unknown[]): string {
      const hex = hash('sha256', json([id, generation, ...parts]), 'hex');
      // As a UUID (version 8: made of a hash), since some backends want one.
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    },

    /** From now on operations have other ids: a backend that knows the old ones would do nothing. */
    renewOpIds(): void {
      generation += 1;
      setMeta('generation', generation);
    },

    progress(collection: string, side: Side): Progress {
      const value = getProgress.get(collection, side)?.value;
      return value === undefined
        ? { cursor: null, snapshot: null, whole: false }
        : (JSON.parse(String(value)) as Progress);
    },
    setProgress(collection: string, side: Side, progress: Progress): void {
      putProgress.run(collection, side, json(progress));
    },

    pair(collection: string, recordId: string): Pair {
      const found = getPair.get(collection, keyOf(recordId)) as Columns | undefined;
      if (!found) return { recordId, from: null, to: null };
      const from = sideOf(found.from_version, found.from_row);
      const to = found.to_row === SAME ? found.from_row : found.to_row;
      return { recordId, from, to: sideOf(found.to_version, to) };
    },
    /** Inside a transaction. */
    setPair(collection: string, { recordId, from, to }: Pair): void {
      const text = (side: SideState | null): string | null => (side?.row ? json(side.row) : null);
      const version = (side: SideState | null): string | null => (side ? json(side.version) : null);
      const [ours, theirs] = [text(from), text(to)];
      const stored = theirs !== null && theirs === ours ? SAME : theirs;
      putPair.run(collection, keyOf(recordId), version(from), ours, version(to), stored);
    },

    /** Notes that a side has this row in a snapshot, or among its keys. */
    see(collection: string, side: Side, recordId: string, snapshot: number): void {
      mark[side].run(snapshot, collection, keyOf(recordId));
    },
    /** The rows that a side had, and that a whole snapshot did not hold. */
    *unseen(collection: string, side: Side, snapshot: number): Generator<string[]> {
      for (let after = ''; ; ) {
        const page = unseen[side].all(collection, after, snapshot);
        if (page.length === 0) return;
        after = String(page.at(-1)?.id);
        yield page.map((row) => idOf(row.id));
      }
    },
    countUnseen(collection: string, side: Side, snapshot: number): number {
      const sql = `SELECT count(*) AS count FROM pairs WHERE collection = ? AND ${side}_row IS NOT NULL AND ${side}_seen IS NOT ?`;
      return Number(db.prepare(sql).get(collection, snapshot)?.count);
    },
    nextSnapshot(): number {
      const next = Number(meta('snapshot') ?? 0) + 1;
      setMeta('snapshot', next);
      return next;
    },

    /** How many rows a side is known to have. */
    count(collection: string, side: Side): number {
      const sql = `SELECT count(*) AS count FROM pairs WHERE collection = ? AND ${side}_row IS NOT NULL`;
      return Number(db.prepare(sql).get(collection)?.count);
    },

    /** Before it is pushed: a run that is killed before it sees the answer leaves a row that nothing else knows of. */
    send(collection: string, side: Side, recordId: string): void {
      putSent.run(collection, side, keyOf(recordId));
    },
    /** The answer is noted. */
    answered(collection: string, side: Side, recordId: string): void {
      dropSent.run(collection, side, keyOf(recordId));
    },
    /** Few: what was under way when a run ended. */
    unanswered: (collection: string, side: Side): string[] => allSent.all(collection, side).map(({ id }) => idOf(id)),

    /** All ids of the last comparison, also those that it did not list. */
    differing: (collection: string): string[] =>
      db
        .prepare('SELECT id FROM differing WHERE collection = ?')
        .all(collection)
        .map(({ id }) => idOf(id)),

    /** Keeps a change of this side that the other one refused. */
    refuse(side: Side, change: Change, reason: string): void {
      putRefused.run(change.collection, keyOf(change.recordId), side, reason, json(change));
      anyRefused = true;
    },
    accepted(collection: string, side: Side, recordId: string): void {
      if (anyRefused) dropRefused.run(collection, keyOf(recordId), side);
    },
    /** What was refused, to be tried again: the target may have been put right. */
    *refusedChanges(collection: string, side: Side): Generator<Change[]> {
      const page = db.prepare(
        'SELECT id, change FROM refused WHERE collection = ? AND side = ? AND id > ? ORDER BY id LIMIT 500',
      );
      for (let after = ''; ; ) {
        const rows = page.all(collection, side, after);
        if (rows.length === 0) return;
        after = String(rows.at(-1)?.id);
        yield rows.map(({ change }) => JSON.parse(String(change)) as Change);
      }
    },
    refused(most = 100): Refusal[] {
      const rows = db.prepare('SELECT * FROM refused ORDER BY collection, id LIMIT ?').all(most);
      return rows.map(({ collection, id: key, reason }) => ({
        collection: String(collection),
        recordId: idOf(key),
        reason: String(reason),
      }));
    },

    close: (): void => db.close(),
  };
}

export type State = ReturnType<typeof openState>;
export { idOf, keyOf };
