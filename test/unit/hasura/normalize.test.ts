import { describe, expect, test } from 'vitest';
import { type HasuraCollection, readOptions } from '../../../adapters/hasura/options.js';
import { createTables } from '../../../adapters/hasura/table.js';
import { changeOf } from '../../../src/adapter-kit/postgres-rows.js';

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
});
