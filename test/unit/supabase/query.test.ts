import { expect, test } from 'vitest';
import { behind, conditionOf, inUrls, listOf, nameOf, quote, unchanged } from '../../../adapters/supabase/table.js';

const columns = { updatedAt: 'updated_at', id: 'id' };

test('values in a condition are quoted, and what would end the quotes is escaped', () => {
  expect(quote('a,b)')).toBe('"a,b)"');
  expect(quote('say "hi"\\')).toBe('"say \\"hi\\"\\\\"');
  expect(listOf(['a', 'b"', 'c,d'])).toBe('("a","b\\"","c,d")');
});

test('names that PostgREST reads otherwise are quoted, all others are not', () => {
  expect(['id', 'updated_at', '_x1', 'order', 'or', 'a.b', 'c,d', 'e f', 'g(h)'].map(nameOf)).toEqual([
    'id',
    'updated_at',
    '_x1',
    '"order"',
    '"or"',
    '"a.b"',
    '"c,d"',
    '"e f"',
    '"g(h)"',
  ]);
});

test('a page goes on behind the last row, in the order of both columns', () => {
  expect(behind(columns, '2026-01-02T03:04:05.1+00:00', 'x")')).toBe(
    'updated_at.gt."2026-01-02T03:04:05.1+00:00",and(updated_at.eq."2026-01-02T03:04:05.1+00:00",id.gt."x\\")")',
  );
});

test('a compare-and-set names each row with its time', () => {
  const rows = [
    { id: 'a', at: '2026-01-02T03:04:05.000001Z' },
    { id: 'b,c', at: '2026-01-02T03:04:05.000002Z' },
  ];
  expect(unchanged(columns, rows)).toBe(
    'and(id.eq."a",updated_at.eq."2026-01-02T03:04:05.000001Z"),and(id.eq."b,c",updated_at.eq."2026-01-02T03:04:05.000002Z")',
  );
});

test('lists of ids are cut so that each fits into a URL, and none is lost', () => {
  const ids = Array.from({ length: 300 }, (_, index) => `${index}-${'é'.repeat(index % 50)}`);
  const parts = inUrls(ids, (id) => id);
  expect(parts.flat()).toEqual(ids);
  expect(parts.length).toBeGreaterThan(1);
  for (const part of parts) expect(encodeURIComponent(listOf(part)).length).toBeLessThan(6000);
  // One id alone may be longer than a URL should be; it is sent alone.
  expect(inUrls(['x'.repeat(7000), 'y'], (id) => id)).toHaveLength(2);
  expect(inUrls([], (id: string) => id)).toEqual([]);
});

test('a filter is taken apart at its first dot', () => {
  expect(conditionOf('user_id=eq.4.2')).toEqual({ column: 'user_id', operator: 'eq', value: '4.2' });
  expect(conditionOf('a=not.in.(x,y)')).toEqual({ column: 'a', operator: 'not.in', value: '(x,y)' });
  expect(conditionOf('a=eq.')).toEqual({ column: 'a', operator: 'eq', value: '' });
  expect(['a', 'a=', 'a=5', '=eq.5'].map(conditionOf)).toEqual([undefined, undefined, undefined, undefined]);
});
