import { expect, test } from 'vitest';
import { holdsRounded } from '../../../src/adapter-kit/rounded.js';
import { roundedField } from '../../../src/adapter-kit/rounded-field.js';
import type { OutgoingChange } from '../../../src/transport/transport.js';

const BIG = 2 ** 53 + 2;

test('numbers beyond 2 ** 53 are found however deep', () => {
  for (const value of [BIG, [1, BIG], { a: { b: [BIG] } }]) expect(holdsRounded(value)).toBe(true);
  for (const value of [1, 2 ** 53 - 1, 0.5, String(BIG), null, undefined, [], { a: [1, 'x', null] }])
    expect(holdsRounded(value)).toBe(false);
});

test('a change that would write back what was rounded is found, and nothing else', () => {
  const change = (base: unknown, next: unknown): OutgoingChange => ({
    ...{ type: 'update', collection: 'todos', recordId: 'a', opId: 'op', baseVersion: 1, timestamp: 1 },
    ...{ base: { id: 'a', meta: base }, data: { id: 'a', meta: next }, patch: { meta: next } },
  });
  const never = (): boolean => false;
  expect(roundedField(change({ n: BIG }, { n: BIG, more: 1 }), never)).toBe('meta');
  expect(roundedField(change([BIG], [BIG, 1]), never)).toBe('meta');
  expect(roundedField(change({ n: BIG }, { n: BIG, more: 1 }), (field) => field === 'meta')).toBeUndefined();
  expect(roundedField(change({ n: BIG }, { more: 1 }), never), 'it is gone').toBeUndefined();
  expect(roundedField(change({}, { n: BIG }), never), 'the app wrote it').toBeUndefined();
  expect(roundedField(change(BIG, BIG + 2), never), 'a number of its own').toBeUndefined();
});
