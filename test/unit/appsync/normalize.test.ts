import { expect, test, vi } from 'vitest';
import { createLateRows } from '../../../adapters/appsync/late-rows.js';
import { createModel, type Item } from '../../../adapters/appsync/model.js';
import { createReader } from '../../../adapters/appsync/normalize.js';
import type { Change } from '../../../src/base/change.js';

const plain = createModel('todos', { name: 'Todo', fields: ['text', 'done'] });
const versioned = createModel('todos', { name: 'Todo', fields: ['text', 'done'], versioned: true });
const updatedAt = '2026-01-02T03:04:05.678Z';
const row = { id: 'a', text: 'Milk', done: false };

test('an event with every field is a change', () => {
  expect(createReader(versioned)('create', { ...row, _version: 1, _deleted: null, _lastChangedAt: 5 })).toEqual({
    type: 'insert',
    collection: 'todos',
    recordId: 'a',
    version: 1,
    timestamp: 5,
    data: row,
  });
  expect(createReader(plain)('update', { ...row, updatedAt })).toMatchObject({
    type: 'update',
    timestamp: Date.parse(updatedAt),
    data: row,
  });
});

test('a field that is null or missing is unknown: the row is read', () => {
  for (const event of [
    { id: 'a', text: 'Milk' },
    { ...row, done: null },
  ]) {
    expect(createReader(versioned)('update', { ...event, _version: 4 })).toEqual({ read: 'a', atLeast: 4 });
    expect(createReader(plain)('create', event)).toEqual({ read: 'a', atLeast: undefined });
  }
  const trusting = createModel('todos', { name: 'Todo', fields: ['text', 'done'], versioned: true, events: 'whole' });
  expect(createReader(trusting)('update', { id: 'a', text: 'Milk', done: null, _version: 4 })).toMatchObject({
    data: { id: 'a', text: 'Milk', done: null },
  });
  const ids = createModel('todos', { name: 'Todo', fields: ['text', 'done'], events: 'ids' });
  expect(createReader(ids)('update', { id: 'a' })).toEqual({ read: 'a', atLeast: undefined });
});

test('without an id only a catch-up can tell', () => {
  for (const event of [null, undefined, 'a', [], {}, { id: '' }, { text: 'Milk', _version: 1 }])
    expect(createReader(versioned)('update', event)).toBe('gap');
});

test('deletes: the tombstone, the last version of what is gone for good, or a look', () => {
  expect(createReader(versioned)('delete', { id: 'a', _version: 5 })).toMatchObject({ type: 'delete', version: 5 });
  expect(createReader(versioned)('update', { ...row, _version: 5, _deleted: true })).toMatchObject({ type: 'delete' });
  expect(createReader(versioned)('delete', { id: 'a' })).toEqual({ read: 'a', atLeast: undefined });
  const read = createReader(plain);
  const last = read('update', { ...row, updatedAt }) as Change;
  const gone = read('delete', { id: 'a', updatedAt }) as Change;
  expect(gone).toMatchObject({ type: 'delete', recordId: 'a' });
  expect(gone).not.toHaveProperty('data');
  expect(gone.version > last.version).toBe(true);
  expect(read('delete', { id: 'a' })).toEqual({ read: 'a', atLeast: undefined });
});

test('two changes of a row in one millisecond are told apart, a repeated event is not', () => {
  const read = createReader(plain);
  const version = (text: string, id = 'a') => (read('update', { ...row, id, text, updatedAt }) as Change).version;
  const [one, again, two, three] = [version('one'), version('one'), version('two'), version('three')];
  expect(again).toBe(one);
  expect(one < two && two < three).toBe(true);
  expect(version('one', 'b')).toBe(one);
});

/** Late rows over items that a test holds. */
function late(model = versioned) {
  const items = new Map<string, Item>();
  const said: (Change | 'gap')[] = [];
  let hold: Promise<void> | undefined;
  let asked = 0;
  const rows = createLateRows(
    model,
    { change: (change) => void said.push(change), gap: () => void said.push('gap') },
    async (ids) => {
      asked += 1;
      const found = new Map(ids.flatMap((id) => (items.has(id) ? [[id, items.get(id) as Item]] : [])));
      await hold;
      return found;
    },
  );
  return {
    items,
    said,
    rows,
    holdBack(until: Promise<void> | undefined) {
      hold = until;
    },
    asked: () => asked,
  };
}

test('a row that is read before DynamoDB shows the change is read again', async () => {
  const { items, said, rows, asked } = late();
  items.set('a', { ...row, _version: 1 });
  rows.want('a', false, 2);
  await vi.waitFor(() => expect(asked()).toBe(2));
  expect(said).toEqual([]);
  items.set('a', { ...row, text: 'new', _version: 2 });
  await vi.waitFor(() => expect(said).toMatchObject([{ type: 'update', version: 2, data: { text: 'new' } }]));
  rows.close();
});

test('a row that is not there in the end is gone; what an event said meanwhile is newer', async () => {
  const { items, said, rows, holdBack } = late(plain);
  rows.want('a', true, undefined);
  await vi.waitFor(() => expect(said).toMatchObject([{ type: 'delete', recordId: 'a', inferred: true }]));
  let release = (): void => undefined;
  holdBack(new Promise((resolve) => (release = resolve)));
  rows.want('a', true, undefined);
  // It is created again while that answer is on its way.
  items.set('a', { ...row, updatedAt });
  rows.want('a', false, undefined);
  holdBack(undefined);
  release();
  await vi.waitFor(() => expect(said).toHaveLength(2));
  expect(said[1]).toMatchObject({ type: 'update', data: row });
  rows.close();
});

test('a read that fails, or too many rows, is a gap; after close nothing is said', async () => {
  const said: string[] = [];
  const rows = createLateRows(plain, { change: () => said.push('change'), gap: () => said.push('gap') }, async () => {
    throw new Error('The test made this read fail.');
  });
  rows.want('a', false, undefined);
  await vi.waitFor(() => expect(said).toEqual(['gap']));
  const { rows: many, said: told } = late();
  for (let index = 0; index <= 1100; index++) many.want(`row ${index}`, false, undefined);
  expect(told).toContain('gap');
  rows.close();
  many.close();
  many.want('late', true, undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(told.filter((each) => typeof each === 'object' && each.recordId === 'late')).toEqual([]);
});
