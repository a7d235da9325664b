import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { ask } from './client.js';
import { type HasuraPeer, type HasuraPeerOptions, startHasuraPeer } from './index.js';

const ID = '00000000-0000-4000-8000-000000000001';
const schema = `
  create table todos (
    id uuid primary key,
    text text check (text <> 'refused'),
    count bigint,
    price numeric,
    meta jsonb,
    updated_at timestamptz not null default '2026-01-02 03:04:05.123456+00'
  );
  create table tags (name text primary key, todo uuid references todos);`;

let postgres: Postgres;
let peer: HasuraPeer;
beforeAll(async () => {
  postgres = await startPostgres();
  peer = await startHasuraPeer({ postgres, schema });
});
afterAll(async () => {
  await peer.close();
  await postgres.close();
});
beforeEach(async () => void (await peer.sql('truncate todos, tags')));

async function start(options: HasuraPeerOptions): Promise<HasuraPeer> {
  const other = await startHasuraPeer({ postgres, schema, ...options });
  onTestFinished(other.close);
  return other;
}

/** The body as text: what `JSON.parse` would round shows. */
async function raw(to: HasuraPeer, query: string, variables = '{}'): Promise<string> {
  const response = await fetch(to.url, {
    method: 'POST',
    headers: { 'x-hasura-admin-secret': to.adminSecret },
    body: `{"query":${JSON.stringify(query)},"variables":${variables}}`,
  });
  return response.text();
}

/** `code path: message` of the one error that Hasura tells. */
async function failure(query: string, variables: object = {}): Promise<string> {
  const { data, errors = [] } = await ask(peer, query, variables);
  expect(data).toBeUndefined();
  return errors.map(({ message, extensions: { code, path } }) => `${code} ${path}: ${message}`).join('; ');
}

test('rows are inserted, read with conditions, order and limits, changed and deleted', async () => {
  const objects = [1, 2, 3].map((count) => ({ id: ID.replace(/1$/, String(count)), text: `todo ${count}`, count }));
  const inserted = await ask(
    peer,
    'mutation ($objects: [todos_insert_input!]!) { insert_todos(objects: $objects) { affected_rows returning { count } } }',
    { objects },
  );
  expect(inserted.data).toEqual({
    insert_todos: { affected_rows: 3, returning: [{ count: 1 }, { count: 2 }, { count: 3 }] },
  });
  const conditions = {
    '{ count: { _gt: 1, _lte: 3 } }': [3, 2],
    '{ text: { _in: ["todo 1", "todo 9"] } }': [1],
    '{ text: { _in: [] } }': [],
    '{ text: { _nin: ["todo 1"] } }': [3, 2],
    '{ _or: [{ count: { _eq: 1 } }, { _and: [{ count: { _eq: 2 } }, { _not: { text: { _eq: "x" } } }] }] }': [2, 1],
    '{ _or: [] }': [],
    '{}': [3, 2, 1],
    '{ price: { _is_null: true }, count: { _neq: 3 } }': [2, 1],
  };
  for (const [where, counts] of Object.entries(conditions)) {
    const { data } = await ask(peer, `{ todos(where: ${where}, order_by: { count: desc }) { count } }`);
    expect(data, where).toEqual({ todos: counts.map((count) => ({ count })) });
  }
  const { data } = await ask(
    peer,
    `mutation {
      update_todos(where: { count: { _gte: 2 } }, _set: { price: 1.50 }) { affected_rows returning { price } }
      update_todos_by_pk(pk_columns: { id: "${ID}" }, _set: { text: "one" }) { text }
      update_todos_many(updates: [{ where: { count: { _eq: 9 } }, _set: { text: "x" } }]) { affected_rows }
      nothing: update_todos(where: {}, _set: {}) { affected_rows }
      delete_todos_by_pk(id: "${ID}") { text }
      delete_todos(where: { count: { _eq: 3 } }) { affected_rows returning { text } }
    }`,
  );
  expect(data).toEqual({
    update_todos: { affected_rows: 2, returning: [{ price: 1.5 }, { price: 1.5 }] },
    update_todos_by_pk: { text: 'one' },
    update_todos_many: [{ affected_rows: 0 }],
    nothing: { affected_rows: 0 },
    delete_todos_by_pk: { text: 'one' },
    delete_todos: { affected_rows: 1, returning: [{ text: 'todo 3' }] },
  });
  expect((await ask(peer, '{ todos_by_pk(id: $id) { id } }'.replace('$id', `"${ID}"`))).data).toEqual({
    todos_by_pk: null,
  });
  expect((await ask(peer, '{ todos_aggregate { aggregate { count max { count } } nodes { text } } }')).data).toEqual({
    todos_aggregate: { aggregate: { count: 1, max: { count: 2 } }, nodes: [{ text: 'todo 2' }] },
  });
});

test('an upsert changes what its columns and its condition say, and is told how many rows it touched', async () => {
  const upsert = (text: string, conflict: string) =>
    ask(
      peer,
      `mutation { insert_todos(objects: [{ id: "${ID}", text: "${text}", count: 1 }],
        on_conflict: { constraint: todos_pkey, ${conflict} }) { affected_rows returning { text count } } }`,
    ).then(({ data }) => data?.insert_todos);
  expect(await upsert('a', 'update_columns: [text]')).toEqual({
    affected_rows: 1,
    returning: [{ text: 'a', count: 1 }],
  });
  expect(await upsert('b', 'update_columns: []')).toEqual({ affected_rows: 0, returning: [] });
  expect(await upsert('c', 'update_columns: [text], where: { text: { _eq: "b" } }')).toEqual({
    affected_rows: 0,
    returning: [],
  });
  expect(await upsert('d', 'update_columns: [text], where: { text: { _eq: "a" } }')).toEqual({
    affected_rows: 1,
    returning: [{ text: 'd', count: 1 }],
  });
});

test('values keep every digit: bigint, numeric and json as numbers of JSON, times with microseconds', async () => {
  const variables = `{"o":{"id":"${ID}","count":9007199254740993,"price":1.2345678901234567890,"meta":{"n":12345678901234567890}}}`;
  const query = 'mutation ($o: todos_insert_input!) { insert_todos_one(object: $o) { count price meta updated_at } }';
  expect(await raw(peer, query, variables)).toBe(
    '{"data":{"insert_todos_one":{"count":9007199254740993,"price":1.2345678901234567890,' +
      '"meta":{"n": 12345678901234567890},"updated_at":"2026-01-02T03:04:05.123456+00:00"}}}',
  );
  const strings = await start({ stringifyNumeric: true });
  expect(await raw(strings, query, variables)).toContain('"count":"9007199254740993","price":"1.2345678901234567890"');
});

test('several mutations of one document are one transaction', async () => {
  const twice = `mutation {
    one: insert_todos(objects: [{ id: "${ID}" }]) { affected_rows }
    two: insert_todos(objects: [{ id: "${ID}" }]) { affected_rows }
  }`;
  expect(await failure(twice)).toBe(
    'constraint-violation $.selectionSet.two.args.objects: Uniqueness violation. duplicate key value violates unique constraint "todos_pkey"',
  );
  expect(await peer.sql('select id from todos')).toEqual([]);
});

test('what Postgres refuses is told with the code that Hasura has for it', async () => {
  const insert = (objects: string, conflict = '') =>
    `mutation { insert_todos(objects: ${objects}${conflict}) { affected_rows } }`;
  expect(await failure(insert('[{ text: "no id" }]'))).toMatch(/^constraint-violation .*Not-NULL violation\. /);
  expect(await failure(insert(`[{ id: "${ID}", text: "refused" }]`))).toMatch(
    /^permission-error .*Check constraint violation\. /,
  );
  expect(await failure(`mutation { insert_tags_one(object: { name: "a", todo: "${ID}" }) { name } }`)).toMatch(
    /^constraint-violation .*Foreign key violation\. /,
  );
  expect(await failure(insert('[{ id: "a" }]'))).toMatch(/^data-exception .*invalid input syntax for type uuid: "a"$/);
  const same = `[{ id: "${ID}" }, { id: "${ID}" }]`;
  expect(await failure(insert(same, ', on_conflict: { constraint: todos_pkey, update_columns: [text] }'))).toMatch(
    /^unexpected .*database query error$/,
  );
});

test('what is no valid request is refused in the words of Hasura', async () => {
  const cases: readonly (readonly [query: string, variables: object, told: string])[] = [
    ['{ nope { id } }', {}, "$.selectionSet.nope: field 'nope' not found in type: 'query_root'"],
    ['{ todos { nope } }', {}, "$.selectionSet.todos.selectionSet.nope: field 'nope' not found in type: 'todos'"],
    [
      '{ todos(where: { nope: { _eq: 1 } }) { id } }',
      {},
      "$.selectionSet.todos.args.where.nope: field 'nope' not found in type: 'todos_bool_exp'",
    ],
    ['{ todos(nope: 1) { id } }', {}, "$.selectionSet.todos.args.nope: 'todos' has no argument named 'nope'"],
    [
      'query ($id: String!) { todos_by_pk(id: $id) { id } }',
      { id: ID },
      "$.selectionSet.todos_by_pk.args.id: variable 'id' is declared as 'String!', but used where 'uuid!' is expected",
    ],
    [
      'query ($id: uuid!) { todos_by_pk(id: $id) { id } }',
      {},
      '$.variableValues: expecting a value for non-nullable variable: "id"',
    ],
    ['{ todos { id } }', { more: 1 }, '$.variableValues: unexpected variables in variableValues: more'],
    [
      '{ todos(where: { id: { _eq: null } }) { id } }',
      {},
      "$.selectionSet.todos.args.where.id._eq: unexpected null value for type 'uuid'",
    ],
    ['{ todos { id }', {}, '$.query: not a valid graphql query'],
  ];
  for (const [query, variables, told] of cases)
    expect(await failure(query, variables)).toBe(`validation-failed ${told}`);
});

test('graphql-default names fields in camelCase and types in PascalCase; constraints keep their names', async () => {
  const camel = await start({ namingConvention: 'graphql-default' });
  const { data, errors } = await ask(
    camel,
    `mutation ($objects: [TodosInsertInput!]!) {
      insertTodos(objects: $objects, onConflict: { constraint: todos_pkey, updateColumns: [updatedAt] }) {
        affectedRows returning { updatedAt __typename }
      }
    }`,
    { objects: [{ id: ID, updatedAt: '2026-01-02T03:04:05.1+02:00' }] },
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({
    insertTodos: { affectedRows: 1, returning: [{ updatedAt: '2026-01-02T01:04:05.1+00:00', __typename: 'Todos' }] },
  });
  expect(
    (await ask(camel, '{ todos(where: { updatedAt: { _isNull: false } }, orderBy: { updatedAt: ASC }) { id } }')).data,
  ).toEqual({ todos: [{ id: ID }] });
  const { data: roots } = await ask(
    camel,
    '{ __schema { subscriptionType { fields { name } } mutationType { fields { name } } } }',
  );
  expect(JSON.stringify(roots)).toContain('"todosStream"');
  expect(JSON.stringify(roots)).toContain('"updateTodosMany"');
});

test('a table can have names of its own, and only what is tracked is served', async () => {
  const named = await start({
    tables: {
      todos: {
        custom_name: 'tasks',
        custom_root_fields: { select: 'allTasks' },
        column_config: { updated_at: { custom_name: 'changed' } },
      },
    },
  });
  expect(
    (await ask(named, '{ allTasks { changed } tasks_by_pk(id: $id) { id } }'.replace('$id', `"${ID}"`))).data,
  ).toEqual({ allTasks: [], tasks_by_pk: null });
  expect((await ask(named, '{ tags { name } }')).errors?.[0]?.message).toContain("field 'tags' not found");
});

test('metadata and SQL are taken over HTTP, from an admin alone', async () => {
  const bare = await start({ tables: {} });
  const post = async (path: string, body: object, headers: Record<string, string>) => {
    const response = await fetch(new URL(path, bare.url), { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  };
  const admin = { 'x-hasura-admin-secret': bare.adminSecret };
  const track = { type: 'pg_track_table', args: { source: 'default', table: { schema: 'public', name: 'todos' } } };
  expect(await post('/v1/metadata', track, { authorization: `Bearer ${await bare.token()}` })).toMatchObject({
    status: 400,
    body: { code: 'access-denied' },
  });
  expect(
    await post('/v2/query', { type: 'run_sql', args: { sql: 'create table more (id int)' } }, admin),
  ).toMatchObject({
    status: 200,
  });
  expect(await post('/v1/metadata', track, admin)).toEqual({ status: 200, body: { message: 'success' } });
  expect(await post('/v1/metadata', track, admin)).toMatchObject({ status: 400, body: { code: 'already-tracked' } });
  const permission = { columns: ['id'], filter: {} };
  const grant = { type: 'pg_create_select_permission', args: { table: 'todos', role: 'user', permission } };
  expect(await post('/v1/metadata', { type: 'bulk', args: [grant] }, admin)).toMatchObject({ status: 200 });
  expect(await post('/v1/metadata', grant, admin)).toMatchObject({ body: { code: 'already-exists' } });
  const user = { authorization: `Bearer ${await bare.token()}` };
  expect((await ask(bare, '{ todos { id } }', {}, user)).data).toEqual({ todos: [] });
  expect((await ask(bare, '{ todos { text } }', {}, user)).errors?.[0]?.message).toContain("field 'text' not found");
});
