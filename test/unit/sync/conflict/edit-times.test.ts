import { expect, test } from 'vitest';
import type { Row } from '../../../../src/base/change.js';
import {
  changedFields,
  type FieldTimes,
  fieldTimes,
  lastTimeOf,
  takeUp,
  timeOf,
} from '../../../../src/sync/conflict/edit-times.js';

interface Edit {
  readonly base: Row;
  readonly local: Row | null;
  readonly editedAt: number;
  readonly fieldTimes?: FieldTimes;
}

const first: Edit = { base: { a: 0, b: 0, c: 0 }, local: { a: 1, b: 0, c: 0 }, editedAt: 10 };

test('the fields in which two rows differ, missing ones too', () => {
  expect(changedFields({ a: 1, b: [1], gone: 1 }, { a: 1, b: [2], made: 1 })).toEqual(['b', 'made', 'gone']);
});

test('a field that a later edit leaves alone keeps its time, the others have the later one', () => {
  const second = takeUp(first, { a: 1, b: 1, c: 0 }, 20);
  expect(second).toEqual({ ...first, local: { a: 1, b: 1, c: 0 }, editedAt: 20, fieldTimes: { a: 10 } });
  const third = takeUp(second, { a: 1, b: 1, c: 1 }, 30);
  expect(third.fieldTimes).toEqual({ a: 10, b: 20 });
  expect(['a', 'b', 'c'].map((field) => timeOf(third, field))).toEqual([10, 20, 30]);
  expect(takeUp(third, { a: 2, b: 2, c: 2 }, 40).fieldTimes, 'edited again').toBeUndefined();
});

test('a field that is as it was has no time, and a delete has one time for all', () => {
  const second = takeUp(first, { a: 1, b: 1, c: 0 }, 20);
  expect(takeUp(second, { a: 0, b: 1, c: 1 }, 30).fieldTimes).toEqual({ b: 20 });
  expect(takeUp(second, null, 30)).toMatchObject({ local: null, editedAt: 30, fieldTimes: undefined });
  const back = takeUp(takeUp(second, null, 30), { a: 1, b: 1, c: 0 }, 40);
  expect(
    ['a', 'b'].map((field) => timeOf(back, field)),
    'made anew as a whole',
  ).toEqual([40, 40]);
});

test('of edits that follow one another the last one that changed a field counts', () => {
  const sent = { ...first, local: { a: 1, b: 1, c: 0 }, fieldTimes: { a: 5 } };
  const next = { base: sent.local, local: { a: 1, b: 2, c: 0 }, editedAt: 20 };
  const at = lastTimeOf([sent, next]);
  expect(['a', 'b'].map(at)).toEqual([5, 20]);
});

test('only times that differ from that of the last edit are stored', () => {
  expect(fieldTimes(['a', 'b'], 9, () => 9)).toEqual({ fieldTimes: undefined });
  expect(fieldTimes(['a', 'b'], 9, (field) => (field === 'a' ? 3 : 9))).toEqual({ fieldTimes: { a: 3 } });
});
