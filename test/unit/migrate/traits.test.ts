import { expect, test } from 'vitest';
import { expectedFindings } from '../../../src/migrate/traits.js';
import type { CollectionPlan } from '../../../src/migrate/types.js';
import type { TransportValues } from '../../../src/transport/transport.js';

const plan = (fields: CollectionPlan['fields']): CollectionPlan => ({
  collection: 'todos',
  rows: { from: 2, to: 0 },
  fields,
  bytes: 100,
});
const websocket: TransportValues = {};
const hasura: TransportValues = { fields: 'columns' };
const appsync: TransportValues = { fields: 'columns', anyShape: false, maxInteger: 2 ** 31 - 1 };
const firestore: TransportValues = { nestedLists: false, tags: ['firestore/timestamp/1.0'] };
const found = (fields: CollectionPlan['fields'], from: TransportValues, to: TransportValues): string[] =>
  expectedFindings(plan(fields), { name: 'one', values: from }, { name: 'two', values: to }).map(
    ({ field, level, text }) => `${field} ${level} ${text.slice(0, 24)}`,
  );

test('what a schema with types holds only in the right field is found', () => {
  expect(found({ meta: { object: 1 }, n: { integer: 2 }, text: { text: 2 } }, websocket, appsync)).toEqual([
    'meta note two takes objects and li',
    'n note Whole numbers above 2147',
  ]);
  expect(found({ note: { missing: 1, text: 1 } }, websocket, appsync)).toEqual(['note equal 1 rows lack it; two give']);
  expect(found({ meta: { text: 2 }, n: { integer: 2 } }, appsync, websocket)).toEqual([]);
});

test('what documents have and columns have not is found, and the other way round', () => {
  expect(found({ at: { tagged: 2 }, note: { missing: 1, text: 1 } }, firestore, hasura)).toEqual([
    'at note Values that only one has',
    'note equal 1 rows lack it; two give',
  ]);
  expect(found({ doc: { 'list in a list': 1, object: 1 } }, hasura, firestore)).toEqual([
    'doc blocks 1 rows have a list in a ',
    'doc note Inside json, 1.50 is rea',
  ]);
  expect(found({ at: { tagged: 2 } }, firestore, firestore)).toEqual([]);
});
