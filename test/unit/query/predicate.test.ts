import { describe, expect, test } from 'vitest';
import { isSyncLayerError } from '../../../src/base/errors.js';
import { compilePredicate } from '../../../src/query/predicate.js';
import type { Operator } from '../../../src/query/types.js';

const row = {
  id: '1',
  text: 'Buy milk',
  empty: '',
  count: 3,
  zero: 0,
  nan: Number.NaN,
  done: false,
  nothing: null,
  tags: ['home', 'shop', null, { deep: [1] }],
  numbers: [1, 2],
  address: { city: 'Oslo', geo: { lat: 59.9 }, lines: [{ street: 'Storgata' }] },
  'dotted.name': 'literal',
  dotted: { name: 'nested' },
};

const matches = (path: string, operator: Operator, value: unknown) =>
  compilePredicate([{ path, operator, value }])(row);

/** For each operator what matches and what does not, on this row. */
const cases: Record<Operator, { yes: [path: string, value: unknown][]; no: [path: string, value: unknown][] }> = {
  '==': {
    yes: [
      ['text', 'Buy milk'],
      ['count', 3],
      ['zero', -0],
      ['nan', Number.NaN],
      ['done', false],
      ['nothing', null],
      ['missing', null],
      ['address.town', null],
      ['address.city', 'Oslo'],
      ['address.geo', { lat: 59.9 }],
      ['address.lines.0', { street: 'Storgata' }],
      ['address.lines.0.street', 'Storgata'],
      ['tags.0', 'home'],
      ['tags.9', null],
      ['numbers', [1, 2]],
      ['dotted.name', 'literal'],
      ['constructor', null],
    ],
    no: [
      ['text', 'buy milk'],
      ['count', '3'],
      ['zero', null],
      ['zero', false],
      ['empty', null],
      ['done', null],
      ['nothing', false],
      ['numbers', [2, 1]],
      ['numbers', 1],
      ['address', { city: 'Oslo' }],
      ['dotted.name', 'nested'],
    ],
  },
  '!=': {
    yes: [
      ['text', 'x'],
      ['missing', 'x'],
      ['address.town', 'Oslo'],
      ['nothing', 0],
      ['count', '3'],
      ['count', null],
      ['numbers', [1]],
    ],
    no: [
      ['text', 'Buy milk'],
      ['missing', null],
      ['nothing', null],
      ['numbers', [1, 2]],
      ['address.geo', { lat: 59.9 }],
    ],
  },
  '>': {
    yes: [
      ['count', 2],
      ['text', 'Buy'],
      ['text', 'BUY'],
      ['address.geo.lat', 59],
      ['address.city', 'Os'],
      ['numbers.1', 1],
    ],
    no: [
      ['count', 3],
      ['count', '2'],
      ['text', 1],
      ['text', 'a'],
      ['nothing', -1],
      ['missing', -1],
      ['missing', ''],
      ['nothing', null],
      ['count', null],
      ['numbers', 0],
      ['address', ''],
      ['nan', 0],
      ['count', Number.NaN],
      ['done', -1],
    ],
  },
  '>=': {
    yes: [
      ['count', 3],
      ['text', 'Buy milk'],
      ['done', false],
      ['empty', ''],
    ],
    no: [
      ['count', 4],
      ['nothing', null],
      ['missing', null],
      ['nan', Number.NaN],
      ['done', true],
      ['zero', false],
    ],
  },
  '<': {
    yes: [
      ['count', 4],
      ['text', 'a'],
      ['done', true],
      ['address.geo.lat', 60],
    ],
    no: [
      ['count', 3],
      ['nothing', 1],
      ['missing', 1],
      ['missing', 'z'],
      ['nothing', null],
      ['text', 1],
      ['count', 'z'],
      ['numbers', 9],
      ['nan', 1],
    ],
  },
  '<=': {
    yes: [
      ['count', 3],
      ['empty', ''],
      ['done', false],
      ['zero', -0],
    ],
    no: [
      ['count', 2],
      ['nothing', null],
      ['missing', null],
      ['nothing', 0],
      ['numbers', 9],
    ],
  },
  startsWith: {
    yes: [
      ['text', 'Buy'],
      ['text', ''],
      ['empty', ''],
      ['address.city', 'Os'],
      ['tags.0', 'ho'],
    ],
    no: [
      ['text', 'buy'],
      ['text', 'milk'],
      ['missing', ''],
      ['nothing', ''],
      ['count', ''],
      ['tags', 'home'],
    ],
  },
  endsWith: {
    yes: [
      ['text', 'milk'],
      ['address.lines.0.street', 'gata'],
    ],
    no: [
      ['text', 'Milk'],
      ['text', 'Buy'],
      ['missing', ''],
      ['numbers', '2'],
    ],
  },
  contains: {
    yes: [
      ['text', 'y m'],
      ['address.city', 'sl'],
    ],
    no: [
      ['text', 'Y M'],
      ['tags', 'home'],
      ['missing', ''],
      ['count', '3'],
    ],
  },
  arrayContains: {
    yes: [
      ['tags', 'home'],
      ['tags', null],
      ['tags', { deep: [1] }],
      ['numbers', 2],
      ['address.lines', { street: 'Storgata' }],
    ],
    no: [
      ['tags', 'hom'],
      ['tags', {}],
      ['numbers', '2'],
      ['numbers', [1, 2]],
      ['text', 'B'],
      ['missing', null],
      ['address', 'Oslo'],
    ],
  },
  arrayContainsAny: {
    yes: [
      ['tags', ['x', 'shop']],
      ['tags', [{ deep: [1] }]],
      ['tags', [null]],
      ['numbers', [2, 9]],
    ],
    no: [
      ['tags', []],
      ['tags', ['x']],
      ['numbers', ['1']],
      ['text', ['Buy milk']],
      ['missing', [null]],
    ],
  },
  in: {
    yes: [
      ['text', ['x', 'Buy milk']],
      ['count', [3]],
      ['zero', [-0]],
      ['nan', [Number.NaN]],
      ['missing', [null]],
      ['nothing', ['x', null]],
      ['address.geo', [{ lat: 1 }, { lat: 59.9 }]],
      ['numbers', [[1, 2]]],
      ['address.city', ['Oslo']],
    ],
    no: [
      ['text', []],
      ['count', ['3']],
      ['missing', ['x']],
      ['nothing', [{}]],
      ['numbers', [1, 2]],
    ],
  },
  notIn: {
    yes: [
      ['text', []],
      ['text', ['x']],
      ['missing', ['x']],
      ['nothing', ['x']],
      ['numbers', [1, 2]],
    ],
    no: [
      ['text', ['Buy milk']],
      ['missing', [null]],
      ['nothing', [null]],
      ['address.geo', [{ lat: 59.9 }]],
    ],
  },
  isNull: {
    yes: [
      ['missing', true],
      ['nothing', true],
      ['nothing', undefined],
      ['address.town', undefined],
      ['nothing.deep', true],
      ['text', false],
      ['zero', false],
      ['empty', false],
      ['address.geo', false],
    ],
    no: [
      ['missing', false],
      ['nothing', false],
      ['text', true],
      ['zero', undefined],
      ['empty', true],
      ['done', true],
    ],
  },
};

for (const [operator, { yes, no }] of Object.entries(cases) as [Operator, (typeof cases)[Operator]][]) {
  describe(operator, () => {
    test.each(yes)(`%s ${operator} %j`, (path, value) => expect(matches(path, operator, value)).toBe(true));
    test.each(no)(`not: %s ${operator} %j`, (path, value) => expect(matches(path, operator, value)).toBe(false));
  });
}

test('all conditions must hold; none holds for every row', () => {
  const both = compilePredicate([
    { path: 'done', operator: '==', value: false },
    { path: 'count', operator: '>', value: 2 },
  ]);
  expect(both({ id: '1', done: false, count: 3 })).toBe(true);
  expect(both({ id: '1', done: false, count: 2 })).toBe(false);
  expect(both({ id: '1', done: true, count: 3 })).toBe(false);
  expect(compilePredicate([])({ id: '1' })).toBe(true);
});

test('a list of thousands of values is not walked for each row', () => {
  const values = Array.from({ length: 20_000 }, (_, index) => `id-${index}`);
  let touched = 0;
  const counted = new Proxy(values, {
    get: (target, key, receiver) => {
      touched++;
      return Reflect.get(target, key, receiver);
    },
  });
  const isIn = compilePredicate([{ path: 'id', operator: 'in', value: counted }]);
  touched = 0;
  expect(isIn({ id: 'id-19999' })).toBe(true);
  expect(isIn({ id: 'other' })).toBe(false);
  expect(touched).toBe(0);
});

describe('mistakes are errors that say what to do', () => {
  const problem = (operator: unknown, value: unknown, path: unknown = 'address.city') => {
    try {
      compilePredicate([{ path: path as string, operator: operator as Operator, value }]);
    } catch (error) {
      if (isSyncLayerError(error) && error.code === 'VALIDATION_FAILED') return error.message;
      throw error;
    }
    return undefined;
  };

  test.each([
    ['===', 1, "where('address.city', '===') needs one of == != > >= < <= startsWith"],
    ['constructor', 1, "'constructor') needs one of =="],
    [undefined, 1, "'undefined') needs one of =="],
    ['==', undefined, "where('address.city', '==') needs a JSON value (an ISO string for a date), not undefined."],
    ['!=', undefined, 'not undefined'],
    ['>', undefined, "'>') needs a number, a string or a boolean (an ISO string for a date), not undefined."],
    ['arrayContains', undefined, 'not undefined'],
    ['==', new Date(0), 'not date'],
    ['<', new Date(0), '(an ISO string for a date), not date.'],
    ['>=', [1], 'not array'],
    ['<=', { a: 1 }, 'not object'],
    ['in', 'a', "'in') needs an array such as ['a', 'b'], not string."],
    ['in', undefined, 'not undefined'],
    ['notIn', null, "'notIn') needs an array such as ['a', 'b'], not null."],
    ['arrayContainsAny', { 0: 'a' }, "'arrayContainsAny') needs an array such as ['a', 'b'], not object."],
    ['in', ['a', undefined], "'in') needs an array"],
    ['in', [new Date(0)], "'in') needs an array"],
    ['startsWith', 1, "'startsWith') needs a string, not number."],
    ['endsWith', null, "'endsWith') needs a string, not null."],
    ['contains', ['a'], "'contains') needs a string, not array."],
    ['isNull', 'yes', "'isNull') needs true, false or nothing, not string."],
    ['isNull', null, 'not null'],
  ])('%s %j', (operator, value, message) => expect(problem(operator, value)).toContain(message));

  test('the value is not told: it may be private', () => {
    expect(problem('in', 'secret-4711')).not.toContain('4711');
  });
});
