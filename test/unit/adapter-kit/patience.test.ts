import { expect, test } from 'vitest';
import { createPatience } from '../../../src/adapter-kit/patience.js';

test('a limit that is missed is twice as long the next time, up to its most', () => {
  const patience = createPatience(8);
  const limits = Array.from({ length: 5 }, () => {
    const limit = patience.of(10);
    patience.missed();
    return limit;
  });
  expect(limits).toEqual([10, 20, 40, 80, 80]);
});

test('only a quick answer shortens it again, step by step', () => {
  const patience = createPatience();
  patience.atLeast(4);
  patience.met(70, 100);
  expect(patience.of(100)).toBe(400);
  patience.met(10, 100);
  expect(patience.of(100)).toBe(200);
  patience.met(10, 100);
  patience.met(10, 100);
  expect(patience.of(100)).toBe(100);
});

test('no limit is longer than a timer can be', () => {
  const patience = createPatience();
  patience.atLeast(16);
  expect(patience.of(2 ** 30)).toBe(2 ** 31 - 1);
});
