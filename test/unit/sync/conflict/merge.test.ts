import { describe, expect, test } from 'vitest';
import { patchBetween } from '../../../../src/base/patch.js';
import { type Conflict, rebase, threeWay, withField } from '../../../../src/sync/conflict/merge.js';

const identity = { collection: 'todos', recordId: 'a' };
const never = (): never => {
  throw new Error('There is nothing to resolve.');
};

describe('threeWay', () => {
  test('takes each side`s changes since the base, and names the fields that both changed', () => {
    const base = { same: 0, here: 0, there: 0, both: 0, alike: 0 };
    const local = { same: 0, here: 1, there: 0, both: 1, alike: 1 };
    const remote = { same: 0, here: 0, there: 2, both: 2, alike: 1 };
    expect(threeWay(base, local, remote)).toEqual({
      merged: { same: 0, here: 1, there: 2, both: 2, alike: 1 },
      fields: ['both'],
    });
    expect(threeWay(base, local, remote, true).fields).toEqual(['both', 'alike']);
  });

  test('fields that were added and removed', () => {
    const base = { gone: 1, goneHere: 1, goneThere: 1, goneHereChangedThere: 1, changedHereGoneThere: 1 };
    const local = { goneThere: 1, changedHereGoneThere: 2, newHere: 1, newBoth: 1 };
    const remote = { goneHere: 1, goneHereChangedThere: 2, newThere: 1, newBoth: 2 };
    expect(threeWay(base, local, remote)).toEqual({
      merged: { goneHereChangedThere: 2, newHere: 1, newThere: 1, newBoth: 2 },
      fields: ['changedHereGoneThere', 'newBoth', 'goneHereChangedThere'],
    });
  });

  test('without a base everything is new on both sides', () => {
    expect(threeWay(null, { a: 1, b: 1 }, { b: 2, c: 2 })).toEqual({ merged: { a: 1, b: 2, c: 2 }, fields: ['b'] });
  });

  test('compares deeply, and changes none of the rows', () => {
    const base = Object.freeze({ list: [1, { x: 1 }] });
    const local = Object.freeze({ list: [1, { x: 1 }], n: 1 });
    const remote = Object.freeze({ list: [2] });
    expect(threeWay(base, local, remote)).toEqual({ merged: { list: [2], n: 1 }, fields: [] });
  });
});

describe('withField', () => {
  test('takes a value or its absence, and leaves the row alone', () => {
    const row = Object.freeze({ a: 1, b: 2 });
    expect(withField(row, 'a', { a: 3 })).toEqual({ a: 3, b: 2 });
    expect(withField(row, 'a', {})).toEqual({ b: 2 });
    expect(withField({ ...row, constructor: 1 }, 'constructor', {})).toEqual(row);
    expect(Object.keys(withField(row, 'c', { c: undefined }))).toEqual(['a', 'b', 'c']);
  });
});

describe('rebase', () => {
  const edit = (base: object | null, local: object | null) => ({ base, local, timestamp: 5 }) as never;

  test('is asked nothing where only one side changed a field', () => {
    const result = rebase(edit({ a: 0, b: 0 }, { a: 1, b: 0 }), { row: { a: 0, b: 2 } }, never, identity);
    expect(result).toEqual({ row: { a: 1, b: 2 } });
  });

  test.each([
    ['deleted on both sides', { a: 0 }, null, null, null],
    ['deleted here, unchanged there', { a: 0 }, null, { a: 0 }, null],
    ['edited here, and there as it was', { a: 0 }, { a: 1 }, { a: 0 }, { a: 1 }],
    ['new here, not there', null, { a: 1 }, null, { a: 1 }],
    ['the same on both sides', { a: 0 }, { a: 1 }, { a: 1 }, { a: 1 }],
  ])('%s is no conflict', (_, base, local, remote, row) => {
    expect(rebase(edit(base, local), { row: remote }, never, identity)).toEqual({ row });
  });

  test.each([
    ['edited here, deleted there', { a: 0 }, { a: 1 }, null],
    ['deleted here, edited there', { a: 0 }, null, { a: 1 }],
  ])('%s is a conflict without fields', (_, base, local, remote) => {
    const asked: Conflict[] = [];
    const result = rebase(
      edit(base, local),
      { row: remote, timestamp: 9 },
      (conflict) => {
        asked.push(conflict);
        return { decided: true };
      },
      identity,
    );
    expect(result.row).toEqual({ decided: true });
    expect(asked).toEqual([
      {
        ...identity,
        ...{ base, local, remote, fields: [], merged: null },
        ...{ localTimestamp: 5, localFieldTimestamps: {}, remoteTimestamp: 9, remoteEditedAt: undefined },
      },
    ]);
  });

  test('a conflict has the time of each field, and of the edit of the other side where it is known', () => {
    const asked: Conflict[] = [];
    const resolver = (conflict: Conflict) => {
      asked.push(conflict);
      return conflict.remote;
    };
    const mine = {
      base: { a: 0, b: 0, c: 0 },
      local: { a: 1, b: 1, c: 1 },
      timestamp: 5,
      fieldTime: (field: string) => (field === 'a' ? 3 : 5),
    };
    rebase(mine, { row: { a: 2, b: 2, c: 0 }, timestamp: 9, editedAt: 4 }, resolver, identity);
    expect(asked[0]).toMatchObject({ localFieldTimestamps: { a: 3, b: 5 }, remoteTimestamp: 4, remoteEditedAt: 4 });
  });
});

// Every object inherits these: a field that is not there must not look as if it were.
test.each(['constructor', 'toString', 'hasOwnProperty'])(
  'a field named %s is merged, and removed, like any other',
  (name) => {
    const base = { id: '1', n: 1 };
    const local = { ...base, [name]: 'mine' };
    expect(threeWay(base, local, { ...base, n: 2 })).toEqual({ merged: { id: '1', n: 2, [name]: 'mine' }, fields: [] });
    expect(threeWay(local, base, { ...local, n: 2 })).toEqual({ merged: { id: '1', n: 2 }, fields: [] });
    expect(patchBetween(base, local)).toEqual({ patch: { [name]: 'mine' } });
    expect(patchBetween(local, base)).toEqual({ patch: {}, unset: [name] });
  },
);
