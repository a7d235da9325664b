import { expect, test } from 'vitest';
import { isPage, statusError } from '../../../src/adapter-kit/http-status.js';
import { problemsOf } from '../../../src/adapter-kit/problem.js';

const error = (status: number, page = false) =>
  statusError(problemsOf('acme'), 'Reading "todos"', status, { page, hint: 'Is the url right?' });

test.each([
  [413, 'TOO_LARGE', /larger than the server, or a proxy/],
  [429, 'CONNECTION_LOST', /too many requests/],
  [502, 'CONNECTION_LOST', /gateway has no connection/],
  [503, 'CONNECTION_LOST', /overloaded, is starting, or is down/],
  [504, 'CONNECTION_LOST', /has not answered its gateway/],
  [403, 'CONNECTION_LOST', /firewall or a gateway/],
  [404, 'CONNECTION_LOST', /Is the url right/],
  [200, 'CONNECTION_LOST', /Is the url right/],
  [401, 'AUTH_REQUIRED', /Sign in again/],
])('%i is %s, and its message says what it means', (status, code, message) => {
  expect(error(status)).toMatchObject({ code, message: expect.stringMatching(message), details: { status } });
});

test('a page of a proxy says nothing of the token', () => {
  expect(error(401, true).code).toBe('CONNECTION_LOST');
  expect(isPage('\n <!doctype html>')).toBe(true);
  for (const text of ['{"error":"<b>"}', '', undefined]) expect(isPage(text)).toBe(false);
});
