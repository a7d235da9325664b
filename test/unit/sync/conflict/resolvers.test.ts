import { describe, expect, test } from 'vitest';
import type { Row } from '../../../../src/base/change.js';
import { handOut } from '../../../../src/base/json.js';
import { type ConflictResolver, rebase } from '../../../../src/sync/conflict/merge.js';
import { ConflictResolvers, strategies } from '../../../../src/sync/conflict/resolvers.js';

/** Both sides change `base`; `later` made the later write. */
function resolve(
  resolver: ConflictResolver,
  base: Row | null,
  local: Row | null,
  remote: Row | null,
  later: 'local' | 'remote' | 'unknown' = 'remote',
): Row | null {
  const timestamp = { local: 1, remote: 3, unknown: undefined }[later];
  const edit = { base: freeze(base), local: freeze(local), timestamp: 2 };
  const identity = { collection: 'todos', recordId: 'a', sameCounts: true };
  return rebase(edit, { row: freeze(remote), timestamp }, resolver, identity).row;
}
/** A resolver must not change what it is given. */
const freeze = handOut;

describe('strategies', () => {
  const { lastWriteWins, serverWins, clientWins } = strategies;
  const [base, mine, theirs] = [
    { n: 0, text: '', gone: 1 },
    { n: 1, text: 'mine' },
    { n: 2, text: '', gone: 1, more: 1 },
  ];

  test('decide only the fields that both changed', () => {
    const merged = { text: 'mine', more: 1 };
    expect(resolve(serverWins, base, mine, theirs)).toEqual({ ...merged, n: 2 });
    expect(resolve(clientWins, base, mine, theirs)).toEqual({ ...merged, n: 1 });
    expect(resolve(lastWriteWins, base, mine, theirs, 'remote')).toEqual({ ...merged, n: 2 });
    expect(resolve(lastWriteWins, base, mine, theirs, 'local')).toEqual({ ...merged, n: 1 });
  });

  test('where the backend tells no time the last write is taken to be the local one', () => {
    expect(resolve(lastWriteWins, base, mine, theirs, 'unknown')).toMatchObject({ n: 1 });
  });

  test('at the same moment the backend wins, so that all clients agree', () => {
    const edit = { base, local: mine, timestamp: 2 };
    const identity = { collection: 'todos', recordId: 'a' };
    expect(rebase(edit, { row: theirs, timestamp: 2 }, lastWriteWins, identity).row).toMatchObject({ n: 2 });
  });

  test('each field is decided by the time of its own edit', () => {
    const row = { a: 0, b: 0 };
    const times: Readonly<Record<string, number>> = { a: 1, b: 5 };
    const edit = { base: row, local: { a: 1, b: 1 }, timestamp: 5, fieldTime: (field: string) => times[field] ?? 0 };
    const there = { row: { a: 2, b: 2 }, timestamp: 9, editedAt: 3 };
    const identity = { collection: 'todos', recordId: 'a' };
    expect(rebase(edit, there, lastWriteWins, identity).row).toEqual({ a: 2, b: 1 });
    expect(rebase(edit, there, ConflictResolvers.fieldLevelLastWriteWins(), identity).row).toEqual({ a: 2, b: 1 });
    expect(rebase(edit, there, ConflictResolvers.sumNumbers(['b']), identity).row).toEqual({ a: 2, b: 3 });
  });

  test('a conflict that an app made by hand has no times of fields', () => {
    const conflict = { collection: 'todos', recordId: 'a', base: { n: 0 }, local: { n: 1 }, remote: { n: 2 } };
    const rest = { fields: ['n'], merged: { n: 2 }, localTimestamp: 2, remoteTimestamp: 1 };
    expect(lastWriteWins({ ...conflict, ...rest })).toEqual({ n: 1 });
  });

  test('a removed field that the other side changed', () => {
    expect(resolve(clientWins, { n: 0 }, {}, { n: 2 })).toEqual({});
    expect(resolve(serverWins, { n: 0 }, {}, { n: 2 })).toEqual({ n: 2 });
    expect(resolve(clientWins, { n: 0 }, { n: 1 }, {})).toEqual({ n: 1 });
    expect(resolve(serverWins, { n: 0 }, { n: 1 }, {})).toEqual({});
  });

  test('a delete against an edit', () => {
    expect(resolve(serverWins, base, mine, null)).toBeNull();
    expect(resolve(clientWins, base, mine, null)).toEqual(mine);
    expect(resolve(serverWins, base, null, theirs)).toEqual(theirs);
    expect(resolve(clientWins, base, null, theirs)).toBeNull();
    expect(resolve(lastWriteWins, base, null, theirs, 'local')).toBeNull();
    expect(resolve(lastWriteWins, base, null, theirs, 'remote')).toEqual(theirs);
  });
});

describe('mergeArrays', () => {
  const merge = ConflictResolvers.mergeArrays(['tags']);
  test.each([
    ['additions of both sides', ['a'], ['a', 'x'], ['a', 'y'], ['a', 'y', 'x']],
    ['removals of both sides', ['a', 'b', 'c'], ['b', 'c'], ['a', 'c'], ['c']],
    ['removed here, kept there', ['a', 'b'], ['a'], ['a', 'b', 'c'], ['a', 'c']],
    ['the same addition', ['a'], ['a', 'x'], ['a', 'x'], ['a', 'x']],
    ['objects', [{ n: 1 }], [{ n: 1 }, { n: 2 }], [{ n: 1 }, { n: 3 }], [{ n: 1 }, { n: 3 }, { n: 2 }]],
  ])('%s', (_, base, local, remote, expected) => {
    expect(resolve(merge, { tags: base }, { tags: local }, { tags: remote })).toEqual({ tags: expected });
  });

  test('created on both sides', () => {
    expect(resolve(merge, null, { tags: ['x'] }, { tags: ['y'] })).toEqual({ tags: ['y', 'x'] });
  });

  test('what is no list, and what is not named, goes to the later write', () => {
    expect(resolve(merge, { tags: [] }, { tags: 'x' }, { tags: ['y'] }, 'local')).toEqual({ tags: 'x' });
    expect(resolve(merge, { n: [] }, { n: ['x'] }, { n: ['y'] }, 'remote')).toEqual({ n: ['y'] });
  });
});

describe('sumNumbers', () => {
  const sum = ConflictResolvers.sumNumbers(['n']);
  test.each([
    [10, 12, 13, 15],
    [5, 6, 6, 7],
    [5, 3, 4, 2],
    [undefined, 2, 3, 5],
  ])('from %s to %s here and %s there is %s', (base, local, remote, expected) => {
    expect(resolve(sum, base === undefined ? {} : { n: base }, { n: local }, { n: remote })).toEqual({ n: expected });
  });

  test('what is no number, and what is not named, goes to the later write', () => {
    expect(resolve(sum, { n: 1 }, { n: '2' }, { n: 3 }, 'local')).toEqual({ n: '2' });
    expect(resolve(sum, { m: 1 }, { m: 2 }, { m: 3 }, 'remote')).toEqual({ m: 3 });
  });
});

test('mergeFields keeps the local value of the named fields, the remote one of the others', () => {
  const merge = ConflictResolvers.mergeFields(['mine', 'removed']);
  const local = { mine: 1, other: 1 };
  const remote = { mine: 2, other: 2, removed: 2 };
  expect(resolve(merge, { mine: 0, other: 0, removed: 0 }, local, remote, 'local')).toEqual({ mine: 1, other: 2 });
});

test('maxValue', () => {
  const max = ConflictResolvers.maxValue(['n']);
  expect(resolve(max, { n: 0 }, { n: 3 }, { n: 2 })).toEqual({ n: 3 });
  expect(resolve(max, { n: 9 }, { n: 1 }, { n: 2 }, 'local')).toEqual({ n: 2 });
  expect(resolve(max, { n: 0 }, { n: 'x' }, { n: 2 }, 'remote')).toEqual({ n: 2 });
});

describe('fieldLevelLastWriteWins', () => {
  const byField = ConflictResolvers.fieldLevelLastWriteWins();
  const row = (a: unknown, at: unknown, b: unknown, bt: unknown): Row => ({ a, a_updatedAt: at, b, b_updatedAt: bt });

  test('each field by its own time, and its time goes with it', () => {
    const local = row('mine', '2026-01-03T00:00:00Z', 'mine', 10);
    const remote = row('theirs', '2026-01-02T00:00:00Z', 'theirs', 20);
    const expected = row('mine', '2026-01-03T00:00:00Z', 'theirs', 20);
    for (const later of ['local', 'remote'] as const)
      expect(resolve(byField, row(0, '2026-01-01T00:00:00Z', 0, 0), local, remote, later)).toEqual(expected);
  });

  test('fields without a time go to the later write', () => {
    const [base, local, remote] = [
      { a: 0, b: 0, b_updatedAt: 'x' },
      { a: 1, b: 1, b_updatedAt: 'y' },
      { a: 2, b: 2, b_updatedAt: 'z' },
    ];
    expect(resolve(byField, base, local, remote, 'local')).toEqual(local);
    expect(resolve(byField, base, local, remote, 'remote')).toEqual(remote);
  });
});

describe('deepMerge', () => {
  const deep = ConflictResolvers.deepMerge();
  test('objects field by field, lists as sets, the remote value where both changed one', () => {
    const base = { at: { city: 'a', zip: 0, both: 0, tags: ['x'], gone: 1 } };
    const local = { at: { city: 'b', zip: 0, both: 1, tags: ['x', 'mine'], added: { n: 1 } } };
    const remote = { at: { city: 'a', zip: 2, both: 2, tags: ['theirs'], gone: 1 } };
    expect(resolve(deep, base, local, remote)).toEqual({
      at: { city: 'b', zip: 2, both: 2, tags: ['theirs', 'mine'], added: { n: 1 } },
    });
  });

  test('of rows that both sides created', () => {
    expect(resolve(deep, null, { at: { a: 1 } }, { at: { b: 2 } })).toEqual({ at: { a: 1, b: 2 } });
  });

  test('an object here, something else there', () => {
    expect(resolve(deep, { a: 0 }, { a: { x: 1 } }, { a: [1] })).toEqual({ a: [1] });
  });
});

test.each(
  Object.entries({
    mergeArrays: ConflictResolvers.mergeArrays(['n']),
    sumNumbers: ConflictResolvers.sumNumbers(['n']),
    mergeFields: ConflictResolvers.mergeFields(['n']),
    maxValue: ConflictResolvers.maxValue(['n']),
    fieldLevelLastWriteWins: ConflictResolvers.fieldLevelLastWriteWins(),
    deepMerge: ConflictResolvers.deepMerge(),
  }),
)('%s leaves a delete against an edit to the later write', (_, resolver) => {
  expect(resolve(resolver, { n: 0 }, { n: 1 }, null, 'local')).toEqual({ n: 1 });
  expect(resolve(resolver, { n: 0 }, { n: 1 }, null, 'remote')).toBeNull();
  expect(resolve(resolver, { n: 0 }, null, { n: 1 }, 'local')).toBeNull();
  expect(resolve(resolver, { n: 0 }, null, { n: 1 }, 'remote')).toEqual({ n: 1 });
});

test.each(['mergeArrays', 'sumNumbers', 'mergeFields', 'maxValue'] as const)(
  '%s refuses a name that is not in an array',
  (name) => {
    const make = ConflictResolvers[name] as (fields: unknown) => unknown;
    expect(() => make('tags')).toThrow("A resolver takes the fields as an array, such as ['tags'].");
    expect(() => make(undefined)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => make(['tags'])).not.toThrow();
  },
);
