import { expect, test } from 'vitest';
import {
  commitBound,
  completeVersion,
  stampOf,
  timeOf,
  updatedAtOf,
  versionOf,
} from '../../../adapters/supabase/version.js';

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
  expect(updatedAtOf(versionOf(a, 12))).toBe('2026-01-02T03:04:05.999999Z');
  expect(timeOf(a)).toBe(Date.parse('2026-01-02T03:04:05.999Z'));
});

test('each event of one stamp is newer than the one before, a completed row than all, a later stamp than that', () => {
  const stamp = '2026-01-02T03:04:05.000001';
  const order = [
    versionOf(stamp),
    versionOf(stamp, 1),
    versionOf(stamp, 2),
    versionOf(stamp, 10),
    completeVersion(stamp),
    versionOf('2026-01-02T03:04:05.000002'),
  ];
  expect([...order].sort()).toEqual(order);
});

test('a delete committed in the millisecond of the last write is not older than it', () => {
  const written = versionOf('2026-01-02T03:04:05.123456');
  expect(commitBound(stampOf('2026-01-02T03:04:05.123Z') ?? '') > written).toBe(true);
  expect(commitBound(stampOf('2026-01-02T03:04:05.122Z') ?? '') < written).toBe(true);
});

test('a delete is newer than any version of its millisecond, in its last microsecond too', () => {
  const stamp = '2026-01-02T03:04:05.123999';
  for (const version of [versionOf(stamp), versionOf(stamp, 999_999), completeVersion(stamp)])
    expect(commitBound(stamp) > version, version).toBe(true);
});

test.each([null, 7, '', 'unknown', '0000000012'])('%j is a version of another backend', (version) => {
  expect(updatedAtOf(version)).toBeUndefined();
});
