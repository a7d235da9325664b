import { expect, test } from 'vitest';
import { isSqlState, meaningOf } from '../../../src/adapter-kit/sql-state.js';

test.each([
  ['backend', '08006 53100 53200 53300 57P01 57P03 57P05 58030 25006 PT503 PT429'],
  ['busy', '57014 40001 40P01 55P03 55006 25P03'],
  ['waiting', '23503 42703 42P01'],
  ['retry', '23505 XX000 P0002 54000 0A000'],
  ['final', '21000 22P02 22003 23502 23514 23P01 28000 42501 44000 P0001 PT402'],
])('%s: %s', (meaning, codes) => {
  for (const code of codes.split(' ')) expect(meaningOf(code), code).toBe(meaning);
});

test('other codes are none of PostgreSQL', () => {
  expect(isSqlState('57014')).toBe(true);
  for (const code of ['', 'PGRST204', '5701', 'p0001']) expect(isSqlState(code)).toBe(false);
});
