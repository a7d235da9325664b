import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  memoryServerStore,
  type ServerStore,
  type StoredRecord,
  sqliteServerStore,
} from '../../../src/server/index.js';
import { stores, temporaryFolder } from './fixtures/harness.js';

const record = (id: string, version: number, data: StoredRecord['data'] = { v: version }): StoredRecord => ({
  id,
  data,
  version,
  updatedAt: version,
});
const page = (store: ServerStore, after = 0, limit = 100) => [...store.page('c', { after, limit })];
const all = { tombstones: Number.POSITIVE_INFINITY, ops: Number.POSITIVE_INFINITY };

describe.each(stores)('%s store', (_name, make) => {
  const open = (time = 0): ServerStore => {
    const store = make();
    store.open(() => time);
    return store;
  };

  test('gives back what was put', () => {
    const store = open();
    const data = { text: 'ø😀\u0000', nested: { list: [1, null, 'x', { a: true }] }, n: 1.5, '': 0 };
    store.put('c', record('a', 1, data));
    expect(store.get('c', 'a')).toEqual({ id: 'a', data, version: 1, updatedAt: 1 });
    expect(store.get('c', 'b')).toBeUndefined();
    expect(store.get('other', 'a')).toBeUndefined();
    store.close();
  });

  test('pages follow the commit order, each record once, where it was changed last', () => {
    const store = open();
    for (const [i, id] of ['a', 'b', 'c', 'a', 'd', 'b'].entries()) store.put('c', record(id, i + 1));
    expect(page(store).map(({ id }) => id)).toEqual(['c', 'a', 'd', 'b']);
    expect(page(store, 3, 2).map(({ id }) => id)).toEqual(['a', 'd']);
    expect(page(store, 6)).toEqual([]);
    expect([...store.page('c', { after: 0, limit: 9, changedFrom: 5 })].map(({ id }) => id)).toEqual(['d', 'b']);
    store.close();
  });

  test('a page can be read while another one is', () => {
    const store = open();
    for (let i = 1; i <= 4; i++) store.put('c', record(`${i}`, i));
    const pairs: string[] = [];
    for (const outer of store.page('c', { after: 0, limit: 2 })) {
      for (const inner of store.page('c', { after: 2, limit: 2 })) pairs.push(outer.id + inner.id);
    }
    expect(pairs).toEqual(['13', '14', '23', '24']);
    for (const first of store.page('c', { after: 0, limit: 4 })) {
      expect(first.id).toBe('1');
      break;
    }
    expect(page(store)).toHaveLength(4);
    store.close();
  });

  test('counts live records, whenever it is asked first', () => {
    const store = open();
    expect(store.count('c')).toBe(0);
    store.put('c', record('a', 1));
    store.put('c', record('b', 2));
    expect(store.count('c')).toBe(2);
    store.put('c', record('a', 3, null));
    expect(store.count('c')).toBe(1);
    store.put('c', record('a', 4, null));
    store.put('c', record('b', 5));
    expect(store.count('c')).toBe(1);
    store.put('c', record('a', 6));
    expect(store.count('c')).toBe(2);
    store.close();
  });

  test('numbers begin at the time of its start, for collections that nobody has written to as well', () => {
    const store = open(5000);
    expect([store.seq('c'), store.oldestSeq('c')]).toEqual([5000, 5000]);
    store.put('c', record('a', 5001));
    expect([store.seq('c'), store.oldestSeq('c')]).toEqual([5001, 5000]);
    store.close();
  });

  test('purged tombstones raise the oldest number, and the highest stays', () => {
    const store = open();
    store.put('c', record('a', 1));
    store.put('c', record('b', 2, null));
    store.put('c', record('d', 3, null));
    store.purge({ tombstones: 3, ops: 0 });
    expect(page(store).map(({ id }) => id)).toEqual(['a', 'd']);
    expect(store.oldestSeq('c')).toBe(2);
    store.purge(all);
    expect(page(store).map(({ id }) => id)).toEqual(['a']);
    expect([store.seq('c'), store.oldestSeq('c')]).toEqual([3, 3]);
    store.close();
  });

  test('remembers ops by record, until they are purged', () => {
    const store = open();
    store.putOp('c', 'a', 'o', { version: 4, at: 10 });
    expect(store.op('c', 'a', 'o')).toEqual({ version: 4, at: 10 });
    expect(store.op('c', 'b', 'o')).toBeUndefined();
    expect(store.op('d', 'a', 'o')).toBeUndefined();
    store.purge({ tombstones: 0, ops: 10 });
    expect(store.op('c', 'a', 'o')).toBeDefined();
    store.purge({ tombstones: 0, ops: 11 });
    expect(store.op('c', 'a', 'o')).toBeUndefined();
    store.close();
  });

  test('agrees with a plain model, whatever is done', () => {
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      live: fc.boolean(),
      purge: fc.integer({ min: 0, max: 9 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.nat(120),
        fc.integer({ min: 1, max: 6 }),
        (steps, after, limit) => {
          const store = open();
          const model = new Map<string, StoredRecord>();
          let oldest = 0;
          for (const [i, { id, live, purge }] of steps.entries()) {
            const next = record(id, i + 1, live ? { i } : null);
            store.put('c', next);
            model.set(id, next);
            if (purge > 0) continue;
            store.purge({ tombstones: i, ops: 0 });
            for (const { id: key, data, updatedAt } of [...model.values()]) {
              if (data || updatedAt >= i) continue;
              oldest = Math.max(oldest, updatedAt);
              model.delete(key);
            }
          }
          const sorted = [...model.values()].sort((x, y) => x.version - y.version);
          expect(page(store, after, limit)).toEqual(sorted.filter(({ version }) => version > after).slice(0, limit));
          expect(store.count('c')).toBe(sorted.filter(({ data }) => data).length);
          expect([store.seq('c'), store.oldestSeq('c')]).toEqual([steps.length, oldest]);
          store.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('the memory store keeps its records over close and open', () => {
  const store = memoryServerStore();
  store.open(() => 0);
  store.put('c', record('a', 1));
  store.close();
  store.open(() => 1000);
  expect(store.get('c', 'a')).toBeDefined();
  expect(store.seq('c')).toBe(1);
});

test('the memory store forgets replaced versions', () => {
  const store = memoryServerStore();
  store.open(() => 0);
  for (let i = 1; i <= 100_000; i++) store.put('c', record('a', i));
  expect(page(store)).toEqual([record('a', 100_000)]);
});

describe('the SQLite file', () => {
  const file = () => join(temporaryFolder(), 'sync.db');
  const opened = (path: string, now = 0) => {
    const store = sqliteServerStore({ path });
    store.open(() => now);
    return store;
  };

  test('keeps records, ops and numbers', () => {
    const path = file();
    const first = opened(path, 100);
    first.transaction(() => {
      first.put('c', record('a', 101));
      first.put('c', record('b', 102, null));
      first.putOp('c', 'a', 'o', { version: 101, at: 1 });
    });
    first.purge({ tombstones: 200, ops: 0 });
    first.close();
    const second = opened(path, 900);
    expect(page(second)).toEqual([record('a', 101)]);
    expect(second.op('c', 'a', 'o')).toEqual({ version: 101, at: 1 });
    expect([second.seq('c'), second.oldestSeq('c'), second.count('c')]).toEqual([102, 102, 1]);
    expect(second.seq('other')).toBe(100);
    second.close();
  });

  test('a transaction that fails leaves nothing, and its numbers are given out again', () => {
    const store = opened(file());
    store.put('c', record('a', 1));
    expect(store.count('c')).toBe(1);
    const fail = () =>
      store.transaction(() => {
        store.put('c', record('b', 2));
        store.putOp('c', 'b', 'o', { version: 2, at: 0 });
        throw new Error('disk full');
      });
    expect(fail).toThrow('disk full');
    expect(store.get('c', 'b')).toBeUndefined();
    expect(store.op('c', 'b', 'o')).toBeUndefined();
    expect([store.seq('c'), store.count('c')]).toEqual([1, 1]);
    store.close();
  });

  test('is refused to a second server', () => {
    const path = file();
    const first = opened(path);
    expect(() => opened(path)).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
    expect(() => first.open(() => 0)).toThrow(/already serves a server/);
    first.close();
    opened(path).close();
  });

  test('of another program is left alone', () => {
    const path = file();
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    expect(() => opened(path)).toThrow(/belongs to another program/);
  });

  test('of the first version, which kept no times of edits, gets a place for them', () => {
    const path = file();
    opened(path).close();
    const db = new DatabaseSync(path);
    db.exec('ALTER TABLE records DROP COLUMN edited_at; PRAGMA user_version = 1');
    db.exec("INSERT INTO records VALUES ('todos', 'old', 5, 7, '{}')");
    db.close();
    const store = opened(path);
    expect(store.get('todos', 'old')).toEqual({ id: 'old', data: {}, version: 5, updatedAt: 7 });
    const record = { id: 'new', data: {}, version: store.seq('todos') + 1, updatedAt: 9, editedAt: 8 };
    store.put('todos', record);
    expect(store.get('todos', 'new')).toEqual(record);
    store.close();
    expect(opened(path).get('todos', 'new')).toEqual(record);
  });

  test('of a newer version is left alone', () => {
    const path = file();
    opened(path).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 3');
    db.close();
    expect(() => opened(path)).toThrow(/newer synclayer/);
  });

  test('is in a folder that exists, and closed stores say so', () => {
    const path = join(temporaryFolder(), 'no', 'sync.db');
    expect(() => opened(path)).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
    expect(() => sqliteServerStore({ path }).get('c', 'a')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });
});
