import { describe, expect, test } from 'vitest';
import { holds, outcome, unsendable } from '../../../src/backends/postgres-outcome.js';
import { problemsOf } from '../../../src/backends/problem.js';
import type { Change } from '../../../src/change.js';
import type { OutgoingChange } from '../../../src/transport/transport.js';

const problem = problemsOf('postgres');
const [before, after] = ['2026-01-02T03:04:05.000001Z', '2026-01-02T03:04:05.000002Z'];
const edit: OutgoingChange = {
  type: 'update',
  collection: 'todos',
  recordId: 'a',
  opId: 'op',
  data: { id: 'a', title: 'mine' },
  patch: { title: 'mine' },
  base: { id: 'a', title: 'old' },
  baseVersion: before,
  timestamp: 5,
};
const row = (title: string, version: string): Change => {
  return { type: 'update', collection: 'todos', recordId: 'a', version, timestamp: 7, data: { id: 'a', title } };
};
const marked: Change = { type: 'delete', collection: 'todos', recordId: 'a', version: after };

describe('what became of an edit that met another row', () => {
  test.each([
    ['the row has what was sent', edit, row('mine', after), { type: 'applied', version: after, timestamp: 7 }],
    ['somebody was first', edit, row('theirs', after), { type: 'conflict', current: { version: after, timestamp: 7 } }],
    ['the row is gone', edit, undefined, { type: 'conflict', current: { data: null, version: before } }],
    ['the row is marked as deleted', edit, marked, { type: 'conflict', current: { data: null, version: after } }],
    ['it is as it was: no right', edit, row('old', before), { type: 'rejected', error: { code: 'PUSH_REJECTED' } }],
    ["another backend's version", { ...edit, baseVersion: 7 }, row('old', before), { type: 'conflict' }],
    ['a delete of what is gone', { ...edit, type: 'delete' }, undefined, { type: 'applied', version: before }],
    ['a delete of what is marked', { ...edit, type: 'delete' }, marked, { type: 'applied', version: after }],
    ['a delete of what changed', { ...edit, type: 'delete' }, row('theirs', after), { type: 'conflict' }],
    ['an insert that is hidden', { ...edit, type: 'insert' }, undefined, { type: 'retry' }],
    ['an insert that is there', { ...edit, type: 'insert' }, row('mine', after), { type: 'applied', version: after }],
    ['an insert over another', { ...edit, type: 'insert' }, row('theirs', after), { type: 'conflict' }],
  ] as const)('%s', (_, change, there, expected) => {
    expect(outcome(change as OutgoingChange, there, problem)).toMatchObject(expected);
  });

  test('an insert over a row that is marked as deleted brings it back', () => {
    expect(outcome({ ...edit, type: 'insert' }, marked, problem)).toBeUndefined();
  });
});

test('an id that is no text to PostgreSQL is refused before it is sent', () => {
  expect(unsendable(edit, problem)).toBeUndefined();
  for (const recordId of ['a\0', 'a\ud800'])
    expect(unsendable({ ...edit, recordId }, problem)).toMatchObject({
      type: 'rejected',
      error: { code: 'VALIDATION_FAILED', adapter: 'postgres' },
    });
});

test.each([
  ['half of a character', 'cut \ud83d'],
  ['a NUL', 'a\0b'],
  ['one inside', { tags: ['fine', '\udc00'] }],
  ['one in a name', { '\ud800': 1 }],
])('a text with %s is refused before it is sent, with its field', (_, title) => {
  expect(unsendable({ ...edit, patch: { done: true, title } }, problem)).toMatchObject({
    type: 'rejected',
    error: { code: 'VALIDATION_FAILED', message: expect.stringContaining('"title" of todos/a') as string },
  });
  expect(unsendable({ ...edit, type: 'delete', data: null, base: { title } }, problem)).toBeUndefined();
});

test('whole characters, empty texts and what is no text are sent', () => {
  const patch = { title: '😀 \\ud800', empty: '', none: null, list: [1, '', { deep: '\u2028' }] };
  expect(unsendable({ ...edit, patch }, problem)).toBeUndefined();
});

test('a row holds what was sent, however the database writes it', () => {
  const stored = { id: 'a', n: '5', due: '2026-01-02T03:04:05+00:00', tags: { b: 1, a: [2] }, note: null, more: true };
  expect(holds(stored, { n: 5, due: '2026-01-02T03:04:05.000Z', tags: { a: [2], b: 1 }, note: null })).toBe(true);
  expect(holds(stored, { n: 6 })).toBe(false);
  expect(holds(stored, { note: 'x' })).toBe(false);
  expect(holds(stored, { missing: 'x' })).toBe(false);
  expect(holds(stored, {})).toBe(true);
});
