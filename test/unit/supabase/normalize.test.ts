import { describe, expect, test } from 'vitest';
import { createReader, fromBroadcast, fromPostgresChange } from '../../../adapters/supabase/normalize.js';
import { readOptions, type SupabaseCollection } from '../../../adapters/supabase/options.js';
import { createTables, type Table } from '../../../adapters/supabase/table.js';
import { type Columns, changeOf } from '../../../src/adapter-kit/postgres-rows.js';

const tableOf = (todos: SupabaseCollection = {}) =>
  createTables(readOptions({ url: 'http://x.example', key: 'k', collections: { todos } })).get('todos');

const rowOf = (table: Table, columns: Columns) => changeOf(table, table.resolve(columns));

const at = '2026-11-22T15:45:01.528809+00:00';
const committed = '2026-11-22T15:45:01.529Z';

/** As supabase-js hands it on. */
const event = (eventType: string, record: object, old: object = {}, errors: string[] | null = null) => ({
  schema: 'public',
  table: 'todos',
  commit_timestamp: committed,
  eventType,
  new: record,
  old,
  errors,
});

function reader(options: SupabaseCollection = {}) {
  const table = tableOf(options);
  const read = createReader(table);
  return {
    table,
    read: (...args: Parameters<typeof event>) => {
      const taken = fromPostgresChange(event(...args));
      if (!taken) throw new Error('malformed');
      return read(taken);
    },
  };
}

describe('events', () => {
  test('an insert is a whole row, without what the database keeps for itself', () => {
    const { read } = reader();
    expect(read('INSERT', { id: 'a', title: 'milk', done: null, updated_at: at })).toEqual([
      {
        type: 'insert',
        collection: 'todos',
        recordId: 'a',
        version: '2026-11-22T15:45:01.528809Z',
        timestamp: Date.parse('2026-11-22T15:45:01.528Z'),
        data: { id: 'a', title: 'milk', done: null },
      },
    ]);
  });

  test('an update is whole only if it has every column of a whole row', () => {
    const { read, table } = reader();
    const record = { id: 'a', title: 'milk', body: 'long', updated_at: at };
    const { body, ...toasted } = record;
    expect(body).toBe('long');
    // Nothing is known of the table yet.
    expect(read('UPDATE', record)).toMatchObject([{ type: 'update', partial: true }]);
    table.learn(record);
    expect(read('UPDATE', record)).toEqual([expect.not.objectContaining({ partial: true })]);
    expect(read('UPDATE', toasted)).toMatchObject([{ partial: true, data: { id: 'a', title: 'milk' } }]);
    // A column that was added since does not make it less.
    expect(read('UPDATE', { ...record, added: 1 })).toEqual([expect.not.objectContaining({ partial: true })]);
  });

  test('an insert shows which columns there are, unless it was cut', () => {
    const { read } = reader();
    read('INSERT', { id: 'a', updated_at: at }, {}, ['Error 413: Payload Too Large']);
    expect(read('UPDATE', { id: 'a', updated_at: at })).toMatchObject([{ partial: true }]);
    read('INSERT', { id: 'b', title: '', updated_at: at });
    expect(read('UPDATE', { id: 'a', updated_at: at })).toMatchObject([{ partial: true }]);
    expect(read('UPDATE', { id: 'a', title: '', updated_at: at })).toEqual([
      expect.not.objectContaining({ partial: true }),
    ]);
  });

  test('a row over 1 MB lacks columns; without its key, or refused, only a read can tell', () => {
    const { read } = reader();
    const tooLarge = ['Error 413: Payload Too Large'];
    expect(read('INSERT', { id: 'a', updated_at: at }, {}, tooLarge)).toMatchObject([{ partial: true, recordId: 'a' }]);
    expect(read('INSERT', { updated_at: at }, {}, tooLarge)).toBe('gap');
    expect(read('INSERT', {}, {}, ['Error 401: Unauthorized'])).toBe('gap');
    expect(read('INSERT', { id: 'a' })).toBe('gap');
    expect(read('DELETE', {}, {})).toBe('gap');
  });

  test('a delete names no version, only when it was', () => {
    const { read } = reader();
    expect(read('DELETE', {}, { id: 'a' })).toMatchObject([
      { type: 'delete', recordId: 'a', version: '2026-11-22T15:45:01.529999Z~~', inferred: true },
    ]);
  });

  test('a changed key is the end of one record and the begin of another', () => {
    const { read, table } = reader();
    const record = { id: 'b', updated_at: at };
    table.learn(record);
    expect(read('UPDATE', record, { id: 'a' })).toMatchObject([
      { type: 'delete', recordId: 'a', inferred: true },
      { type: 'update', recordId: 'b' },
    ]);
    expect(read('UPDATE', record, { id: 'b' })).toMatchObject([{ type: 'update', recordId: 'b' }]);
  });

  test('what one transaction did to a row comes with one stamp, and each counts as newer', () => {
    const { read, table } = reader();
    const record = { id: 'a', title: '1', updated_at: at };
    table.learn(record);
    const versions = [read('INSERT', record), read('UPDATE', { ...record, title: '2' }), read('UPDATE', record)].map(
      (changes) => (changes === 'gap' ? '' : String(changes[0]?.version)),
    );
    expect([...versions].sort()).toEqual(versions);
    expect(new Set(versions).size).toBe(3);
    // A read has the last state of them, and is the same as the first event.
    expect(rowOf(table, { ...record, sl_key: 'a' })?.version).toBe(versions[0]);
    expect(read('UPDATE', { ...record, updated_at: '2026-11-22T15:45:01.52881+00:00' })).toMatchObject([
      { version: '2026-11-22T15:45:01.528810Z' },
    ]);
  });

  test('a soft delete is a delete with a version', () => {
    const { read } = reader({ deletedAt: 'deleted_at' });
    expect(read('UPDATE', { id: 'a', updated_at: at, deleted_at: at })).toEqual([
      expect.objectContaining({ type: 'delete', version: '2026-11-22T15:45:01.528809Z' }),
    ]);
    expect(read('INSERT', { id: 'a', updated_at: at, deleted_at: null })).toMatchObject([{ type: 'insert' }]);
  });

  test('numbers that JSON rounds are strings, and are read where they cannot be known', () => {
    const { read } = reader({ fields: { big: { type: 'bigint' }, price: { column: 'cost', type: 'numeric' } } });
    const row = { id: 'a', updated_at: at };
    expect(read('INSERT', { ...row, big: 5 })).toMatchObject([{ partial: true, data: { big: '5' } }]);
    const { read: bigOnly } = reader({ fields: { big: { type: 'bigint' } } });
    expect(bigOnly('INSERT', { ...row, big: 5 })).toEqual([expect.objectContaining({ data: { id: 'a', big: '5' } })]);
    expect(bigOnly('INSERT', { ...row, big: 5 })).toEqual([expect.not.objectContaining({ partial: true })]);
    expect(bigOnly('INSERT', { ...row, big: null })).toMatchObject([{ data: { big: null } }]);
    const rounded = bigOnly('INSERT', { ...row, big: 9_007_199_254_740_992 });
    expect(rounded).toMatchObject([{ partial: true }]);
    expect((rounded as unknown[])[0]).not.toMatchObject({ data: { big: expect.anything() } });
    const { read: bytes } = reader({ fields: { by: { type: 'bytea' } } });
    expect(bytes('INSERT', { ...row, by: 'deadbeef' })).toMatchObject([{ data: { by: '\\xdeadbeef' } }]);
  });

  test('a key that JSON has rounded is not taken for another record', () => {
    const { read } = reader();
    expect(read('INSERT', { id: 7, updated_at: at })).toMatchObject([{ recordId: '7', data: { id: '7' } }]);
    expect(read('INSERT', { id: 9_007_199_254_740_992, updated_at: at })).toBe('gap');
    expect(read('DELETE', {}, { id: 9_007_199_254_740_992 })).toBe('gap');
  });

  test('columns of other names are fields', () => {
    const { read, table } = reader({
      id: 'uid',
      updatedAt: 'mtime',
      fields: { text: 'title', changed: 'mtime' },
    });
    expect(read('INSERT', { uid: 'a', title: 'milk', mtime: at, note: null })).toMatchObject([
      { recordId: 'a', data: { id: 'a', text: 'milk', changed: at, note: null } },
    ]);
    // The database sets its time itself.
    expect(table.toColumns({ id: 'a', text: 'milk', changed: at, note: 'n' })).toEqual({
      uid: 'a',
      title: 'milk',
      note: 'n',
    });
    expect(table.select).toBe('*,sl_key:uid::text');
  });

  test('a broadcast of the database is the same event; other messages are none', () => {
    const table = tableOf();
    const message = (payload: unknown) => fromBroadcast({ type: 'broadcast', event: 'x', payload }, table);
    const record = { id: 'a', title: 'milk', updated_at: at };
    expect(message({ operation: 'INSERT', record, old_record: null })).toMatchObject({ type: 'INSERT', new: record });
    const gone = message({ operation: 'DELETE', record: null, old_record: record });
    expect(gone && createReader(table)(gone)).toMatchObject([
      { type: 'delete', version: '2026-11-22T15:45:01.528999Z~~', inferred: true },
    ]);
    expect([message({ hello: 1 }), message(null), message(new ArrayBuffer(3)), fromBroadcast(null, table)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('what is no event is told apart', () => {
    expect([null, 5, {}, { eventType: 'TRUNCATE' }].map(fromPostgresChange)).toEqual(Array(4).fill(undefined));
  });
});

describe('rows that were read', () => {
  const table = tableOf({ deletedAt: 'deleted_at', fields: { big: { type: 'bigint' } } });

  test('casts take the place of what JSON rounds', () => {
    expect(table.select).toBe('*,sl_0:big::text,sl_key:id::text');
    const row = { id: 9_007_199_254_740_992, big: 1, sl_0: '1', sl_key: '9007199254740993', updated_at: at };
    expect(rowOf(table, row)).toMatchObject({
      type: 'update',
      recordId: '9007199254740993',
      version: '2026-11-22T15:45:01.528809Z',
      data: { id: '9007199254740993', big: '1' },
    });
  });

  test('a row marked as deleted is a delete, one without a time is none', () => {
    expect(rowOf(table, { sl_key: 'a', updated_at: at, deleted_at: at })).toMatchObject({ type: 'delete' });
    expect(rowOf(table, { sl_key: 'a', updated_at: 'infinity' })).toBeUndefined();
    expect(rowOf(table, { sl_key: null, updated_at: at })).toBeUndefined();
  });
});
