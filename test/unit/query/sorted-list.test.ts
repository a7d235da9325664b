import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSortedList } from '../../../src/query/sorted-list.js';

interface Item {
  readonly id: number;
  readonly rank: number;
  readonly note?: string;
}

/** Counts comparisons: the cost that must not grow with the list. */
function createList(items: readonly Item[]) {
  let comparisons = 0;
  const list = createSortedList<Item>(
    {
      key: (item) => item.rank,
      compareKeys: (a, b) => {
        comparisons++;
        return (a as number) - (b as number);
      },
      compare: (a, b) => a.rank - b.rank || a.id - b.id,
    },
    items,
  );
  return { list, spent: () => comparisons };
}

const sorted = (items: Iterable<Item>) => [...items].sort((a, b) => a.rank - b.rank || a.id - b.id);
const ALL = Number.POSITIVE_INFINITY;

test('loads unsorted items and leaves the given array alone', () => {
  const items = [3, 1, 2].map((rank, id) => ({ id, rank }));
  const given = [...items];
  const { list } = createList(items);
  expect(list.slice(0, ALL)).toEqual(sorted(items));
  expect(items).toEqual(given);
});

test('an empty list takes items, gives them back, and takes items again', () => {
  const { list } = createList([]);
  expect(list.slice(0, ALL)).toEqual([]);
  list.remove({ id: 1, rank: 1 });
  for (let round = 0; round < 2; round++) {
    list.put({ id: 1, rank: 1 });
    expect(list.slice(0, ALL)).toEqual([{ id: 1, rank: 1 }]);
    list.remove({ id: 1, rank: 1 });
    expect(list.slice(0, ALL)).toEqual([]);
  }
});

test('an equal item is replaced, an absent one is not missed, and an equal copy can be removed', () => {
  const { list } = createList([
    { id: 1, rank: 1 },
    { id: 2, rank: 1 },
  ]);
  const replacement = { id: 1, rank: 1, note: 'new' };
  list.put(replacement);
  expect(list.slice(0, ALL)).toHaveLength(2);
  expect(list.slice(0, 1)[0]).toBe(replacement);
  list.remove({ id: 3, rank: 1 });
  list.remove({ id: 1, rank: 2 });
  expect(list.slice(0, ALL)).toHaveLength(2);
  list.remove({ id: 1, rank: 1 });
  expect(list.slice(0, ALL)).toEqual([{ id: 2, rank: 1 }]);
});

describe('windows', () => {
  const items = sorted(Array.from({ length: 1000 }, (_, id) => ({ id, rank: (id * 7919) % 1000 })));
  const { list } = createList(items);
  test.each([
    [0, 0],
    [0, 1],
    [0, 128],
    [127, 2],
    [128, 128],
    [100, 700],
    [999, 5],
    [1000, 5],
    [5000, 1],
    [0, ALL],
    [300, ALL],
  ])('slice(%s, %s)', (offset, limit) =>
    expect(list.slice(offset, limit)).toEqual(items.slice(offset, offset + limit)),
  );

  test('a window is a copy', () => {
    list.slice(0, 10).length = 0;
    expect(list.slice(0, ALL)).toEqual(items);
  });
});

test('thousands of random changes leave what a plain array would hold', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 700 }),
      // Few ranks make many ties, many ranks none.
      fc.constantFrom(10, 100_000),
      fc.array(fc.tuple(fc.nat({ max: 900 }), fc.option(fc.nat({ max: 100_000 }))), { minLength: 1, maxLength: 2000 }),
      (initial, ranks, steps) => {
        const model = new Map(Array.from({ length: initial }, (_, id) => [id, { id, rank: id % ranks } as Item]));
        const { list } = createList([...model.values()]);
        for (const [id, rank] of steps) {
          const before = model.get(id);
          if (before) list.remove(before);
          model.delete(id);
          if (rank === null) continue;
          const after = { id, rank: rank % ranks };
          list.put(after);
          model.set(id, after);
        }
        expect(list.slice(0, ALL)).toEqual(sorted(model.values()));
      },
    ),
    { numRuns: 100 },
  );
});

test('what was put behind the loaded items is found again', () => {
  const items = Array.from({ length: 2000 }, (_, id) => ({ id, rank: id }));
  const { list } = createList(items.slice(0, 300));
  for (const item of items.slice(300)) list.put(item);
  for (const item of items.slice(250)) list.remove(item);
  expect(list.slice(0, ALL)).toEqual(items.slice(0, 250));
});

test.each([
  ['at the front', (step: number) => -step],
  ['at the end', (step: number) => 1e9 + step],
  ['in the middle', (step: number) => 500 + 1 / (step + 1)],
])('growing %s by 10 000 and shrinking to nothing', (_, rank) => {
  const { list } = createList([]);
  const items = Array.from({ length: 10_000 }, (_, id) => ({ id, rank: rank(id) }));
  for (const item of items) list.put(item);
  expect(list.slice(0, ALL)).toEqual(sorted(items));
  for (const item of items.slice(0, 9_999)) list.remove(item);
  expect(list.slice(0, ALL)).toEqual(items.slice(9_999));
  for (const item of items) list.remove(item);
  expect(list.slice(0, ALL)).toEqual([]);
});

test('a change at 100 000 items costs about the comparisons of one at 1 000', () => {
  const cost = (size: number) => {
    const items = Array.from({ length: size }, (_, id) => ({ id, rank: (id * 7919) % size }));
    const { list, spent } = createList(items);
    const loaded = spent();
    for (let step = 0; step < 1000; step++) {
      const item = items[(step * 31) % size] as Item;
      list.remove(item);
      list.put(item);
    }
    return (spent() - loaded) / 2000;
  };
  // log2(100 000) is 17, and one place more in each of the two searches.
  expect(cost(100_000)).toBeLessThan(20);
  expect(cost(100_000)).toBeLessThan(cost(1000) + 8);
});
