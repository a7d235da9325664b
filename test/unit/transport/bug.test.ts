import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { asThrown, isBug } from '../../../src/transport/bug.js';

const thrownBy = (program: string): unknown => {
  try {
    return runInNewContext(program);
  } catch (error) {
    return error;
  }
};

describe('a mistake in a program is one', () => {
  test.each([
    'missing',
    'crypto.randomUUID()',
    'undefined.length',
    'null.length',
    '({}).stop()',
    'const { a } = undefined; a',
    'new (() => 1)()',
    '[...1]',
    'Object.setPrototypeOf(1)',
  ])('%s', (program) => {
    expect(isBug(thrownBy(program))).toBe(true);
  });

  // As Safari, Firefox and Hermes say it.
  test.each([
    "undefined is not an object (evaluating 'signal.any')",
    'can\'t access property "length", rows is undefined',
    "Cannot read property 'length' of undefined",
    'undefined is not a function',
  ])('%s', (message) => {
    expect(isBug(new TypeError(message))).toBe(true);
  });
});

describe('what the network does is none', () => {
  // As Node, Chrome, Firefox, Safari and React Native say it.
  test.each([
    'fetch failed',
    'terminated',
    'Failed to fetch',
    'NetworkError when attempting to fetch resource.',
    'Load failed',
    'Network request failed',
    'Failed to fetch dynamically imported module: https://example.com/live.js',
  ])('%s', (message) => {
    expect(isBug(new TypeError(message))).toBe(false);
  });

  test('nor is any other error', () => {
    for (const error of [new Error('x is not a function'), new SyntaxError('undefined'), undefined, null, 'text'])
      expect(isBug(error)).toBe(false);
  });
});

test('it is told as what it is, with its cause', () => {
  const cause = new TypeError('signal.any is not a function');
  expect(asThrown('acme', cause)).toMatchObject({ code: 'INTERNAL', adapter: 'acme', cause });
  const lost = new TypeError('fetch failed');
  expect(asThrown('acme', lost)).toBe(lost);
});
