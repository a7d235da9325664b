import { expect, test } from 'vitest';
import { withoutToken } from '../../../adapters/websocket/errors.js';

test('a token that a server quotes is hidden', () => {
  expect(withoutToken('The token "eyJhbGciOiJIUzI1NiJ9.x" is bad.', 'eyJhbGciOiJIUzI1NiJ9.x')).toBe(
    'The token "(token)" is bad.',
  );
  expect(withoutToken('xeyJhbGciOiJIUzI1NiJ9.xy', 'eyJhbGciOiJIUzI1NiJ9.x')).toBe('x(token)y');
  expect(withoutToken('Nothing.', undefined)).toBe('Nothing.');
  expect(withoutToken('Nothing.', '')).toBe('Nothing.');
});

test('a short token is hidden where it stands alone, and leaves words as they are', () => {
  expect(withoutToken('authentication failed: no such user "auth", auth', 'auth')).toBe(
    'authentication failed: no such user "(token)", (token)',
  );
  expect(withoutToken('a bad token: a.', 'a')).toBe('(token) bad token: (token).');
});
