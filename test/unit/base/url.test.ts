import { expect, test } from 'vitest';
import { parseUrl } from '../../../src/base/url.js';

test.each([
  'https://example.com',
  'https://API.example.com:443/',
  'http://127.0.0.1:8080/v1/graphql',
  'ws://[::1]:9000/ws?a=1&b=2',
  'wss://user:secret@example.com/path#hash',
  'HTTPS://example.com:8443/a/b/?q=a%20b',
  'http://localhost:80?x',
])('reads %s as the platform does', (text) => {
  const url = new URL(text);
  const user = url.username + (url.password && `:${url.password}`);
  expect(parseUrl(text)).toEqual({
    scheme: url.protocol.slice(0, -1),
    user,
    // The platform leaves out the port that is the scheme's own.
    host: url.host,
    path: url.pathname,
    query: url.search,
    hash: url.hash,
  });
});

test.each([
  undefined,
  5,
  '',
  'example.com',
  '/sync',
  'https://',
  'https:///path',
  'https://a b',
  'https://example.com:x',
])('%j is no address', (text) => {
  expect(parseUrl(text)).toBeUndefined();
});
