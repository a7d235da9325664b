import { expect, test } from 'vitest';
import { COMPLETE, GONE, stampOf, timeOf, updatedAtOf, versionOf } from '../../../adapters/appsync/version.js';

test('times become texts that sort, in UTC', () => {
  expect(stampOf('2026-01-02T03:04:05.678Z')).toBe('2026-01-02T03:04:05.678000000');
  expect(stampOf('2026-01-02T03:04:05Z')).toBe('2026-01-02T03:04:05.000000000');
  expect(stampOf('2026-01-02T05:04:05.678901+02:00')).toBe('2026-01-02T03:04:05.678901000');
  for (const wrong of [undefined, null, 5, '', 'today', '2026-01-02', '2026-13-02T03:04:05Z'])
    expect(stampOf(wrong)).toBeUndefined();
  expect(timeOf('2026-01-02T03:04:05.678901000')).toBe(Date.parse('2026-01-02T03:04:05.678Z'));
});

test('versions of a row go up: the next of that millisecond, what was read, its delete, the next millisecond', () => {
  const at = '2026-01-02T03:04:05.678Z';
  const versions = [
    versionOf(at),
    versionOf(at, '0001'),
    versionOf(at, '0010'),
    versionOf(at, COMPLETE),
    versionOf(at, GONE),
    versionOf('2026-01-02T03:04:05.679Z'),
  ];
  expect([...versions].sort()).toEqual(versions);
  for (const version of versions.slice(0, 5)) expect(updatedAtOf(version ?? '')).toBe(at);
});

test('a time that was written in an unusual way comes back as it was: conditions compare texts', () => {
  for (const odd of ['2026-01-02T03:04:05Z', '2026-01-02T05:04:05.678901+02:00', '2026-01-02T03:04:05.6Z']) {
    expect(updatedAtOf(versionOf(odd) ?? '')).toBe(odd);
    expect(updatedAtOf(versionOf(odd, COMPLETE) ?? '')).toBe(odd);
    expect((versionOf(odd) ?? '') < (versionOf(odd, '0001') ?? '')).toBe(true);
  }
});

test("another backend's version stands for no time", () => {
  for (const version of [null, 7, '7', '2026-01-02T03:04:05.123456Z']) expect(updatedAtOf(version)).toBeUndefined();
});
