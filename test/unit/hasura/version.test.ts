import { expect, test } from 'vitest';
import { boundOf } from '../../../adapters/hasura/difference.js';
import { stampAt, versionOf } from '../../../src/adapter-kit/postgres-time.js';

test('a bound is newer than every version up to its time, and older than all later ones', () => {
  const stamp = stampAt(Date.parse('2026-01-02T03:04:05.678Z'));
  expect(boundOf(stamp) > versionOf(stamp)).toBe(true);
  expect(boundOf(stamp) < versionOf('2026-01-02T03:04:05.678001')).toBe(true);
});
