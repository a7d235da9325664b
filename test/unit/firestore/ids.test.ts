import fc from 'fast-check';
import { expect, test } from 'vitest';
import { documentId, recordIdOf } from '../../../adapters/firestore/table.js';

const pieces = fc.oneof(fc.constantFrom('/', '%', '2F', '25', '%2F', '%25', '%=', '.', '__', 'a', '\n'), fc.string());
const text = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));
const allowed = (name: string): boolean => !name.includes('/') && !/^(\.\.?|__.*__)?$/s.test(name);

test('every record has a document that Firestore allows, and each its own', () => {
  fc.assert(
    fc.property(text, (id) => allowed(documentId(id)) && recordIdOf(documentId(id)) === id),
    { numRuns: 5000 },
  );
});

test('every document that Firestore allows has a record, and each its own', () => {
  fc.assert(
    fc.property(text.filter(allowed), (name) => documentId(recordIdOf(name)) === name),
    { numRuns: 5000 },
  );
});

test.each([
  ['a', 'a'],
  ['50%', '50%'],
  ['a%20b', 'a%20b'],
  ['a/b', 'a%2Fb'],
  ['a%2Fb', 'a%252Fb'],
  ['..', '%=..'],
  ['__proto__', '%=__proto__'],
  ['日本', '日本'],
])('the record %j is the document %j', (id, name) => {
  expect([documentId(id), recordIdOf(name)]).toEqual([name, id]);
});
