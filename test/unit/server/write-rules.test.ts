import { describe, expect, test } from 'vitest';
import type { StoredRecord } from '../../../src/server/store.js';
import { decide, type Write } from '../../../src/server/write-rules.js';

const live: StoredRecord = { id: '1', data: { a: 1, b: { c: 2 } }, version: 5, updatedAt: 0 };
const gone: StoredRecord = { id: '1', data: null, version: 7, updatedAt: 0 };

const write = (type: Write['type'], extra: Partial<Write> = {}): Write => ({
  type,
  collection: 'c',
  recordId: '1',
  data: {},
  unset: [],
  ...extra,
});

describe('unconditional writes', () => {
  test('insert creates, and replaces what is there', () => {
    const data = { x: 1 };
    expect(decide(undefined, write('insert', { data }))).toEqual({ kind: 'change', type: 'insert', data });
    expect(decide(gone, write('insert', { data }))).toEqual({ kind: 'change', type: 'insert', data });
    expect(decide(live, write('insert', { data }))).toEqual({ kind: 'change', type: 'update', data });
  });

  test('update merges fields, removes fields, and creates', () => {
    expect(decide(live, write('update', { data: { a: 2 }, unset: ['b'] }))).toEqual({
      kind: 'change',
      type: 'update',
      data: { a: 2 },
    });
    const created = { kind: 'change', type: 'insert', data: { a: 2 } };
    expect(decide(undefined, write('update', { data: { a: 2 } }))).toEqual(created);
    expect(decide(gone, write('update', { data: { a: 2 } }))).toEqual(created);
  });

  test('delete leaves a tombstone', () => {
    expect(decide(live, write('delete'))).toEqual({ kind: 'change', type: 'delete', data: null });
  });

  test('what changes nothing is no change', () => {
    expect(decide(live, write('insert', { data: { b: { c: 2 }, a: 1 } }))).toEqual({ kind: 'unchanged' });
    expect(decide(live, write('update', { data: { a: 1 }, unset: ['z'] }))).toEqual({ kind: 'unchanged' });
    expect(decide(gone, write('delete'))).toEqual({ kind: 'unchanged' });
    expect(decide(undefined, write('delete'))).toEqual({ kind: 'unchanged' });
  });
});

describe('compare-and-set', () => {
  const outcome = (current: StoredRecord | undefined, type: Write['type'], baseVersion: number | null) =>
    decide(current, write(type, { data: { x: 1 }, opId: 'o', baseVersion })).kind;

  test.each([
    ['insert', undefined, null, 'change'],
    ['insert', gone, null, 'change'],
    ['insert', live, null, 'conflict'],
    ['insert', live, 5, 'change'],
    ['update', live, 5, 'change'],
    ['update', live, 4, 'conflict'],
    ['update', live, 6, 'conflict'],
    ['update', live, null, 'conflict'],
    ['update', gone, 5, 'conflict'],
    ['update', gone, 7, 'conflict'],
    ['update', undefined, 5, 'conflict'],
    ['delete', live, 5, 'change'],
    ['delete', live, 4, 'conflict'],
    ['delete', live, null, 'conflict'],
    ['delete', gone, 5, 'conflict'],
    ['delete', gone, 7, 'unchanged'],
    ['delete', gone, null, 'unchanged'],
    ['delete', undefined, 5, 'conflict'],
    ['delete', undefined, null, 'unchanged'],
  ] as const)('%s on %o with base %s: %4$s', (type, current, base, expected) => {
    expect(outcome(current, type, base)).toBe(expected);
  });

  test('a write that was made before is still a conflict: whether it was ours is for the opId to tell', () => {
    const same = write('update', { data: { a: 1 }, opId: 'o', baseVersion: 4 });
    expect(decide(live, same)).toEqual({ kind: 'conflict' });
  });
});
