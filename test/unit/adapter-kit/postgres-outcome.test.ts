import { describe, expect, test } from 'vitest';
import { holds, outcome, unsendable } from '../../../src/adapter-kit/postgres-outcome.js';
import { problemsOf } from '../../../src/adapter-kit/problem.js';
import type { Change } from '../../../src/base/change.js';
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

  test('where deletes leave a mark, what is not there is hidden: neither it nor its edit is gone', () => {
    for (const type of ['update', 'delete'] as const)
      expect(outcome({ ...edit, type }, undefined, problem, true)).toEqual({
        type: 'conflict',
        current: { data: null, version: before, hidden: true },
      });
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

test('a number inside a list or an object that was rounded when it was read is not written back', () => {
  const ids = [2 ** 60, 1];
  const change: OutgoingChange = {
    ...edit,
    base: { id: 'a', ids },
    data: { id: 'a', ids: [...ids, 2] },
    patch: { ids: [...ids, 2] },
  };
  expect(unsendable(change, problem)).toMatchObject({
    type: 'rejected',
    error: { code: 'VALIDATION_FAILED', message: expect.stringContaining('"ids" of todos/a') as string },
  });
  expect(unsendable(change, problem, (field) => field === 'ids')).toBeUndefined();
});

test('a row that names the push among its last ones has it, whatever became of it since', () => {
  const metadata = { opId: 'later', opIds: ['later', 'op'] };
  expect(outcome(edit, { ...row('theirs', after), metadata }, problem)).toMatchObject({
    type: 'applied',
    version: after,
    data: { title: 'theirs' },
  });
  expect(outcome(edit, { ...marked, metadata }, problem)).toMatchObject({
    type: 'applied',
    version: after,
    data: null,
  });
  const insert: OutgoingChange = { ...edit, type: 'insert' };
  expect(outcome(insert, { ...marked, metadata }, problem), 'not brought back').toMatchObject({ data: null });
  expect(outcome(edit, { ...row('theirs', after), metadata: { opIds: ['later'] } }, problem)).toMatchObject({
    type: 'conflict',
  });
});

test('a key that is written another way is named', () => {
  const there: Change = { ...row('mine', after), recordId: 'A' };
  expect(outcome(edit, there, problem)).toMatchObject({ type: 'applied', recordId: 'A' });
  expect(outcome(edit, { ...row('theirs', after), recordId: 'A' }, problem)).toMatchObject({
    current: { recordId: 'A' },
  });
});
