import { expect, test } from 'vitest';
import { channelError } from '../../../adapters/supabase/errors.js';

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
