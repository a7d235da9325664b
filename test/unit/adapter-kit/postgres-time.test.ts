import { expect, test } from 'vitest';
import { updatedAtOf } from '../../../src/adapter-kit/postgres-outcome.js';
import { stampAt, stampOf, timeOf, versionOf } from '../../../src/adapter-kit/postgres-time.js';

test.each([
  ['2026-01-02T03:04:05.123456+00:00', '2026-01-02T03:04:05.123456'],
  ['2026-01-02T03:04:05.12+00:00', '2026-01-02T03:04:05.120000'],
  ['2026-01-02T03:04:05+00:00', '2026-01-02T03:04:05.000000'],
  ['2026-01-02T08:34:05.000001+05:30', '2026-01-02T03:04:05.000001'],
  ['2026-01-01T22:04:05.9-05:00', '2026-01-02T03:04:05.900000'],
  ['2026-01-02 03:04:05.123456+00', '2026-01-02T03:04:05.123456'],
  ['2026-01-02T03:04:05.1', '2026-01-02T03:04:05.100000'],
  ['2026-01-02T03:04:05.529Z', '2026-01-02T03:04:05.529000'],
])('%s is %s in UTC, with six digits', (text, stamp) => {
  expect(stampOf(text)).toBe(stamp);
});

test.each([null, undefined, 'infinity', '-infinity', '0044-03-15T00:00:00+00:00 BC', '', 'now', 1_767_323_045, {}])(
  '%j has no place in the order',
  (value) => {
    expect(stampOf(value)).toBeUndefined();
  },
);

test('stamps one microsecond apart sort, and no digit is lost in a timestamp of a version', () => {
  const [a = '', b = ''] = ['2026-01-02T03:04:05.999999+00:00', '2026-01-02T03:04:06+00:00'].map(stampOf);
  expect(a < b).toBe(true);
  expect(updatedAtOf(versionOf(a))).toBe('2026-01-02T03:04:05.999999Z');
  // With what an adapter has put behind it.
  expect(updatedAtOf(`${versionOf(a)}#000012`)).toBe('2026-01-02T03:04:05.999999Z');
  expect(timeOf(a)).toBe(Date.parse('2026-01-02T03:04:05.999Z'));
});

test('a time of a clock is a stamp, too', () => {
  expect(stampAt(Date.parse('2026-01-02T03:04:05.678Z'))).toBe('2026-01-02T03:04:05.678000');
});

test.each([null, 7, '', 'unknown', '0000000012'])('%j is a version of another backend', (version) => {
  expect(updatedAtOf(version)).toBeUndefined();
});
