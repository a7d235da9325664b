import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { createQuery } from '../../../src/query/query.js';
import type { Direction, Operator } from '../../../src/query/types.js';
import { createMemorySource } from './memory-source.js';

const rows: Row[] = [
  { id: 'c', n: 3, done: false, address: { city: 'Oslo' } },
  { id: 'a', n: 1, done: true, address: { city: 'Bergen' } },
  { id: 'd', n: 3, done: false },
  { id: 'b', n: 2, done: false, address: { city: 'Oslo' } },
];
const setup = () => {
  const memory = createMemorySource(rows.map((row) => structuredClone(row)));
  return { ...memory, query: createQuery(memory.source) };
};
const ids = (result: readonly Row[]) => result.map((row) => row.id);

describe('get', () => {
  test('without anything: all rows as they came', async () => {
    expect(ids(await setup().query.get())).toEqual(['c', 'a', 'd', 'b']);
  });

  test('where, orderBy, limit and offset', async () => {
    const { query } = setup();
    const open = query.where('done', '==', false);
    expect(ids(await open.get())).toEqual(['c', 'd', 'b']);
    expect(ids(await open.where('address.city', '==', 'Oslo').get())).toEqual(['c', 'b']);
    expect(ids(await open.where('address', 'isNull').get())).toEqual(['d']);
    expect(ids(await open.orderBy('n').get())).toEqual(['b', 'c', 'd']);
    expect(ids(await query.orderBy('n', 'desc').orderBy('id', 'desc').get())).toEqual(['d', 'c', 'b', 'a']);
    expect(ids(await query.orderBy('n').offset(1).limit(2).get())).toEqual(['b', 'c']);
    expect(ids(await query.offset(1).limit(2).get())).toEqual(['a', 'd']);
    expect(ids(await query.offset(3).get())).toEqual(['b']);
    expect(ids(await query.offset(9).get())).toEqual([]);
    expect(ids(await query.limit(0).get())).toEqual([]);
    expect(ids(await query.orderBy('n').limit(0).get())).toEqual([]);
    expect(ids(await query.limit(1).limit(3).get())).toEqual(['c', 'a', 'd']);
  });

  test('sees what was committed until then', async () => {
    const { query, commit } = setup();
    commit(['a', undefined], ['e', { id: 'e', n: 0 }]);
    expect(ids(await query.orderBy('n').get())).toEqual(['e', 'b', 'c', 'd']);
  });

  test('gives frozen rows in an array of the caller', async () => {
    const { query, source } = setup();
    const result = await query.limit(2).get();
    expect(result.every((row) => Object.isFrozen(row) && Object.isFrozen(row.address))).toBe(true);
    expect(Object.isFrozen(source.rows.get('d'))).toBe(false);
    result.length = 0;
    expect(ids(await query.limit(2).get())).toEqual(['c', 'a']);
  });

  test('a small limit of many rows gives what a whole sort gives', async () => {
    const many = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 0, maxLength: 1500 });
    const window = fc.record({ limit: fc.nat({ max: 60 }), offset: fc.nat({ max: 30 }) });
    await fc.assert(
      fc.asyncProperty(
        many,
        window,
        fc.constantFrom<Direction>('asc', 'desc'),
        async (values, { limit, offset }, direction) => {
          const { source } = createMemorySource(values.map((n, index) => ({ id: `r${index}`, n })));
          const sorted = await createQuery(source).orderBy('n', direction).get();
          const query = createQuery(source).orderBy('n', direction).offset(offset).limit(limit);
          expect(ids(await query.get())).toEqual(ids(sorted.slice(offset, offset + limit)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('without an order a limit ends the search', async () => {
    let reads = 0;
    const many = Array.from({ length: 1000 }, (_, index) => ({
      id: `r${index}`,
      get n() {
        reads++;
        return index;
      },
    }));
    const query = createQuery(createMemorySource(many).source).where('n', '>=', 10);
    expect(ids(await query.offset(1).limit(2).get())).toEqual(['r11', 'r12']);
    expect(await query.limit(2).count()).toBe(2);
    expect(reads).toBeLessThan(40);
  });

  test('a small limit does not sort everything', async () => {
    let reads = 0;
    const size = 20_000;
    const many = Array.from({ length: size }, (_, index) => ({
      id: `r${index}`,
      get n() {
        reads++;
        return (index * 7919) % size;
      },
    }));
    const { source } = createMemorySource(many);
    expect(await createQuery(source).orderBy('n').limit(10).get()).toHaveLength(10);
    // A whole sort reads each row about 2 log2(20 000) = 28 times.
    expect(reads).toBeLessThan(size * 4);
  });
});

test('first', async () => {
  const { query, source } = setup();
  expect(await query.orderBy('n').first()).toBe(source.rows.get('a'));
  expect(Object.isFrozen(source.rows.get('a'))).toBe(true);
  expect((await query.orderBy('n').offset(1).limit(5).first())?.id).toBe('b');
  expect(await query.where('n', '>', 9).first()).toBe(undefined);
  expect(await query.limit(0).first()).toBe(undefined);
});

test('count is the length of get', async () => {
  const { query, source } = setup();
  expect(await query.count()).toBe(4);
  expect(await query.where('done', '==', false).orderBy('n').count()).toBe(3);
  expect(await query.limit(3).count()).toBe(3);
  expect(await query.offset(3).limit(3).count()).toBe(1);
  expect(await query.offset(9).count()).toBe(0);
  expect([...source.rows.values()].some(Object.isFrozen)).toBe(false);
});

test('a query is immutable', async () => {
  const { query } = setup();
  const open = query.where('done', '==', false);
  const narrowed = open.where('n', '>', 2).orderBy('id', 'desc').limit(1).offset(1);
  expect(ids(await narrowed.get())).toEqual(['c']);
  expect(ids(await open.get())).toEqual(['c', 'd', 'b']);
  expect(await query.count()).toBe(4);
});

test('methods can be passed on without their object', async () => {
  const { where, limit } = setup().query;
  const { count } = where('done', '==', false);
  expect(await count()).toBe(3);
  expect(await limit(1).get()).toHaveLength(1);
});

test('works on rows that are still loading', async () => {
  const { source } = createMemorySource(rows, { ready: false });
  expect(await createQuery(source).count()).toBe(4);
});

describe('mistakes throw where they are made', () => {
  const { query } = setup();
  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5' as never])('limit(%s) and offset(%s)', (count) => {
    for (const method of ['limit', 'offset'] as const) {
      expect(() => query[method](count)).toThrow(
        expect.objectContaining({
          code: 'VALIDATION_FAILED',
          message: `${method}(${count}) needs an integer, 0 or more.`,
        }),
      );
    }
  });

  test('where, orderBy, watch and a spec', () => {
    const failed = expect.objectContaining({ code: 'VALIDATION_FAILED' });
    expect(() => query.watch(5 as never)).toThrow(failed);
    expect(() => query.where('n', 'like' as Operator, 1)).toThrow(failed);
    expect(() => query.where('n', 'in', 1 as never)).toThrow(failed);
    expect(() => query.orderBy('n', 'down' as Direction)).toThrow(failed);
    expect(() => createQuery(createMemorySource().source, { conditions: [], order: [], offset: -1 })).toThrow(failed);
  });
});

describe('watch with a callback', () => {
  test('tells rows and loading until it is stopped', async () => {
    const { query, commit, listeners } = setup();
    const seen: unknown[] = [];
    const stop = query
      .where('done', '==', false)
      .orderBy('n')
      .limit(2)
      .watch((rows, { loading }) => seen.push([ids(rows), loading]));
    await Promise.resolve();
    commit(['b', { id: 'b', n: 2, done: true }], ['x', { id: 'x', n: 9, done: true }]);
    stop();
    commit(['c', undefined]);
    expect(seen).toEqual([
      [['b', 'c'], false],
      [['c', 'd'], false],
    ]);
    expect(listeners()).toBe(0);
  });

  test('onError gets what it throws', async () => {
    const { source } = setup();
    const errors: unknown[] = [];
    const boom = new Error('boom');
    createQuery(source, undefined, (error) => errors.push(error))
      .limit(1)
      .watch(() => {
        throw boom;
      });
    await Promise.resolve();
    expect(errors).toEqual([boom]);
  });
});
