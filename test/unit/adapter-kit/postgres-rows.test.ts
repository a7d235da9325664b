import { expect, test } from 'vitest';
import { cursorAfter, cursorOf } from '../../../src/adapter-kit/postgres-cursor.js';
import { changeOf, isSendable } from '../../../src/adapter-kit/postgres-rows.js';

const table = {
  collection: 'todos',
  id: 'id',
  updatedAt: 'updated_at',
  deletedAt: 'deleted_at',
  toRow: ({ title }: { readonly title?: unknown }) => ({ title }),
};
const at = '2026-11-22T15:45:01.528809+00:00';

test('a row is a change with its time as version, to the microsecond', () => {
  const row = { id: 7, title: 'Milk', updated_at: at, deleted_at: null };
  const version = '2026-11-22T15:45:01.528809Z';
  const timestamp = Date.parse('2026-11-22T15:45:01.528Z');
  const base = { collection: 'todos', recordId: '7', version, timestamp };
  expect(changeOf(table, row)).toEqual({ type: 'update', ...base, data: { id: '7', title: 'Milk' } });
  expect(changeOf(table, { ...row, deleted_at: at })).toEqual({ type: 'delete', ...base });
});

test('without a usable key or time it is none', () => {
  for (const row of [null, 'row', { updated_at: at }, { id: '', updated_at: at }, { id: 'a', updated_at: null }])
    expect(changeOf(table, row)).toBeUndefined();
  expect(changeOf(table, { id: 2 ** 53, updated_at: at })).toBeUndefined();
  expect(changeOf(table, { id: 7, updated_at: at })?.recordId).toBe('7');
});

test('a NUL, half of a surrogate pair and nothing cannot be sent', () => {
  expect(['ok', '😀', ' ', '', 'a\0b', 'a\ud800'].map(isSendable)).toEqual([true, true, true, false, false, false]);
});

test('the cursor is behind the last row, verbatim; its newest time is none of the future', () => {
  const rows = [
    { id: 'a', updated_at: '2026-11-22T15:00:00.1+00:00' },
    { id: 'b', updated_at: '2099-01-01T00:00:00+00:00' },
  ];
  const now = Date.parse('2026-11-22T16:00:00Z');
  const cursor = cursorAfter(table, rows, undefined, now);
  expect(cursor).toEqual({ at: '2099-01-01T00:00:00+00:00', id: 'b', max: '2026-11-22T15:00:00.100000' });
  expect(cursorOf(cursor as never)).toEqual(cursor);
  // Read again within an overlap, older rows do not take it back.
  const again = cursorAfter(table, [{ id: 'c', updated_at: '2026-11-22T14:00:00+00:00' }], cursor, now);
  expect(again).toEqual({ at: '2026-11-22T14:00:00+00:00', id: 'c', max: '2026-11-22T15:00:00.100000' });
  expect(cursorAfter(table, [], again, now)).toBeUndefined();
  expect([null, 5, 'x', { seq: 1 }].map((value) => cursorOf(value))).toEqual(Array(4).fill(undefined));
});
