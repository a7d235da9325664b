import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

export type Item = Readonly<Record<string, unknown>> & { readonly id: string };

export interface Page {
  readonly items: readonly Item[];
  readonly nextToken: string | null;
}

/** Where a page ended. A client can do nothing with it but hand it back. */
const tokenOf = (kind: 'scan' | 'delta', place: string | number): string =>
  Buffer.from(JSON.stringify({ version: 3, kind, place })).toString('base64url');

/** A token that this data source cannot use. */
export class InvalidToken extends Error {
  readonly errorType = 'ValidationException';
  override readonly message = 'Invalid pagination token given.';
}

function placeOf(token: string | null | undefined, kind: 'scan' | 'delta'): string | number {
  if (token == null) return kind === 'scan' ? '' : 0;
  try {
    const read = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (read.kind === kind) return read.place;
  } catch {}
  throw new InvalidToken();
}

/** Items have their place by a hash, as in DynamoDB: a scan's order says nothing. */
const hash = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 16);

const parse = (row: Readonly<Record<string, unknown>>): Item => JSON.parse(String(row.data));

/** A DynamoDB table for each model, and what AppSync keeps beside it. `path`: a file, so that a killed process has its data. */
export function createTables(path = ':memory:') {
  const db = new DatabaseSync(path);
  db.exec(`
    pragma journal_mode = wal;
    pragma synchronous = normal;
    create table if not exists items (model text, id text, place text, data text, primary key (model, id));
    create index if not exists scan on items (model, place, id);
    create table if not exists delta (seq integer primary key, model text, at integer, data text);`);
  const sql = {
    get: db.prepare('select data from items where model = ? and id = ?'),
    put: db.prepare('insert or replace into items (model, id, place, data) values (?, ?, ?, ?)'),
    remove: db.prepare('delete from items where model = ? and id = ?'),
    scan: db.prepare('select place, data from items where model = ? and place > ? order by place limit ?'),
    all: db.prepare('select data from items where model = ?'),
    log: db.prepare('insert into delta (model, at, data) values (?, ?, ?)'),
    delta: db.prepare('select seq, data from delta where model = ? and at >= ? and seq > ? order by seq limit ?'),
  };
  return {
    get(model: string, id: string): Item | undefined {
      const row = sql.get.get(model, id);
      return row && parse(row);
    },
    put(model: string, item: Item): void {
      sql.put.run(model, item.id, hash(item.id), JSON.stringify(item));
    },
    remove(model: string, id: string): void {
      sql.remove.run(model, id);
    },
    all: (model: string): Item[] => sql.all.all(model).map(parse),
    /** A page of the base table: so many items are looked at, and the token says where it goes on, if only to find the end. */
    scan(model: string, limit: number, token: string | null | undefined): Page {
      const rows = sql.scan.all(model, placeOf(token, 'scan'), limit);
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return { items: rows.map(parse), nextToken: last ? tokenOf('scan', String(last.place)) : null };
    },
    /** Notes a change in the delta table; `at` in ms. */
    log(model: string, at: number, item: Item): void {
      sql.log.run(model, at, JSON.stringify(item));
    },
    /** What the delta table has since then, each change by itself. */
    delta(model: string, since: number, limit: number, token: string | null | undefined): Page {
      const rows = sql.delta.all(model, since, placeOf(token, 'delta'), limit);
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return { items: rows.map(parse), nextToken: last ? tokenOf('delta', Number(last.seq)) : null };
    },
    clear: () => db.exec('delete from items; delete from delta;'),
    close: () => db.close(),
  };
}

export type Tables = ReturnType<typeof createTables>;
