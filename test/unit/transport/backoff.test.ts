import { describe, expect, test } from 'vitest';
import { backoffDelay } from '../../../src/transport/backoff.js';

const options = { base: 1000, max: 30_000 };

describe('backoffDelay', () => {
  test('its bound doubles from the base up to the cap', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7, 100, 5000].map((attempt) => backoffDelay(attempt, options, () => 1));
    expect(bounds).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  });

  test('the jitter is of the capped bound, and takes all of it', () => {
    expect(backoffDelay(50, options, () => 0)).toBe(0);
    expect(backoffDelay(50, options, () => 0.25)).toBe(7500);
    expect(backoffDelay(50, options, () => 0.999_999)).toBe(30_000);
  });

  test('a thousand clients spread over the whole range', () => {
    const delays = Array.from({ length: 1000 }, () => backoffDelay(20, options));
    for (let tenth = 0; tenth < 10; tenth++) {
      const inTenth = delays.filter((delay) => delay >= tenth * 3000 && delay < (tenth + 1) * 3000).length;
      expect(inTenth, `${tenth}`).toBeGreaterThan(50);
    }
  });

  test('no wait where none is wanted', () => {
    expect(backoffDelay(9, { base: 0, max: 30_000 }, () => 1)).toBe(0);
  });
});
