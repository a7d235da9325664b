import { expect, test } from 'vitest';
import type { TransportValues } from '../../../src/transport/transport.js';
import { combinedValues, nullIsMissing, sameRow } from '../../../src/transport/values.js';

const columns: TransportValues = { fields: 'columns' };
const documents: TransportValues = {};

test('null equals missing where one of the backends has columns, and only there', () => {
  const [one, other] = [{ id: 'a', note: null }, { id: 'a' }];
  expect(sameRow(one, other, documents, columns)).toBe(true);
  expect(sameRow(other, one, columns, documents)).toBe(true);
  expect(sameRow(one, other, documents, documents)).toBe(false);
  expect(sameRow({ id: 'a', note: null }, { id: 'a', note: 1 }, columns)).toBe(false);
  expect(nullIsMissing(documents, columns)).toBe(true);
  expect(nullIsMissing(documents, documents)).toBe(false);
});

test('one instant is one value, whichever way it is written', () => {
  const at = (text: string) => ({ id: 'a', at: text });
  expect(sameRow(at('2026-01-02T03:04:05.120Z'), at('2026-01-02T04:04:05.12+01:00'))).toBe(true);
  expect(sameRow(at('2026-01-02T03:04:05.120Z'), at('2026-01-02T03:04:05.121Z'))).toBe(false);
  expect(sameRow({ id: 'a', n: 1 }, { id: 'a', n: 1, more: true }, columns)).toBe(false);
});

test('of several backends only what each of them keeps is kept', () => {
  const firestore: TransportValues = { nestedLists: false, tags: ['a', 'b'] };
  expect(combinedValues([columns, firestore])).toEqual({
    fields: 'columns',
    nestedLists: false,
    anyShape: true,
    maxInteger: Number.MAX_SAFE_INTEGER,
    tags: [],
  });
  expect(combinedValues([firestore, { ...firestore, tags: ['b'], anyShape: false, maxInteger: 7 }])).toEqual({
    fields: 'documents',
    nestedLists: false,
    anyShape: false,
    maxInteger: 7,
    tags: ['b'],
  });
});
