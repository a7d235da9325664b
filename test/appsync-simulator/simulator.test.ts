import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type AppsyncSimulator, startSimulator } from '../peers/appsync/simulator/index.js';
import { type ClientOptions, KEY, models, mutate, openClient } from '../peers/appsync-adapter/harness.js';
import { until } from '../peers/until.js';

let simulator: AppsyncSimulator;
beforeAll(async () => {
  simulator = await startSimulator(models, KEY);
}, 90_000);
afterAll(() => simulator?.close());

const row = { text: 'x', done: false, count: 1 };
/** With conflict detection, and without. */
const kinds = [
  { collection: 'todos', name: 'Todo' },
  { collection: 'tasks', name: 'Task' },
] as const;

/** A device that learns of others by its subscriptions alone, once it is live. */
async function open(collection: string, { transport, config }: ClientOptions = {}) {
  const client = await openClient(simulator, [collection], {
    transport: { subscribeTimeout: 10_000, ...transport },
    config: { connectTimeout: 10_000, ...config },
  });
  const rows = client.sync.collection(collection);
  const sees = (what: string, id: string, wanted: object | undefined): Promise<void> => {
    const row = wanted && { ...wanted, id };
    return until(what, async () => isDeepStrictEqual({ ...(await rows.get(id)) }, { ...row }), client.state);
  };
  return { ...client, todos: rows, sees };
}

for (const { collection, name } of kinds) {
  test(`${name}: what one device creates, changes and deletes comes live to the other, both ways`, async () => {
    const [a, b] = await Promise.all([open(collection), open(collection)]);
    await Promise.all([a.live(), b.live()]);
    await a.todos.save(row, 'live');
    await b.sees('the new row', 'live', row);
    await b.todos.update('live', { text: 'by b' });
    await a.sees('its change', 'live', { ...row, text: 'by b' });
    await a.todos.delete('live');
    await b.sees('its delete', 'live', undefined);
    await b.todos.save(row, 'back');
    await a.sees('a row of the other', 'back', row);
    expect(b.told.filter(({ recordId }) => recordId === 'live').map(({ type }) => type)).toEqual(['Insert', 'Delete']);
    expect([...a.codes(), ...b.codes()]).toEqual([]);
  });

  test(`${name}: what was missed while away is caught up, with deletes`, async () => {
    const [a, b] = await Promise.all([open(collection), open(collection)]);
    await Promise.all([a.live(), b.live()]);
    await a.todos.saveMany(['stays', 'goes', 'changes'].map((id) => ({ id, ...row })));
    await b.sees('the last row', 'changes', row);
    await b.sync.pause();
    await a.todos.update('changes', { count: 2 });
    await a.todos.delete('goes');
    await a.todos.save(row, 'comes');
    await a.live();
    await b.todos.update('stays', { text: 'written while away' });
    await b.sync.resume();
    await b.sees('the change', 'changes', { ...row, count: 2 });
    await b.sees('the delete', 'goes', undefined);
    await b.sees('the new row', 'comes', row);
    await a.sees("the other's edit", 'stays', { ...row, text: 'written while away' });
    simulator.drop();
    await a.todos.save(row, 'over a new socket');
    await b.sees('a row over the new socket', 'over a new socket', row);
  });

  test(`${name}: a row whose mutation selected next to nothing is fetched whole`, async () => {
    const meta = name === 'Todo' ? '_version _lastChangedAt' : 'updatedAt';
    const model = {
      table: name,
      fields: ['text', 'done', 'count'],
      versioned: name === 'Todo',
      events: 'whole',
    } as const;
    const believing = await open(collection, { transport: { collections: { [collection]: model } } });
    const client = await open(collection);
    await Promise.all([client.live(), believing.live()]);
    await mutate(simulator, `mutation($input: Create${name}Input!) { create${name}(input: $input) { id ${meta} } }`, {
      input: { ...row, id: 'partial' },
    });
    await client.sees('the whole row', 'partial', row);
    // A client that believes the event has nothing else: the event held no more.
    await believing.sees('the bare row', 'partial', { text: null, done: null, count: null });
  });

  test(`${name}: an edit that another one overtakes is refused, merged and sent again`, async () => {
    const answers: string[] = [];
    let overtake: (() => Promise<unknown>) | undefined;
    const slow: typeof fetch = async (url, init) => {
      if (!String(init?.body).includes(`update${name}(`)) return fetch(url, init);
      const before = overtake;
      overtake = undefined;
      await before?.();
      const response = await fetch(url, init);
      answers.push(await response.clone().text());
      return response;
    };
    const [a, b] = await Promise.all([open(collection), open(collection, { transport: { fetch: slow } })]);
    await Promise.all([a.live(), b.live()]);
    await a.todos.save(row, 'both');
    await b.sees('the row', 'both', row);
    overtake = async () => {
      await a.todos.update('both', { text: 'by a' });
      await a.live();
    };
    await b.todos.update('both', { count: 7 });
    for (const { sees } of [a, b]) await sees('both edits', 'both', { text: 'by a', done: false, count: 7 });
    await b.live();
    expect(answers[0]).toMatch(name === 'Todo' ? /"ConflictUnhandled"/ : /"DynamoDB:ConditionalCheckFailedException"/);
    // The event may come before the answer, and settle the edit.
    await vi.waitFor(() => expect(answers.at(-1)).not.toContain('errors'), 10_000);
  });
}

test('a filter of the model holds for events and reads', async () => {
  const tasks = { table: 'Task', fields: ['text', 'owner'], where: { owner: { eq: 'me' } } };
  const create = (id: string, owner: string) =>
    mutate(simulator, 'mutation($input: CreateTaskInput!) { createTask(input: $input) { id text owner updatedAt } }', {
      input: { id, owner, text: 'x' },
    });
  await create('read, mine', 'me');
  await create('read, theirs', 'they');
  const { live, rows, sees } = await open('tasks', { transport: { collections: { tasks } } });
  await live();
  await create('live, theirs', 'they');
  await create('live, mine', 'me');
  await sees('the last row', 'live, mine', { text: 'x', owner: 'me' });
  expect([...(await rows()).keys()].filter((id) => id.includes(', ')).sort()).toEqual(['live, mine', 'read, mine']);
});

test('a subscription that cannot be read is refused, and ends neither the socket nor the API', async () => {
  const header = Buffer.from(JSON.stringify({ 'x-api-key': KEY })).toString('base64url');
  const socket = new WebSocket(`${simulator.endpoint.replace('http', 'ws')}/realtime`, [
    'graphql-ws',
    `header-${header}`,
  ]);
  const answers: { type: string; id?: string; payload?: unknown }[] = [];
  socket.addEventListener('message', ({ data }) => void answers.push(JSON.parse(data)));
  const start = (id: string, query: string, authorization: object): void => {
    const payload = { data: JSON.stringify({ query, variables: {} }), extensions: { authorization } };
    socket.send(JSON.stringify({ type: 'start', id, payload }));
  };
  const of = (id: string) => answers.find((answer) => answer.id === id);
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init' }));
  await until('greeted', () => answers.some(({ type }) => type === 'connection_ack'));
  const good = 'subscription { onCreateTodo { id } }';
  start('no GraphQL', 'subscription {', { 'x-api-key': KEY });
  start('a query', '{ __typename }', { 'x-api-key': KEY });
  start('a wrong key', good, { 'x-api-key': 'da2-wrong-key' });
  start('good', good, { 'x-api-key': KEY });
  await until('the last answer', () => of('good') !== undefined);
  expect(['no GraphQL', 'a query', 'a wrong key', 'good'].map((id) => of(id)?.type)).toEqual([
    ...['error', 'error', 'error', 'start_ack'],
  ]);
  expect(JSON.stringify(of('a wrong key')?.payload)).toContain('UnauthorizedException');
  socket.close();
  await once(socket, 'close');
  await until('the socket is gone there too', () => simulator.connections === 0);
});

test('a wrong key is refused, and a model that the schema does not have; neither harms the others', async () => {
  const auth = { type: 'apiKey', apiKey: 'da2-wrong-key' } as const;
  const wrong = await open('todos', { transport: { auth } });
  await until('needs-auth', () => wrong.sync.status.phase === 'needs-auth', wrong.state);
  const lost = await open('todos', { transport: { collections: { todos: { table: 'Nothing', fields: ['text'] } } } });
  await until('refused', () => lost.codes().includes('SUBSCRIBE_REJECTED'), lost.state);
  const { live, todos, sees } = await open('todos');
  await live();
  await todos.save(row, 'well');
  await live();
  await sees('its own row', 'well', row);
});
