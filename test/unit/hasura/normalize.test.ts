import { describe, expect, test } from 'vitest';
import { difference, gone } from '../../../adapters/hasura/difference.js';
import { type HasuraCollection, readOptions } from '../../../adapters/hasura/options.js';
import { createTables } from '../../../adapters/hasura/table.js';
import { changeOf } from '../../../src/adapter-kit/postgres-rows.js';
import { compareVersions } from '../../../src/base/change.js';

const tableOf = (todos: HasuraCollection = { fields: ['title'] }) =>
  createTables(readOptions({ url: 'https://x.example', collections: { todos } })).get('todos');

const at = '2026-11-22T15:45:01.528809+00:00';

describe('rows', () => {
  test('a row is a change with its time as version, to the microsecond, and only the fields that were asked for', () => {
    expect(changeOf(tableOf(), { id: 'a', title: 'Milk', updated_at: at, extra: 1 })).toEqual({
      type: 'update',
      collection: 'todos',
      recordId: 'a',
      version: '2026-11-22T15:45:01.528809Z',
      timestamp: Date.parse('2026-11-22T15:45:01.528Z'),
      data: { id: 'a', title: 'Milk' },
    });
  });

  test('a row that is marked as deleted is a delete', () => {
    const table = tableOf({ fields: ['title'], deletedAt: 'deleted_at' });
    expect(changeOf(table, { id: 'a', title: 'Milk', updated_at: at, deleted_at: at })).toMatchObject({
      type: 'delete',
      recordId: 'a',
      version: '2026-11-22T15:45:01.528809Z',
    });
    expect(changeOf(table, { id: 'a', title: 'Milk', updated_at: at, deleted_at: null })?.type).toBe('update');
  });

  test.each([
    [{ n: { type: 'bigint' } }, '9007199254740993', '9007199254740993'],
    [{ n: { type: 'bigint' } }, 42, '42'],
    [{ n: { type: 'numeric' } }, '1.50', '1.50'],
    [{ n: { type: 'numeric' } }, null, null],
    [{ n: { type: 'float8' } }, 1e300, 1e300],
    [{ n: { type: 'float8' } }, '1.5', 1.5],
    [{ n: { type: 'float8' } }, '1e+300', 1e300],
    [{ n: { type: 'float8' } }, 'Infinity', 'Infinity'],
    [{ n: { type: 'float8' } }, [2 ** 60], [2 ** 60]],
    [['n'], { a: [1, '9007199254740993'] }, { a: [1, '9007199254740993'] }],
    [['n'], 1.5, 1.5],
    [['n'], Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ] as const)('%j: %j becomes %j', (fields, value, expected) => {
    expect(changeOf(tableOf({ fields }), { id: 'a', n: value, updated_at: at })).toMatchObject({
      data: { n: expected },
    });
  });

  test.each([
    [['n'], 2 ** 53],
    [['n'], [1, 2 ** 60]],
    [['n'], { a: { b: 2 ** 60 } }],
    [{ n: { type: 'bigint' } }, 2 ** 60],
    [{ n: { type: 'numeric' } }, 1.5],
  ] as const)('%j: the number %j is an error that names the server flag', (fields, value) => {
    expect(() => changeOf(tableOf({ fields }), { id: 'a', n: value, updated_at: at })).toThrow(
      /todos\/a.*HASURA_GRAPHQL_STRINGIFY_NUMERIC_TYPES/,
    );
  });

  test('a hard delete is newer than what was there, and no version hides a row that is created again', () => {
    const change = gone('todos', 'a', Date.parse('2026-11-22T15:45:01.600Z'));
    expect(change).toMatchObject({ type: 'delete', inferred: true, recordId: 'a' });
    expect(compareVersions(change.version, '2026-11-22T15:45:01.528809Z')).toBeGreaterThan(0);
  });
});

describe('results of a live query', () => {
  const table = tableOf();
  const row = (id: string, updated_at = at) => ({ id, title: id, updated_at });

  test('one changed row of many is the one difference', () => {
    const rows = Array.from({ length: 100 }, (_, index) => row(`row ${index}`));
    const { times, changed } = difference(table, new Map(), rows);
    expect(changed).toHaveLength(100);
    const later = rows.map((each) => (each.id === 'row 7' ? row('row 7', '2026-11-22T15:45:02+00:00') : { ...each }));
    const next = difference(table, times, later);
    expect(next).toMatchObject({ changed: [{ id: 'row 7' }], missing: [], malformed: 0 });
    expect(difference(table, next.times, later).changed).toEqual([]);
  });

  test('what is new, what is missing, and what cannot be told', () => {
    const { times } = difference(table, new Map(), [row('a'), row('b')]);
    const next = difference(table, times, [row('b'), row('c'), { title: 'no key' }, null]);
    expect(next).toMatchObject({ changed: [{ id: 'c' }], missing: ['a'], malformed: 2 });
    expect([...next.times.keys()]).toEqual(['b', 'c']);
  });

  test('a row in, and another out, at the same number of rows', () => {
    const { times } = difference(table, new Map(), [row('a'), row('b')]);
    expect(difference(table, times, [row('b'), row('c')]).missing).toEqual(['a']);
  });

  test('ids that objects inherit', () => {
    const { times } = difference(table, new Map(), [row('__proto__'), row('constructor')]);
    expect([...times.keys()]).toEqual(['__proto__', 'constructor']);
    expect(difference(table, times, []).missing).toEqual(['__proto__', 'constructor']);
  });
});
