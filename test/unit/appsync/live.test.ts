import { expect, test, vi } from 'vitest';
import { createLateRows } from '../../../adapters/appsync/live.js';
import { createTable, type Item } from '../../../adapters/appsync/table.js';
import type { Change } from '../../../src/base/change.js';

const plain = createTable('todos', { table: 'Todo', fields: ['text', 'done'] });
const versioned = createTable('todos', { table: 'Todo', fields: ['text', 'done'], versioned: true });
const updatedAt = '2026-01-02T03:04:05.678Z';
const row = { id: 'a', text: 'Milk', done: false };

/** Late rows over items that a test holds. */
function late(table = versioned) {
  const items = new Map<string, Item>();
  const said: (Change | 'gap')[] = [];
  let hold: Promise<void> | undefined;
  let asked = 0;
  const rows = createLateRows(
    table,
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
