import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { compileOrder } from '../../../src/query/order.js';
import type { Direction } from '../../../src/query/types.js';

const by = (...keys: [path: string, direction: Direction][]) =>
  compileOrder(keys.map(([path, direction]) => ({ path, direction }))).compare;

const ladder: unknown[] = [
  undefined,
  false,
  true,
  Number.NaN,
  Number.NEGATIVE_INFINITY,
  -1,
  0,
  2,
  10,
  '',
  '10',
  '2',
  'B',
  'a',
  'b',
  'ä',
  {},
];
const shuffled = (values: readonly unknown[]) => {
  const rows = values.map((value, index) => ({ id: String.fromCharCode(97 + index), value }) as Row);
  return [...rows.filter((_, index) => index % 2), ...rows.filter((_, index) => !(index % 2)).reverse()];
};

test('values of all types have one order, and desc is its reverse', () => {
  const up = shuffled(ladder).sort(by(['value', 'asc']));
  expect(up.map((row) => row.value)).toEqual(ladder);
  const down = shuffled(ladder).sort(by(['value', 'desc']));
  expect(down.map((row) => row.value)).toEqual([...ladder].reverse());
});

test('null equals missing, -0 equals 0, objects and arrays equal one another: the id decides, ascending in both directions', () => {
  for (const values of [
    [null, undefined, null],
    [0, -0, 0],
    [Number.NaN, Number.NaN],
    [{ a: 1 }, [], { a: 0 }, ['z']],
  ]) {
    for (const direction of ['asc', 'desc'] as const) {
      const ids = shuffled(values)
        .sort(by(['value', direction]))
        .map((row) => row.id);
      expect(ids).toEqual([...ids].sort());
    }
  }
});

test('several keys, nested', () => {
  const rows = [
    { id: '1', a: { b: 1 }, c: 'x' },
    { id: '2', a: { b: 2 }, c: 'x' },
    { id: '3', a: { b: 2 }, c: 'y' },
    { id: '4', a: {}, c: 'y' },
  ];
  expect(rows.sort(by(['a.b', 'desc'], ['c', 'asc'])).map((row) => row.id)).toEqual(['2', '3', '1', '4']);
  expect(rows.sort(by(['c', 'desc'], ['a.b', 'asc'])).map((row) => row.id)).toEqual(['4', '3', '1', '2']);
});

test('without keys, and on ties, the given last reader decides', () => {
  const { compare } = compileOrder([], (row) => row.place);
  expect(compare({ id: 'a', place: 2 }, { id: 'b', place: 1 })).toBeGreaterThan(0);
});

describe('is a total order', () => {
  const value = fc.oneof(
    fc.constantFrom(...ladder, null, -0, [], [1]),
    fc.integer(),
    fc.double(),
    fc.string({ unit: 'binary' }),
  );
  const rows = fc.uniqueArray(fc.record({ id: fc.string(), a: value, b: value }), {
    selector: (row) => row.id,
    minLength: 3,
    maxLength: 3,
  });
  const order = fc.constantFrom<[string, Direction][]>(
    [['a', 'asc']],
    [['a', 'desc']],
    [
      ['a', 'desc'],
      ['b', 'asc'],
    ],
  );

  test('antisymmetric, transitive, and 0 only for the same id', () => {
    fc.assert(
      fc.property(rows, order, (rows, order) => {
        const compare = by(...order);
        const [x, y, z] = rows as unknown as [Row, Row, Row];
        expect(Math.sign(compare(x, y))).toBe(-Math.sign(compare(y, x)));
        expect(compare(x, { ...x })).toBe(0);
        expect(compare(x, y)).not.toBe(0);
        if (compare(x, y) < 0 && compare(y, z) < 0) expect(compare(x, z)).toBeLessThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  test('keys agree with it', () => {
    fc.assert(
      fc.property(rows, order, ([x, y], order) => {
        const { key, compareKeys, compare } = compileOrder(order.map(([path, direction]) => ({ path, direction })));
        const byKey = compareKeys(key(x as Row), key(y as Row));
        if (byKey !== 0) expect(Math.sign(compare(x as Row, y as Row))).toBe(Math.sign(byKey));
      }),
    );
  });
});

test('an unknown direction is an error that says what to do', () => {
  expect(() => by(['text', 'DESC' as Direction])).toThrow(
    expect.objectContaining({ code: 'VALIDATION_FAILED', message: "orderBy('text', 'DESC') needs 'asc' or 'desc'." }),
  );
});
