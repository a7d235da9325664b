import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DELETED, earlier, FIRST, msOf, stampOf, timeOf } from '../../../adapters/firestore/normalize.js';

const time = fc.record({
  seconds: fc.integer({ min: FIRST.seconds, max: 253_402_300_799 }),
  nanoseconds: fc.nat(999_999_999),
});

test('a stamp keeps every nanosecond, and sorts as the time does', () => {
  fc.assert(
    fc.property(time, (at) => {
      expect(timeOf(stampOf(at))).toEqual(at);
    }),
  );
  fc.assert(
    fc.property(time, time, (a, b) => {
      const order = a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
      expect(stampOf(a) < stampOf(b)).toBe(order < 0);
      expect(stampOf(a) < DELETED).toBe(true);
    }),
  );
});

test('what another backend made is no stamp', () => {
  for (const version of [null, 7, '', '2026-01-02T03:04:05.123456Z', '2026-13-02T03:04:05.123456000Z', DELETED])
    expect(timeOf(version)).toBeUndefined();
});

test('ms, and so many ms earlier', () => {
  const at = { seconds: 10, nanoseconds: 123_456_789 };
  expect(msOf(at)).toBe(10_123);
  expect(earlier(at, 1500)).toEqual({ seconds: 8, nanoseconds: 123_456_789 });
  expect(earlier(FIRST, 1)).toEqual(FIRST);
});
