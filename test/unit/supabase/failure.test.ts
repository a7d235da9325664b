import { describe, expect, test } from 'vitest';
import { restError } from '../../../adapters/supabase/errors.js';
import { refusalOf } from '../../../src/adapter-kit/refusal.js';

test.each([
  ['read', 401, 'PGRST301', 'AUTH_REQUIRED'],
  ['read', 401, 'PGRST303', 'AUTH_REQUIRED'],
  ['read', 401, '42501', 'SUBSCRIBE_REJECTED'],
  ['read', 400, 'PGRST100', 'SUBSCRIBE_REJECTED'],
  ['read', 503, 'PGRST001', 'CONNECTION_LOST'],
  ['read', 504, 'PGRST003', 'CONNECTION_LOST'],
  ['read', 500, '57014', 'CONNECTION_LOST'],
  // Right after a migration.
  ['read', 404, 'PGRST205', 'CONNECTION_LOST'],
  ['read', 404, '42P01', 'CONNECTION_LOST'],
  ['write', 400, 'PGRST204', 'WAITING'],
  ['write', 404, 'PGRST205', 'WAITING'],
  ['write', 403, '42501', 'PUSH_REJECTED'],
  ['write', 401, '42501', 'WAITING'],
  ['write', 400, '22P05', 'PUSH_REJECTED'],
  ['write', 400, '23502', 'PUSH_REJECTED'],
  ['write', 400, 'P0001', 'PUSH_REJECTED'],
  ['write', 402, 'PT402', 'PUSH_REJECTED'],
] as const)('a %s that is answered with %i (%s) is %s', (kind, status, code, expected) => {
  const error = restError('Reading "todos"', kind, { status, code, message: 'words' });
  expect(error).toMatchObject({ code: expected, adapter: 'supabase', message: expect.stringContaining('words') });
});

test.each([
  ['23503', 'waiting'],
  ['PGRST204', 'waiting'],
  ['23505', 'retry'],
  ['P0002', 'retry'],
  ['23514', 'rejected'],
  // The database is away, busy or locked: that is nothing about the row.
  ['57014', undefined],
  ['40P01', undefined],
  ['40001', undefined],
  ['55P03', undefined],
  ['57P01', undefined],
  ['53300', undefined],
  ['08006', undefined],
  ['PGRST001', undefined],
  ['PGRST000', undefined],
])('a write refused with %s is answered by "%s"', (code, type) => {
  expect(refusalOf(restError('Updating "todos"', 'write', { status: 500, code }))?.type).toBe(type);
});

describe('without a code that a database or PostgREST knows, nobody has spoken of the request', () => {
  const kinds = ['read', 'write'] as const;

  test.each([
    [400, '', 'CONNECTION_LOST'],
    [400, 'nonsense', 'CONNECTION_LOST'],
    [404, undefined, 'CONNECTION_LOST'],
    [403, undefined, 'CONNECTION_LOST'],
    [429, undefined, 'CONNECTION_LOST'],
    [502, undefined, 'CONNECTION_LOST'],
    [0, undefined, 'CONNECTION_LOST'],
    [413, undefined, 'TOO_LARGE'],
    // The gateway's: no API key, or a wrong one.
    [401, undefined, 'AUTH_REQUIRED'],
  ])('%i (%s)', (status, code, expected) => {
    for (const kind of kinds) expect(restError('It', kind, { status, code, message: '' }).code).toBe(expected);
  });

  test('a page of a gateway is not quoted, and says nothing of the token', () => {
    for (const status of [401, 403, 502]) {
      const error = restError('It', 'write', { status, message: '<html><body>Denied</body></html>' });
      expect(error.code).toBe('CONNECTION_LOST');
      expect(error.message).not.toContain('html');
    }
  });
});
