import { expect, test } from 'vitest';
import { commitBound, repeatedVersion } from '../../../adapters/supabase/normalize.js';
import { completeVersion } from '../../../adapters/supabase/reads.js';
import { stampOf, versionOf } from '../../../src/adapter-kit/postgres-time.js';

test('each event of one stamp is newer than the one before, a completed row than all, a later stamp than that', () => {
  const stamp = '2026-01-02T03:04:05.000001';
  const order = [
    versionOf(stamp),
    repeatedVersion(stamp, 1),
    repeatedVersion(stamp, 2),
    repeatedVersion(stamp, 10),
    completeVersion(versionOf(stamp)),
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
  for (const version of [versionOf(stamp), repeatedVersion(stamp, 999_999), completeVersion(versionOf(stamp))])
    expect(commitBound(stamp) > version, version).toBe(true);
});
