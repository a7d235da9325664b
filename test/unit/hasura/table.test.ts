import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { liveDocument } from '../../../adapters/hasura/live-query.js';
import { type HasuraCollection, type NamingConvention, readOptions } from '../../../adapters/hasura/options.js';
import { countDocument, newestDocument, streamDocument } from '../../../adapters/hasura/stream.js';
import { allOf, behind, createTables, keysDocument, notDeleted, pageDocument } from '../../../adapters/hasura/table.js';
import { mutation, unchanged } from '../../../adapters/hasura/writes.js';

const tableOf = (todos: HasuraCollection, naming: NamingConvention = 'hasura-default') =>
  createTables(readOptions({ url: 'https://x.example', naming, collections: { todos } })).get('todos');

const snake = tableOf({ fields: ['text', 'done'], deletedAt: 'deleted_at' });
const camel = tableOf({ fields: ['text', 'dueAt'], table: 'todoItems' }, 'graphql-default');

test('documents in hasura-default', () => {
  expect(pageDocument(snake)).toBe(
    'query ($where: todos_bool_exp!, $limit: Int!) { rows: todos(where: $where, order_by: [{updated_at: asc}, {id: asc}], limit: $limit) { id updated_at deleted_at text done } }',
  );
  expect(keysDocument(snake)).toContain('order_by: [{id: asc}], limit: $limit) { id updated_at }');
  expect(newestDocument(snake)).toContain('order_by: [{updated_at: desc}], limit: 1) { updated_at }');
  expect(liveDocument(snake)).toBe(
    'subscription ($where: todos_bool_exp!) { rows: todos(where: $where, order_by: [{id: asc}]) { id updated_at deleted_at text done } }',
  );
  expect(streamDocument(snake, '2026-01-02T03:04:05.678Z', 100)).toBe(
    'subscription ($where: todos_bool_exp!) { rows: todos_stream(batch_size: 100, cursor: {initial_value: {updated_at: "2026-01-02T03:04:05.678Z"}, ordering: ASC}, where: $where) { id updated_at deleted_at text done } }',
  );
  expect(countDocument(snake)).toContain('rows: todos_aggregate(where: $where) { aggregate { count } }');
});

test('documents in graphql-default', () => {
  expect(pageDocument(camel)).toBe(
    'query ($where: TodoItemsBoolExp!, $limit: Int!) { rows: todoItems(where: $where, orderBy: [{updatedAt: ASC}, {id: ASC}], limit: $limit) { id updatedAt text dueAt } }',
  );
  expect(streamDocument(camel, 't', 7)).toContain(
    'rows: todoItemsStream(batchSize: 7, cursor: {initialValue: {updatedAt: "t"}, ordering: ASC}',
  );
  expect(countDocument(camel)).toContain('rows: todoItemsAggregate(');
  const { query } = mutation([
    { type: 'insert', table: camel, objects: [] },
    { type: 'update', table: camel, where: {}, set: {} },
    { type: 'delete', table: camel, where: {} },
  ]);
  for (const words of ['insertTodoItems(', 'updateTodoItems(', 'deleteTodoItems(', 'TodoItemsSetInput!'])
    expect(query).toContain(words);
});

test('custom names go before those of the convention', () => {
  const table = tableOf({ fields: ['text'], roots: { select: 'allTodos' }, types: { where: 'todo_filter' } });
  expect(pageDocument(table)).toContain('query ($where: todo_filter!, $limit: Int!) { rows: allTodos(');
  expect(countDocument(table)).toContain('todos_aggregate');
});

test('a mutation is one document with an alias for each statement, and values only in variables', () => {
  const { query, variables } = mutation([
    { type: 'insert', table: snake, objects: [{ id: 'a"}', text: '$x' }] },
    { type: 'update', table: snake, where: { id: { _eq: 'b' } }, set: { text: 'Bread' } },
    { type: 'delete', table: snake, where: { id: { _eq: 'c' } } },
  ]);
  const rows = '{ returning { id updated_at deleted_at text done } }';
  expect(query).toBe(
    `mutation ($v0: [todos_insert_input!]!, $w1: todos_bool_exp!, $v1: todos_set_input!, $w2: todos_bool_exp!) { m0: insert_todos(objects: $v0) ${rows} m1: update_todos(where: $w1, _set: $v1) ${rows} m2: delete_todos(where: $w2) ${rows} }`,
  );
  expect(variables).toEqual({
    v0: [{ id: 'a"}', text: '$x' }],
    w1: { id: { _eq: 'b' } },
    v1: { text: 'Bread' },
    w2: { id: { _eq: 'c' } },
  });
});

test('every document is GraphQL', () => {
  for (const table of [snake, camel]) {
    const { query } = mutation([{ type: 'delete', table, where: {} }]);
    const all = [pageDocument, keysDocument, newestDocument, liveDocument, countDocument].map((make) => make(table));
    for (const document of [...all, streamDocument(table, 't', 1), query])
      expect(parse(document).definitions).toHaveLength(1);
  }
});

test('conditions: behind a row, as it was, not deleted', () => {
  const at = '2026-01-02T03:04:05.678901+00:00';
  const utc = '2026-01-02T03:04:05.678901Z';
  expect(behind(snake, at, 'x')).toEqual({
    _and: [
      { updated_at: { _gte: at } },
      { _or: [{ updated_at: { _gt: at } }, { updated_at: { _eq: at }, id: { _gt: 'x' } }] },
    ],
  });
  expect(unchanged(snake, [{ recordId: 'x', baseVersion: utc }])).toEqual({
    _or: [{ id: { _eq: 'x' }, updated_at: { _eq: utc } }],
  });
  expect(allOf(undefined, notDeleted(snake))).toEqual({ _and: [{ deleted_at: { _is_null: true } }] });
  expect(notDeleted(camel)).toBeUndefined();
  const numbered = tableOf({ fields: { id: { type: 'Int' }, text: {} } });
  expect(unchanged(numbered, [{ recordId: '7', baseVersion: utc }])).toEqual({
    _or: [{ id: { _eq: 7 }, updated_at: { _eq: utc } }],
  });
});

test('the fields of a schema are asked for; `fields` beside it says more of some', () => {
  const schema = z.object({ id: z.string(), text: z.string(), price: z.string() });
  const table = tableOf({ schema, fields: { price: { column: 'cost', type: 'numeric' } } });
  expect(pageDocument(table)).toContain('{ id updated_at text cost }');
  expect(table.toRow({ id: 'a', text: 'Milk', cost: '1.50' })).toEqual({ text: 'Milk', price: '1.50' });
  expect(table.toColumns({ id: 'a', price: '2', updated_at: 'never' })).toEqual({ id: 'a', cost: '2' });
});
