import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSecondLook } from '../../../src/sync/second-look.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('where reads are as new as writes, an older row is believed at once', () => {
  expect(createSecondLook(() => false)('a', 1)).toBe(true);
});

test('where reads can lag behind, the same version must be seen twice, with time in between', () => {
  const believes = createSecondLook(() => true);
  expect(believes('a', 1)).toBe(false);
  vi.advanceTimersByTime(4999);
  expect(believes('a', 1), 'the lag may not be over').toBe(false);
  vi.advanceTimersByTime(1);
  expect(believes('b', 1), 'another record').toBe(false);
  expect(believes('a', 1)).toBe(true);
});

test('another version begins anew', () => {
  const believes = createSecondLook(() => true);
  believes('a', 1);
  vi.advanceTimersByTime(5000);
  expect(believes('a', 2)).toBe(false);
  vi.advanceTimersByTime(5000);
  expect(believes('a', 2)).toBe(true);
});
