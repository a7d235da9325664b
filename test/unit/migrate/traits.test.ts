import { expect, test } from 'vitest';
import { expectedFindings } from '../../../src/migrate/traits.js';
import type { CollectionPlan } from '../../../src/migrate/types.js';

const plan = (fields: CollectionPlan['fields']): CollectionPlan => ({
  collection: 'todos',
  rows: { from: 2, to: 0 },
  fields,
  bytes: 100,
});
const told = (fields: CollectionPlan['fields'], from: string, to: string): string[] =>
  expectedFindings(plan(fields), from, to).map(({ field, level, text }) => `${field} ${level} ${text.slice(0, 24)}`);

test('what AppSync holds only with the right schema is told', () => {
  expect(told({ meta: { object: 1 }, n: { integer: 2 }, text: { text: 2 } }, 'websocket', 'appsync')).toEqual([
    'meta note appsync takes maps and l',
    'n note Int holds 32 bits: whole',
  ]);
  expect(told({ note: { missing: 1, text: 1 } }, 'websocket', 'appsync')).toEqual([
    'note equal 1 rows lack it; appsync ',
  ]);
  expect(told({ meta: { text: 2 }, n: { integer: 2 } }, 'appsync', 'websocket')).toEqual([]);
});

test('what Firestore has and Hasura has not is told, and the other way round', () => {
  expect(told({ at: { tagged: 2 }, note: { missing: 1, text: 1 } }, 'firestore', 'hasura')).toEqual([
    'at note Values that only firesto',
    'note equal 1 rows lack it; hasura g',
  ]);
  expect(told({ doc: { 'list in a list': 1, object: 1 } }, 'hasura', 'firestore')).toEqual([
    'doc blocks 1 rows have a list in a ',
    'doc note Inside json, 1.50 is rea',
  ]);
});
