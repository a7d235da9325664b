import { expect, test } from 'vitest';
import { createAuditPace, type Look } from '../../../src/sync/audit-pace.js';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** Lets a day and more pass; what each look was, and what all of them cost. */
async function idle(
  { days = 1, expected = 0 },
  cost: (compare: boolean, index: number) => Partial<Look>,
): Promise<{ looks: number; comparisons: number; reads: number; first: number | undefined }> {
  let now = 0;
  const looks: { compare: boolean; reads: number; at: number }[] = [];
  const look = async (compare: boolean): Promise<Look> => {
    const result = { reads: 0, news: 0, ...cost(compare, looks.length) };
    looks.push({ compare, reads: result.reads, at: now });
    return result;
  };
  const audit = createAuditPace({ shortest: 5 * MINUTE, expected: () => expected, look }, () => now);
  for (now += 5 * MINUTE; now < days * DAY; ) now += await audit();
  const comparisons = looks.filter(({ compare }) => compare);
  return {
    looks: looks.length,
    comparisons: comparisons.length,
    reads: looks.reduce((sum, { reads }) => sum + reads, 0),
    first: comparisons[0]?.at,
  };
}

test('a backend that does not charge is compared every time', async () => {
  const { looks, comparisons } = await idle({}, () => ({}));
  expect([looks, comparisons]).toEqual([287, 287]);
});

test.each([1000, 10_000, 100_000, 1_000_000])(
  '%i rows that are counted cost under a thousand reads a day',
  async (rows) => {
    const price = Math.ceil(rows / 1000) + 2;
    const days = 30;
    const { reads, comparisons } = await idle({ days, expected: price }, (compare) => ({
      reads: compare ? price + 1 : 1,
    }));
    expect(comparisons).toBeGreaterThan(days / 3);
    expect(reads / days).toBeLessThan(1000);
  },
);

test('rows that must all be read are compared the more seldom', async () => {
  const { reads, first } = await idle({ days: 60, expected: 10_000 }, (compare) => ({ reads: compare ? 10_000 : 1 }));
  expect(first).toBeGreaterThan(19 * DAY);
  expect(reads / 60).toBeLessThan(1000);
});

test('a pull that reads everything each time is not made every few minutes', async () => {
  const { reads } = await idle({ days: 60, expected: 10_000 }, () => ({ reads: 10_000 }));
  expect(reads / 60).toBeLessThan(1500);
});

test('news are not overhead', async () => {
  const { looks } = await idle({ expected: 3 }, (compare) => ({ reads: compare ? 4003 : 4001, news: 4000 }));
  expect(looks).toBe(287);
});

test('one look that read much, for what it had to mend or beside others, does not put the next one off', async () => {
  for (const kind of [true, false]) {
    let spikes = 0;
    const { comparisons, looks } = await idle({ expected: 3 }, (compare, index) => ({
      reads: compare === kind && index > 50 && spikes++ === 0 ? 20_000 : compare ? 4 : 1,
    }));
    expect(spikes).toBeGreaterThan(0);
    expect(comparisons).toBeGreaterThan(80);
    expect(looks).toBe(287);
  }
});

test('no timer runs for longer than an hour, however seldom it is looked', async () => {
  let now = 0;
  const looks: number[] = [];
  const look = async (): Promise<Look> => {
    looks.push(now);
    return { reads: 1e6, news: 0 };
  };
  const audit = createAuditPace({ shortest: 5 * MINUTE, expected: () => 1e6, look }, () => now);
  for (now += 5 * MINUTE; now < 5000 * DAY; ) {
    const wait = await audit();
    expect(wait).toBeLessThanOrEqual(60 * MINUTE);
    now += wait;
  }
  expect(looks.map((at) => Math.round(at / DAY))).toEqual([0, 2000, 2000, 4000, 4000]);
});

test('a clock that is set back puts no look off', async () => {
  let now = 400 * DAY;
  const looks: boolean[] = [];
  const look = async (compare: boolean): Promise<Look> => {
    looks.push(compare);
    return { reads: 1000, news: 0 };
  };
  const audit = createAuditPace({ shortest: 5 * MINUTE, expected: () => 1000, look }, () => now);
  now += 5 * MINUTE;
  await audit();
  now = 0;
  await audit();
  expect(looks).toEqual([false, true]);
});
