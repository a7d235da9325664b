import { expect, test } from 'vitest';
import { rollout } from '../../../src/config/rollout.js';

const users = Array.from({ length: 10_000 }, (_, n) => `user-${n}`);
const inside = (percent: number, name?: string): Set<string> =>
  new Set(users.filter((key) => rollout({ percent, key, ...(name !== undefined && { name }) })));

test('0 is nobody, 100 is everybody', () => {
  expect(inside(0).size).toBe(0);
  expect(inside(100).size).toBe(users.length);
});

test.each([1, 5, 20, 50, 90])('%s percent of the users are in', (percent) => {
  const share = (inside(percent).size / users.length) * 100;
  // Four standard deviations.
  expect(Math.abs(share - percent)).toBeLessThan(4 * Math.sqrt((percent * (100 - percent)) / users.length));
});

test('a user gets the same answer each time, and stays in as the share grows', () => {
  const [few, more] = [inside(10), inside(30)];
  expect(inside(10)).toEqual(few);
  for (const key of few) expect(more.has(key)).toBe(true);
});

test('another roll-out has other users first', () => {
  const [a, b] = [inside(10, 'a'), inside(10, 'b')];
  const shared = [...a].filter((key) => b.has(key)).length;
  expect(shared).toBeLessThan(200);
});

test.each([{ percent: -1 }, { percent: 101 }, { percent: Number.NaN }, { key: '' }])('%j is refused', (wrong) => {
  expect(() => rollout({ percent: 10, key: 'me', ...wrong })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});
