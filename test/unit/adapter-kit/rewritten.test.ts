import { expect, test } from 'vitest';
import { arrayLiteral, inDoubt, isRounded } from '../../../src/adapter-kit/rewritten.js';
import type { Change } from '../../../src/base/change.js';
import type { OutgoingChange } from '../../../src/transport/transport.js';

const sent = (patch: object): OutgoingChange => ({
  ...{
    type: 'update',
    collection: 'todos',
    recordId: 'a',
    opId: 'op',
    base: { id: 'a' },
    baseVersion: 'v',
    timestamp: 1,
  },
  ...{ data: { id: 'a', ...patch }, patch: patch as Record<string, unknown> },
});
const row = (data: object): Change => ({
  ...{ type: 'update', collection: 'todos', recordId: 'a', version: 'w', data: { id: 'a', ...data } },
});

test('only what a database may write its own way is in doubt', () => {
  expect(inDoubt(sent({ t: '10:00', n: 1 }), row({ t: '10:00:00', n: '1' }))).toEqual({ t: '10:00' });
  expect(inDoubt(sent({ list: ['1', '2'] }), row({ list: ['01', '02'] }))).toEqual({ list: ['1', '2'] });
  for (const [mine, theirs] of [
    [
      { a: 'x', done: true },
      { a: 'y', done: false },
    ],
    [{ a: 'x' }, { a: null }],
    [{ a: { b: 1 } }, { a: { b: 2 } }],
    [{ list: ['1'] }, { list: ['1', '2'] }],
    [{ a: 'x'.repeat(300) }, { a: 'y' }],
    [{ a: 'x' }, { a: 'x' }],
  ])
    expect(inDoubt(sent(mine as object), row(theirs as object))).toBeUndefined();
  expect(inDoubt(sent({ a: 'x' }), undefined)).toBeUndefined();
});

test.each([
  [10.005, '10.01', true],
  [10.004, '10.00', true],
  [-10.005, '-10.01', true],
  [9.999, '10.00', true],
  [0.123456789, 0.12345679, true],
  ['1.2345', '1.23', true],
  [1.239, '1.23', false],
  [1.4, '1', false],
  [1.54, '1.5', false],
  [1.23, '1.234', false],
  ['x', '1.23', false],
  [1e-7, '0.00', false],
])('%s is rounded to %s: %s', (from, to, expected) => {
  expect(isRounded(from, to)).toBe(expected);
});

test('a list is an array literal, with quotes, nulls and lists in it', () => {
  expect(arrayLiteral(['a', 'b "c"', 'd\\e', null, 1, ['x', 2]])).toBe('{"a","b \\"c\\"","d\\\\e",NULL,"1",{"x","2"}}');
});
