import { expect, test } from 'vitest';
import { channelError, restError } from '../../../adapters/supabase/failure.js';

test.each([
  ['read', 0, undefined, 'CONNECTION_LOST'],
  ['read', 401, 'PGRST301', 'AUTH_REQUIRED'],
  ['read', 401, 'PGRST303', 'AUTH_REQUIRED'],
  ['write', 401, undefined, 'AUTH_REQUIRED'],
  ['read', 401, '42501', 'SUBSCRIBE_REJECTED'],
  ['read', 404, 'PGRST205', 'SUBSCRIBE_REJECTED'],
  ['read', 503, 'PGRST001', 'CONNECTION_LOST'],
  ['read', 504, 'PGRST003', 'CONNECTION_LOST'],
  ['read', 500, '57014', 'CONNECTION_LOST'],
  ['write', 403, '42501', 'PUSH_REJECTED'],
  ['write', 400, '22P05', 'PUSH_REJECTED'],
  ['write', 400, '23502', 'PUSH_REJECTED'],
  ['write', 400, 'P0001', 'PUSH_REJECTED'],
  ['write', 400, 'PGRST204', 'PUSH_REJECTED'],
  ['write', 413, undefined, 'PUSH_REJECTED'],
  ['write', 429, undefined, 'CONNECTION_LOST'],
] as const)('a %s that is answered with %i (%s) is %s', (kind, status, code, expected) => {
  const error = restError('Reading "todos"', kind, { status, code, message: 'words' });
  expect(error).toMatchObject({ code: expected, adapter: 'supabase' });
});

test.each([
  ['23503', '23503'],
  ['23505', '23505'],
  ['40P01', '40P01'],
  ['57014', '57014'],
  ['P0002', 'P0002'],
  // The database is away: that is nothing about the row.
  ['57P01', undefined],
  ['53300', undefined],
  ['08006', undefined],
  ['PGRST001', undefined],
])('a write refused with %s may pass later, and its row is to blame: %s', (code, sqlState) => {
  const error = restError('Updating "todos"', 'write', { status: 500, code });
  expect(error.code).toBe('CONNECTION_LOST');
  expect(error.details.sqlState).toBe(sqlState);
});

// What supabase-js and Realtime say, word by word.
test.each([
  ['heartbeat timeout', 'HEARTBEAT_TIMEOUT'],
  ['socket closed: 1012', 'CONNECTION_LOST'],
  ['channel error: transport failure', 'CONNECTION_LOST'],
  ['channel error: connection lost', 'CONNECTION_LOST'],
  ['InvalidJWTToken: Token has expired 97 seconds ago', 'AUTH_REQUIRED'],
  ['JwtSignatureError: Failed to validate JWT signature', 'AUTH_REQUIRED'],
  ['MalformedJWT: The token provided is not a valid JWT', 'AUTH_REQUIRED'],
  ['Token has expired 3 seconds ago', 'AUTH_REQUIRED'],
  [':signature_error', 'AUTH_REQUIRED'],
  ['Fields `role` and `exp` are required in JWT', 'AUTH_REQUIRED'],
  [
    'Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: *, schema: public, table: nopub, filters: [], select: nil]',
    'CONNECT_FAILED',
  ],
  [
    'Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: [event: *]. Exception: ERROR P0001 (raise_exception) invalid column for filter nope',
    'SUBSCRIBE_REJECTED',
  ],
  ['Error parsing `filter` params: ["foo", "1"]', 'SUBSCRIBE_REJECTED'],
  ['Unauthorized: You do not have permissions to read from this Channel topic: room:2', 'SUBSCRIBE_REJECTED'],
  ['mismatch between server and client bindings for postgres changes', 'CONNECT_FAILED'],
  ['the server closed it (CLOSED)', 'CONNECT_FAILED'],
  // supabase-js quotes why a join was refused.
  ['"InvalidJWTToken: Token has expired 97 seconds ago"', 'AUTH_REQUIRED'],
  // Names of the app's that hold the words.
  [
    'Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: *, schema: public, table: jwt_tokens, filters: [], select: nil]',
    'CONNECT_FAILED',
  ],
  [
    'Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: [event: *, table: tokens]. Exception: ERROR P0001 (raise_exception) invalid column for filter token',
    'SUBSCRIBE_REJECTED',
  ],
  [
    'Unauthorized: You do not have permissions to read from this Channel topic: token:InvalidJWTToken',
    'SUBSCRIBE_REJECTED',
  ],
])('"%s" is %s', (said, code) => {
  expect(channelError('todos', said)).toMatchObject({ code, message: expect.stringContaining(said) });
});
