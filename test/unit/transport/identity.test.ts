import { describe, expect, test } from 'vitest';
import { isOwn, userChange } from '../../../src/transport/identity.js';
import { subjectOf } from '../../../src/transport/jwt.js';

test.each([
  [undefined, undefined, 'same'],
  [undefined, 'ann', 'first'],
  [undefined, null, 'first'],
  ['ann', 'ann', 'same'],
  ['ann', 'bob', 'other'],
  ['ann', null, 'away'],
  ['ann', undefined, 'same'],
  [null, null, 'same'],
  [null, 'ann', 'other'],
] as const)('from %s to %s: %s', (before, next, change) => {
  expect(userChange(before, next)).toBe(change);
});

test('a token that says nothing of its user: whoever signs in with it is another one than nobody, and without it is away', () => {
  expect(userChange(null, undefined, { hasToken: true })).toBe('other');
  expect(userChange(undefined, null, { hadToken: true })).toBe('away');
});

describe('an edit', () => {
  test.each([
    [undefined, undefined, true],
    [undefined, 'ann', true],
    [undefined, null, true],
    ['ann', 'ann', true],
    ['ann', 'bob', false],
    ['ann', null, false],
    ['ann', undefined, true],
    [null, null, true],
    [null, 'ann', false],
    [null, undefined, false],
  ])('of %s may be sent as %s: %s', (author, user, own) => {
    expect(isOwn(author, user)).toBe(own);
  });
});

test('the subject is that of a JWT', () => {
  const jwt = (claims: unknown): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
  expect([{ sub: 'ann' }, { sub: '' }, { sub: 7 }, {}, null].map((claims) => subjectOf(jwt(claims)))).toEqual([
    'ann',
    ...Array(4).fill(undefined),
  ]);
  expect(['opaque', 'a.b.c', ''].map(subjectOf)).toEqual([undefined, undefined, undefined]);
});
