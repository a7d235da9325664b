import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  deltaBetween,
  deltaOf,
  differingFields,
  digestOf,
  type Sameness,
  withDelta,
} from '../../../src/migrate/canonical.js';
import { instantOf, sameValue } from '../../../src/transport/values.js';

const exact: Sameness = { nullIsMissing: false, ignored: new Set() };
const loose: Sameness = { ...exact, nullIsMissing: true };
const rows = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 });

test('rows have the same digest exactly if no field differs', () => {
  fc.assert(
    fc.property(rows, rows, fc.boolean(), (a, b, nullIsMissing) => {
      const sameness = { ...exact, nullIsMissing };
      expect(digestOf(a, sameness) === digestOf(b, sameness)).toBe(differingFields(a, b, sameness).length === 0);
    }),
  );
});

test('the order of keys does not matter, however deep; the order of a list does', () => {
  expect(digestOf({ a: { x: 1, y: [1, 2] }, b: 2 }, exact)).toBe(digestOf({ b: 2, a: { y: [1, 2], x: 1 } }, exact));
  expect(digestOf({ a: [1, 2] }, exact)).not.toBe(digestOf({ a: [2, 1] }, exact));
});

test('keys that look like numbers are no list', () => {
  expect(sameValue({ 0: 'a', 1: 'b' }, ['a', 'b'])).toBe(false);
  expect(sameValue({ fields: [['a', 1]] }, { a: 1 })).toBe(false);
});

test('null is missing only where a backend cannot tell them apart, and only as a field of a row', () => {
  expect(differingFields({ a: null }, {}, exact)).toEqual(['a']);
  expect(differingFields({ a: null }, {}, loose)).toEqual([]);
  expect(differingFields({ a: { b: null } }, { a: {} }, loose)).toEqual(['a']);
});

test('fields that are accepted are not compared', () => {
  expect(differingFields({ a: 1, b: 1 }, { a: 2, b: 2 }, { ...exact, ignored: new Set(['a']) })).toEqual(['b']);
});

test.each([
  ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05+00:00'],
  ['2026-01-02T03:04:05.120Z', '2026-01-02T05:04:05.12+02:00'],
  ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.123456789+00:00'],
])('%s and %s are one time', (a, b) => {
  expect(sameValue(a, b)).toBe(true);
});

test('a digit less of a time is another time, and a text that only begins like one is none', () => {
  expect(sameValue('2026-01-02T03:04:05.123456Z', '2026-01-02T03:04:05.123Z')).toBe(false);
  expect(instantOf('2026-01-02T03:04:05Z or so')).toBeUndefined();
  expect(instantOf('2026-13-02T03:04:05Z')).toBeUndefined();
  expect(instantOf('2026-01-02')).toBeUndefined();
});

test('a delta makes the one row of the other', () => {
  fc.assert(
    fc.property(rows, rows, (a, b) => {
      expect(withDelta(a, deltaOf(a, b))).toEqual(b);
    }),
  );
});

test('between two backends only what means something else is written', () => {
  const theirs = { id: '1', at: '2026-01-02T03:04:05+00:00', note: null, text: 'a' };
  const ours = { id: '1', at: '2026-01-02T03:04:05Z', text: 'b' };
  expect(deltaBetween(theirs, ours, loose)).toEqual({ patch: { text: 'b' }, unset: [] });
  expect(deltaBetween(theirs, ours, exact)).toEqual({ patch: { text: 'b' }, unset: ['note'] });
});
