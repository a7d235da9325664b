import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions, type Version } from '../../../src/base/change.js';
import { differing, rangesOf, within } from '../../../src/sync/count-ranges.js';

const sortedOf = (versions: readonly number[]): Version[] =>
  versions.map((n) => String(n).padStart(9, '0')).sort(compareVersions);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index);
const versions = fc.array(fc.nat(200), { maxLength: 400 }).map(sortedOf);
const seeds = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));

/** Counts in `there`, and how often it did. */
function counter(there: readonly Version[]) {
  const calls: number[] = [];
  return {
    calls,
    count: async (range: Parameters<typeof within>[1]) => {
      const { length } = within(there, range);
      calls.push(length);
      return length;
    },
  };
}

test('ranges hold each version once, and at most a thousand of different ones', () =>
  fc.assert(
    fc.property(versions, fc.nat(), seeds, (sorted, look, random) => {
      const ranges = rangesOf(sorted, look, () => random.next().value as number);
      expect(ranges.flatMap((range) => within(sorted, range))).toEqual(sorted);
      expect([ranges[0]?.from, ranges[0]?.after]).toEqual([undefined, undefined]);
      expect([ranges.at(-1)?.before, ranges.at(-1)?.upTo]).toEqual([undefined, undefined]);
    }),
  ));

test.each([0, 1, 999, 1000, 1001, 10_000, 100_000])('%i rows cost a read for each thousand, and few more', (n) => {
  const sorted = sortedOf(upTo(n));
  for (let time = 0; time < 20; time++) {
    const ranges = rangesOf(sorted, time, Math.random);
    expect(Math.max(...ranges.map((range) => within(sorted, range).length))).toBeLessThanOrEqual(1000);
    expect(ranges.length).toBeLessThanOrEqual(Math.ceil(n / 1000) + 2);
  }
});

test('what is known is not listed', async () => {
  const sorted = sortedOf(upTo(5000));
  const { count, calls } = counter(sorted);
  expect(await differing(sorted, rangesOf(sorted, 0, Math.random), count)).toEqual([]);
  expect(calls.length).toBeLessThanOrEqual(7);
});

test('what is missing, too many or changed unseen is in a range that differs', () =>
  fc.assert(
    fc.asyncProperty(versions, versions, fc.nat(), seeds, async (known, there, look, random) => {
      const { count } = counter(there);
      const found = await differing(
        known,
        rangesOf(known, look, () => random.next().value as number),
        count,
      );
      const rest = (all: readonly Version[]): number =>
        all.length - found.reduce((sum, range) => sum + within(all, range).length, 0);
      // Outside of them both have as many.
      expect(rest(there)).toBe(rest(known));
    }),
  ));

test('one row of many is found for a few counts', async () => {
  const there = sortedOf(upTo(20_000));
  const known = there.filter((_, index) => index !== 12_345);
  const { count, calls } = counter(there);
  const found = await differing(known, rangesOf(known, 0, Math.random), count);
  expect(found.reduce((sum, range) => sum + within(there, range).length, 0)).toBeLessThanOrEqual(17);
  expect(calls.length).toBeLessThan(40);
});

test('rows of one commit are not cut', async () => {
  const known = sortedOf(upTo(100).map(() => 7));
  const { count } = counter([...known, ...sortedOf([7])]);
  const found = await differing(known, rangesOf(known, 0, Math.random), count);
  expect(found.flatMap((range) => within(known, range))).toEqual(known);
});

/** How many looks it takes until something differs. */
async function looksUntilFound(known: readonly Version[], there: readonly Version[]): Promise<number> {
  for (let look = 0; look < 10_000; look++) {
    const found = await differing(known, rangesOf(known, look, Math.random), counter(there).count);
    if (found.length > 0) return look + 1;
  }
  throw new Error('It is never found.');
}

test('a change that left its row among the newest is found within a few looks', async () => {
  const known = sortedOf(upTo(1000));
  // The row that was the 20th newest is the newest, without an event.
  const there = sortedOf([...upTo(1000).filter((n) => n !== 980), 1000]);
  expect(await looksUntilFound(known, there)).toBeLessThan(200);
});

test.each([1, 2, 10, 40])(
  'a row of %i that moved, no further than to the next one, is found after a few rounds',
  async (n) => {
    const known = sortedOf(upTo(n).map((at) => 10 + 10 * at));
    for (let row = 0; row < n; row++)
      for (const by of [-5, 5]) {
        const there = sortedOf(upTo(n).map((at) => 10 + 10 * at + (at === row ? by : 0)));
        // The golden ratio visits each of 2n places within 2.62 rounds.
        expect(await looksUntilFound(known, there)).toBeLessThanOrEqual(Math.ceil(2 * n * 2.62));
      }
  },
);
