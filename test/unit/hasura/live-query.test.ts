import { describe, expect, test } from 'vitest';
import { difference, gone } from '../../../adapters/hasura/live-query.js';
import { readOptions } from '../../../adapters/hasura/options.js';
import { createTables } from '../../../adapters/hasura/table.js';
import { compareVersions } from '../../../src/base/change.js';

const at = '2026-11-22T15:45:01.528809+00:00';

test('a row that is gone is newer than every version up to that time, and older than all later ones', () => {
  const change = gone('todos', 'a', Date.parse('2026-11-22T15:45:01.600Z'));
  expect(change).toMatchObject({ type: 'delete', inferred: true, recordId: 'a' });
  for (const version of ['2026-11-22T15:45:01.528809Z', '2026-11-22T15:45:01.600000Z'])
    expect(compareVersions(change.version, version)).toBeGreaterThan(0);
  expect(compareVersions(change.version, '2026-11-22T15:45:01.600001Z')).toBeLessThan(0);
});

describe('results of a live query', () => {
  const collections = { todos: { fields: ['title'] } };
  const table = createTables(readOptions({ url: 'https://x.example', collections })).get('todos');
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
