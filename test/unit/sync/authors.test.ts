import { expect, test } from 'vitest';
import { authored, mayTakeOver } from '../../../src/sync/authors.js';
import type { OutboxEntry } from '../../../src/sync/replica-state.js';
import type { User } from '../../../src/transport/identity.js';

const edit = (author: User): OutboxEntry => ({
  ...{ opId: '1', collection: 'todos', recordId: 'a', order: 1, base: null, baseVersion: null, local: {} },
  ...{ editedAt: 0, sent: false, attempts: 0 },
  ...(author !== undefined && { author }),
});

test.each([
  // One without an author was made by whoever was signed in.
  [undefined, 'ann', 'bob', false, 'ann'],
  [undefined, undefined, 'ann', false, undefined],
  ['ann', 'bob', 'ann', true, 'ann'],
  [null, null, 'ann', false, null],
  [null, null, 'ann', true, 'ann'],
  [undefined, null, 'ann', true, 'ann'],
] as const)(
  'an edit of %s, when %s is followed by %s (adopt: %s), is of %s',
  (author, before, next, adopt, expected) => {
    expect(authored(edit(author), { before, next, adopt }).author).toBe(expected);
  },
);

test('is made again as its own user, or where nobody was signed in', () => {
  expect([undefined, 'ann', null, 'bob'].map((author) => mayTakeOver(edit(author), 'ann'))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
