import { describe, expect, test } from 'vitest';
import { deepEqual, getPath, handOut } from '../../../src/base/json.js';

describe('getPath', () => {
  const row = {
    id: '1',
    address: { city: 'Oslo', 'post.code': '0150' },
    tags: ['a', { name: 'b' }],
    'address.country': 'Norway',
    'address.city.name': 'literal',
    nothing: null,
    text: 'hello',
  };

  test.each([
    ['id', '1'],
    ['address.city', 'Oslo'],
    ['tags.0', 'a'],
    ['tags.1.name', 'b'],
    ['tags', row.tags],
    ['nothing', null],
  ])('%s', (path, value) => expect(getPath(row, path)).toBe(value));

  test('a field whose own name is the path wins', () => {
    expect(getPath(row, 'address.country')).toBe('Norway');
    expect(getPath(row, 'address.city.name')).toBe('literal');
    expect(getPath({ id: '1', a: { b: 1 }, 'a.b': undefined }, 'a.b')).toBe(undefined);
  });

  test.each([
    'missing',
    'address.town',
    'tags.2',
    'tags.-1',
    'tags.x',
    'nothing.deep',
    'text.0',
    'text.length',
    'id.a.b',
  ])('nothing at %s', (path) => expect(getPath(row, path)).toBe(undefined));

  test.each([
    'constructor',
    '__proto__',
    'toString',
    'address.constructor',
    'address.__proto__.toString',
    'tags.map',
    'map',
  ])('nothing inherited at %s', (path) => expect(getPath(row, path)).toBe(undefined));

  test('an own field may have any name', () => {
    const odd = JSON.parse('{ "id": "1", "__proto__": 1, "toString": 2, "length": 3, "a": { "constructor": 4 } }');
    expect(['__proto__', 'toString', 'length', 'a.constructor'].map((path) => getPath(odd, path))).toEqual([
      1, 2, 3, 4,
    ]);
  });
});

describe('deepEqual', () => {
  const proto = JSON.parse('{ "__proto__": {} }');
  test.each<[unknown, unknown]>([
    [1, 1],
    [0, -0],
    [Number.NaN, Number.NaN],
    ['a', 'a'],
    [null, null],
    [{}, {}],
    [[], []],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ a: undefined }, {}],
    [{ a: { b: [1, { c: Number.NaN }] } }, { a: { b: [1, { c: Number.NaN, d: undefined }] } }],
    [[0], [-0]],
  ])('%j equals %j', (a, b) => {
    expect(deepEqual(a, b)).toBe(true);
    expect(deepEqual(b, a)).toBe(true);
  });

  test.each<[unknown, unknown]>([
    [1, 2],
    [1, '1'],
    [0, false],
    [Number.NaN, null],
    [null, undefined],
    [null, {}],
    [{}, []],
    [{ 0: 'a' }, ['a']],
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    [['a'], ['a', 'b']],
    [{ a: null }, {}],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: { b: 1 } }, { a: { b: 2 } }],
    [proto, {}],
    [{ toString: 1 }, {}],
  ])('%j is not %j', (a, b) => {
    expect(deepEqual(a, b)).toBe(false);
    expect(deepEqual(b, a)).toBe(false);
  });
});

describe('handOut', () => {
  test('gives the same value, frozen to the bottom', () => {
    const row = { id: '1', tags: ['a'], address: { geo: { lat: 1 } }, none: null };
    expect(handOut(row)).toBe(row);
    expect([row, row.tags, row.address, row.address.geo].every(Object.isFrozen)).toBe(true);
    expect(() => row.tags.push('b')).toThrow(TypeError);
  });

  test('does not look inside of what is frozen', () => {
    const inner = { open: true };
    handOut(Object.freeze({ inner }));
    expect(Object.isFrozen(inner)).toBe(false);
  });

  test.each([null, undefined, 1, 'a', true])('takes %s', (value) => expect(handOut(value)).toBe(value));
});
