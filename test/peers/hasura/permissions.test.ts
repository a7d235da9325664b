import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ask } from './client.js';
import { type HasuraPeer, startHasuraPeer } from './index.js';

const own = { owner: { _eq: 'X-Hasura-User-Id' } };
let peer: HasuraPeer;
beforeAll(async () => {
  peer = await startHasuraPeer({
    schema: 'create table todos (id int primary key, text text, owner text)',
    permissions: {
      user: {
        todos: {
          select: { columns: '*', filter: own },
          insert: { columns: ['id', 'text'], check: { text: { _neq: 'bad' } }, set: { owner: 'x-hasura-user-id' } },
          update: { columns: ['text', 'owner'], filter: own, check: own },
          delete: { filter: own },
        },
      },
      reader: { todos: { select: { columns: ['id'], filter: {}, limit: 1 } } },
      writer: { todos: { insert: { columns: ['id'], check: {} } } },
    },
  });
});
afterAll(() => peer.close());
beforeEach(async () => {
  await peer.sql("truncate todos; insert into todos values (1, 'hers', 'ann'), (2, 'his', 'bob')");
});

const as = async (query: string, token: Parameters<HasuraPeer['token']>[0], more: Record<string, string> = {}) =>
  ask(peer, query, {}, { authorization: `Bearer ${await peer.token(token)}`, ...more });
const ann = { userId: 'ann' };
const codeOf = ({ errors }: Awaited<ReturnType<typeof ask>>): string | undefined => errors?.[0]?.extensions.code;

test('a role sees and touches only the rows of its filter', async () => {
  expect((await as('{ todos { id } }', ann)).data).toEqual({ todos: [{ id: 1 }] });
  expect((await as('{ todos_by_pk(id: 2) { id } }', ann)).data).toEqual({ todos_by_pk: null });
  const all = await as(
    'mutation { update_todos(where: {}, _set: { text: "x" }) { affected_rows } delete_todos(where: { id: { _eq: 2 } }) { affected_rows } }',
    ann,
  );
  expect(all.data).toEqual({ update_todos: { affected_rows: 1 }, delete_todos: { affected_rows: 0 } });
});

test('an insert sets what the permission presets, and a check that fails undoes it', async () => {
  const { data } = await as('mutation { insert_todos_one(object: { id: 3, text: "a" }) { owner } }', ann);
  expect(data).toEqual({ insert_todos_one: { owner: 'ann' } });
  const failed = await as('mutation { insert_todos(objects: [{ id: 4, text: "bad" }]) { affected_rows } }', ann);
  expect(failed.errors).toEqual([
    {
      message: 'check constraint of an insert/update permission has failed',
      extensions: { path: '$.selectionSet.insert_todos.args.objects', code: 'permission-error' },
    },
  ]);
  const given = await as('mutation { update_todos(where: {}, _set: { owner: "bob" }) { affected_rows } }', ann);
  expect(codeOf(given)).toBe('permission-error');
  expect(await peer.sql('select owner from todos order by id')).toEqual([
    { owner: 'ann' },
    { owner: 'bob' },
    { owner: 'ann' },
  ]);
});

test("an upsert leaves another user's row alone", async () => {
  const { data } = await as(
    `mutation { insert_todos(objects: [{ id: 2, text: "mine" }],
      on_conflict: { constraint: todos_pkey, update_columns: [text] }) { affected_rows } }`,
    ann,
  );
  expect(data).toEqual({ insert_todos: { affected_rows: 0 } });
});

test('what a role may not do is not there', async () => {
  const fields = await as('{ __type(name: "todos") { fields { name } } }', { role: 'reader' });
  expect(fields.data).toEqual({ __type: { fields: [{ name: 'id' }] } });
  expect((await as('{ todos { id } }', { role: 'reader' })).data).toEqual({ todos: [{ id: expect.any(Number) }] });
  expect(await as('mutation { delete_todos(where: {}) { affected_rows } }', { role: 'reader' })).toMatchObject({
    errors: [{ message: 'no mutations exist', extensions: { code: 'validation-failed' } }],
  });
  const blind = await as('mutation { insert_todos(objects: [{ id: 9 }]) { returning { id } } }', { role: 'writer' });
  expect(blind.errors?.[0]?.message).toBe("field 'returning' not found in type: 'todos_mutation_response'");
  expect(
    (await as('mutation { insert_todos(objects: [{ id: 9 }]) { affected_rows } }', { role: 'writer' })).data,
  ).toEqual({ insert_todos: { affected_rows: 1 } });
});

test('whoever is not let in is told why, with status 200', async () => {
  const response = await fetch(peer.url, { method: 'POST', body: '{"query":"{ todos { id } }"}' });
  expect(response.status).toBe(200);
  expect(codeOf(await response.json())).toBe('invalid-headers');
  expect(codeOf(await ask(peer, '{ todos { id } }', {}, { 'x-hasura-admin-secret': 'wrong' }))).toBe('access-denied');
  const expired = await as('{ todos { id } }', { ...ann, expiresIn: -5 });
  expect(expired.errors).toEqual([
    { message: 'Could not verify JWT: JWTExpired', extensions: { path: '$', code: 'invalid-jwt' } },
  ]);
  const forged = await ask(peer, '{ todos { id } }', {}, { authorization: `Bearer ${await peer.token()}x` });
  expect(codeOf(forged)).toBe('invalid-jwt');
  expect(codeOf(await as('{ todos { id } }', ann, { 'x-hasura-role': 'reader' }))).toBe('access-denied');
  expect(codeOf(await as('{ todos { id } }', {}))).toBe('not-found');
});

test('an admin acts as a role with the session that the headers say', async () => {
  const headers = { 'x-hasura-admin-secret': peer.adminSecret, 'x-hasura-role': 'user', 'x-hasura-user-id': 'bob' };
  expect((await ask(peer, '{ todos { text } }', {}, headers)).data).toEqual({ todos: [{ text: 'his' }] });
});

test('an update without a check may take a row out of the view of its own role', async () => {
  peer.permit('user', 'todos', 'update', { columns: ['text', 'owner'], filter: own });
  const { data } = await as(
    'mutation { update_todos(where: { id: { _eq: 1 } }, _set: { owner: "bob" }) { affected_rows } }',
    ann,
  );
  expect(data).toEqual({ update_todos: { affected_rows: 1 } });
  expect((await as('{ todos(where: { id: { _eq: 1 } }) { id } }', ann)).data).toEqual({ todos: [] });
});
