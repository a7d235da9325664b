import { describe, expect, test } from 'vitest';
import { matchesFilter, projectRow } from '../../../src/transport/filter.js';

describe('matchesFilter', () => {
  test.each<[Parameters<typeof matchesFilter>[0], object, number | undefined, boolean]>([
    [{}, { n: 1 }, undefined, true],
    [{ where: {} }, { n: 1 }, undefined, true],
    [{ where: { n: 1 } }, { n: 1 }, undefined, true],
    [{ where: { n: 1 } }, { n: '1' }, undefined, false],
    [{ where: { n: 1, m: 2 } }, { n: 1 }, undefined, false],
    [{ where: { n: null } }, { n: null }, undefined, true],
    [{ where: { n: null } }, {}, undefined, false],
    [{ where: { 'a.b.0': 1 } }, { a: { b: [1] } }, undefined, true],
    [{ where: { 'a.b': 1 } }, { 'a.b': 1 }, undefined, true],
    [{ where: { tags: ['x'] } }, { tags: ['x'] }, undefined, true],
    [{ where: { constructor: Object } }, {}, undefined, false],
    [{ since: 100 }, {}, 100, true],
    [{ since: 100 }, {}, 99, false],
    [{ since: 100 }, {}, undefined, true],
    [{ since: '1970-01-01T00:00:00.100Z' }, {}, 99, false],
    [{ since: '1970-01-01T00:00:00.100Z', where: { n: 1 } }, { n: 2 }, 100, false],
  ])('%j takes %j of %s: %s', (filter, row, timestamp, expected) => {
    expect(matchesFilter(filter, row as never, timestamp)).toBe(expected);
  });

  test('a row with the kept fields only says nothing about the others', () => {
    const filter = { where: { 'owner.id': 'me', n: 1 }, fields: ['n'] };
    expect(matchesFilter(filter, { n: 1 }, undefined)).toBe(false);
    expect(matchesFilter(filter, { n: 1 }, undefined, true)).toBe(true);
    expect(matchesFilter(filter, { n: 2 }, undefined, true)).toBe(false);
    expect(matchesFilter(filter, { n: 1, owner: { id: 'you' } }, undefined, true)).toBe(false);
    expect(matchesFilter({ where: { n: 1 } }, {}, undefined, true), 'a field that is kept is known to be missing').toBe(
      false,
    );
  });
});

describe('projectRow', () => {
  const row = { id: 'a', n: 1, text: 'x', secret: 's' };
  test('keeps the named fields, or all but the named ones, and always the id', () => {
    expect(projectRow({ fields: ['n', 'missing'] }, row)).toEqual({ id: 'a', n: 1 });
    expect(projectRow({ fields: [] }, row)).toEqual({ id: 'a' });
    expect(projectRow({ excludeFields: ['secret', 'id'] }, row)).toEqual({ id: 'a', n: 1, text: 'x' });
  });

  test('without field filters it is the row itself', () => {
    expect(projectRow({ where: { n: 1 } }, row)).toBe(row);
  });
});
