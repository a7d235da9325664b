import { expect, test } from 'vitest';
import { readError } from '../../../adapters/firestore/errors.js';
import { graphqlError } from '../../../adapters/hasura/errors.js';
import { channelError, restError } from '../../../adapters/supabase/errors.js';
import { sentence } from '../../../src/adapter-kit/sentence.js';

test.each([
  ['invalid input syntax for type uuid: "a"', 'invalid input syntax for type uuid: "a".'],
  ['JWT expired', 'JWT expired.'],
  ['It is over.', 'It is over.'],
  ['Is it there?', 'Is it there?'],
  ['He said "no."', 'He said "no."'],
  ['a line\n', 'a line.'],
])('%j as a sentence', (text, expected) => expect(sentence(text)).toBe(expected));

test('what a backend said never runs into what follows', () => {
  const message = 'invalid input syntax for type uuid: "a"';
  const bad = { status: 400, code: '22P02', message };
  expect(restError('The insert of todos/a', 'write', bad).message).toBe(
    'The insert of todos/a was answered with 400 (22P02): invalid input syntax for type uuid: "a".',
  );
  expect(restError('It', 'read', { status: 401, code: 'PGRST303', message: 'JWT expired' }).message).toBe(
    'It was answered with 401 (PGRST303): JWT expired. Sign in again, or check the key.',
  );
  expect(
    graphqlError('It', 'write', [{ message: 'no such thing.', extensions: { code: 'parse-failed' } }]).message,
  ).toBe('It was answered with parse-failed: no such thing.');
  expect(readError('It', Object.assign(new Error('nope'), { code: 'unavailable' })).message).toBe(
    'It failed (unavailable): nope. Is the server reachable?',
  );
  expect(channelError('todos', 'something new').message).toBe(
    'The subscription to "todos" ended: something new. It is tried again.',
  );
});
