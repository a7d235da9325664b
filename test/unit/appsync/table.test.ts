import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { createTable, createTables } from '../../../adapters/appsync/table.js';

const plain = createTable('todos', { table: 'Todo', fields: ['id', 'text', 'address { street city }', 'createdAt'] });
const versioned = createTable('todos', { table: 'Todo', fields: ['text'], versioned: true });

test('documents are as Amplify writes them, and select every field', () => {
  expect(plain.mutation('create', { id: 'a' })).toEqual({
    field: 'createTodo',
    query:
      'mutation($input:CreateTodoInput!){createTodo(input:$input){id text address { street city } createdAt updatedAt}}',
    variables: { input: { id: 'a' } },
  });
  expect(versioned.mutation('delete', { id: 'a', _version: 3 }).query).toBe(
    'mutation($input:DeleteTodoInput!){deleteTodo(input:$input){id text _version _deleted _lastChangedAt}}',
  );
  expect(versioned.subscription('update')).toEqual({
    field: 'onUpdateTodo',
    query: 'subscription{onUpdateTodo{id text _version _deleted _lastChangedAt}}',
    variables: {},
  });
  for (const { query } of [
    plain.get(['a', 'b']),
    plain.page({ from: 5, limit: 3, nextToken: 't' }),
    versioned.page({ limit: 3, select: 'key' }),
    plain.mutation('update', {}, { updatedAt: { eq: 'x' } }),
  ])
    expect(() => parse(query)).not.toThrow();
});

test('what is not given is left out: null would mean something else', () => {
  expect(versioned.page({ limit: 7 })).toEqual({
    field: 'syncTodos',
    query:
      'query($limit:Int){syncTodos(limit:$limit){items{id text _version _deleted _lastChangedAt}nextToken startedAt}}',
    variables: { limit: 7 },
  });
  expect(versioned.page({ from: 12, limit: 7, nextToken: 't' }).variables).toEqual({
    limit: 7,
    nextToken: 't',
    lastSync: 12,
  });
  expect(plain.page({ from: 0, limit: 7 })).toMatchObject({
    field: 'listTodos',
    variables: { filter: { updatedAt: { ge: '1970-01-01T00:00:00.000Z' } }, limit: 7 },
  });
  const mine = createTable('todos', {
    table: 'Todo',
    fields: ['text'],
    arguments: { owner: 'a "b"', group: null, count: 0 },
  });
  expect(mine.subscription('create').query).toBe(
    'subscription{onCreateTodo(owner:"a \\"b\\"",count:0){id text updatedAt}}',
  );
});

test('a filter goes with reads and subscriptions', () => {
  const mine = createTable('todos', { table: 'Todo', fields: ['text'], where: { owner: { eq: 'me' } } });
  expect(mine.page({ limit: 1 }).variables).toEqual({ limit: 1, filter: { owner: { eq: 'me' } } });
  expect(mine.page({ from: 0, limit: 1 }).variables.filter).toEqual({
    and: [{ owner: { eq: 'me' } }, { updatedAt: { ge: '1970-01-01T00:00:00.000Z' } }],
  });
  expect(mine.subscription('create')).toMatchObject({
    query: 'subscription($filter:ModelSubscriptionTodoFilterInput){onCreateTodo(filter:$filter){id text updatedAt}}',
    variables: { filter: { owner: { eq: 'me' } } },
  });
});

test('names of a hand-written schema', () => {
  const names = {
    get: 'todo',
    list: 'allTodos',
    create: 'addTodo',
    createInput: 'NewTodo',
    onCreate: 'todoAdded',
    idType: 'String',
  };
  const own = createTable('todos', { table: 'Todo', fields: ['text'], id: 'key', updatedAt: 'changed', names });
  expect(own.get(['a']).query).toBe('query($i0:String!){a0:todo(key:$i0){key text changed}}');
  expect(own.page({ limit: 1 }).field).toBe('allTodos');
  expect(own.mutation('create', {}).query).toContain('mutation($input:NewTodo!){addTodo(input:$input)');
  expect(own.mutation('update', {}).field).toBe('updateTodo');
  expect(own.subscription('create').query).toBe('subscription{todoAdded{key text changed}}');
  expect(createTable('boxes', { table: 'Box', plural: 'Boxes', fields: ['a'] }).page({ limit: 1 }).field).toBe(
    'listBoxes',
  );
});

test('rows have the fields that are named; what the server sets is not written', () => {
  const item = {
    id: 'a',
    text: 'Milk',
    createdAt: '2026-01-02T03:04:05.678Z',
    updatedAt: '2026-01-02T03:04:05.678Z',
    owner: 'x',
  };
  expect(plain.toRow(item)).toEqual({ id: 'a', text: 'Milk', address: null, createdAt: '2026-01-02T03:04:05.678Z' });
  const saved = { id: 'a', text: 'Milk', createdAt: 'x', updatedAt: 'y', more: 1 };
  // Where `fields` names it, the app's own is written; nobody else's is taken away.
  expect(plain.toInput(saved)).toEqual({ text: 'Milk', createdAt: 'x', more: 1 });
  expect(plain.blank()).toEqual({ text: null, address: null });
  const other = createTable('todos', { table: 'Todo', fields: ['text'] });
  expect(other.toInput(saved)).toEqual({ text: 'Milk', more: 1 });
  expect(plain.hasAll(item)).toBe(false);
  expect(plain.hasAll({ ...item, address: {} })).toBe(true);
  expect(() => createTables({ collections: {} }).get('todos')).toThrow('collections: { todos: {');
});
