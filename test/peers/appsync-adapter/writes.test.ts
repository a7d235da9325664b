import { expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { until } from '../until.js';
import { mutate, openClient, openPeer } from './harness.js';

const both = ['todos', 'tasks'] as const;
const typeOf = { todos: 'Todo', tasks: 'Task' } as const;
const row = (text: string, count = 1): Row => ({ text, done: false, count });

test.each(both)('answers cut off after the work was done: each edit is in the backend once: %s', async (name) => {
  const peer = await openPeer();
  const type = typeOf[name];
  const client = await openClient(peer, [name]);
  await client.live();
  const rows = client.sync.collection(name);
  for (const operation of ['create', 'update', 'delete'])
    peer.httpFault({ status: 0, times: 2, containing: `${operation}${type}(` });
  await rows.save(row('new'), 'a');
  await rows.save(row('new'), 'b');
  await client.live();
  await rows.update('a', { text: 'edited' });
  await client.live();
  await rows.delete('b');
  await client.live();
  expect(client.sync.outbox.failed()).toEqual([]);
  expect(peer.read(type).map(({ id, text }) => [id, text])).toEqual([['a', 'edited']]);
  expect(client.told).toEqual([]);
});

test.each([
  [403, 'WAFForbiddenException', '403 Forbidden'],
  [400, 'DynamoDB:TransactionConflictException', 'Transaction is ongoing for the item'],
  [
    400,
    'DynamoDB:ProvisionedThroughputExceededException',
    'The level of configured provisioned throughput was exceeded',
  ],
  [500, 'InternalFailure', ''],
])('%i %s passes: nobody is signed out, and no edit is given up', async (status, errorType, message) => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos'], { config: { maxRetries: 0 } });
  await client.live();
  peer.httpFault({ status, times: 12, errorType, message });
  const phases = new Set<string>();
  client.sync.events.on('statusChanged', ({ phase }) => void phases.add(phase));
  await client.sync.collection('todos').saveMany(['a', 'b', 'c'].map((id) => ({ id, ...row('mine') })));
  await client.live();
  expect(client.sync.outbox.failed()).toEqual([]);
  expect(phases).not.toContain('needs-auth');
  expect(peer.read('Todo')).toHaveLength(3);
});

test.each([429, 503])('an API that is busy (%i) is no reason to give an edit up', async (status) => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos'], { config: { maxRetries: 1 } });
  await client.live();
  peer.httpFault({ status, times: 5, containing: 'createTodo' });
  await client.sync.collection('todos').save(row('mine'), 'a');
  await client.live();
  expect(client.sync.outbox.failed()).toEqual([]);
  expect(peer.read('Todo')).toHaveLength(1);
});

test.each(both)(
  'a row that was deleted can be created again, by its id, and has nothing of its first life: %s',
  async (name) => {
    const peer = await openPeer();
    const client = await openClient(peer, [name]);
    await client.live();
    const rows = client.sync.collection(name);
    for (const text of ['first', 'second', 'third']) {
      await rows.save(text === 'second' ? { text } : row(text), 'again');
      await client.live();
      const [item] = peer.read(typeOf[name]);
      expect(item).toMatchObject({ text });
      if (text === 'second') expect(item?.count ?? null).toBeNull();
      await rows.delete('again');
      await client.live();
      expect(peer.read(typeOf[name])).toEqual([]);
    }
    expect(client.sync.outbox.failed()).toEqual([]);
  },
);

test('where the API does not bring deleted rows back, the edit is kept aside and says so', async () => {
  const peer = await openPeer({ revives: false });
  const client = await openClient(peer, ['todos']);
  await client.live();
  const todos = client.sync.collection('todos');
  await todos.save(row('first'), 'a');
  await client.live();
  await todos.delete('a');
  await client.live();
  await todos.save(row('second'), 'a');
  await client.live();
  expect(client.sync.outbox.failed().map(({ error }) => error?.message)).toEqual([
    expect.stringContaining('Choose another id'),
  ]);
});

test.each(both)('an edit of a field leaves the fields that others changed: %s', async (name) => {
  const peer = await openPeer();
  const type = typeOf[name];
  peer.write(type, 'a', row('x'));
  const client = await openClient(peer, [name]);
  await client.live();
  await client.sync.pause();
  await client.sync.collection(name).update('a', { text: 'mine' });
  peer.write(type, 'a', { text: 'x', done: true, count: 7 });
  client.sync.resume();
  await client.live();
  expect(peer.read(type)).toMatchObject([{ text: 'mine', done: true, count: 7 }]);
  expect((await client.rows()).get('a')).toEqual({ id: 'a', text: 'mine', done: true, count: 7 });
});

test('one bad row of many is kept aside alone, and mutations go a few at a time', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['tasks']);
  await client.live();
  const all = Array.from({ length: 64 }, (_, index) => ({
    id: `row ${index}`,
    ...row(index === 40 ? 'refused' : 'fine'),
  }));
  await client.sync.collection('tasks').saveMany(all);
  await client.live();
  expect(client.sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['row 40']);
  expect(peer.read('Task')).toHaveLength(63);
  expect(peer.requests.createTask).toBe(64);
});

test('a field that the model does not have is refused by the API, and its words are told', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos']);
  await client.live();
  await client.sync.collection('todos').save({ ...row('x'), colour: 'red' }, 'a');
  await client.live();
  const [failed] = client.sync.outbox.failed();
  expect(failed?.error).toMatchObject({ code: 'PUSH_REJECTED', message: expect.stringContaining('colour') });
});

test('our own mutations select every field: another client needs no read', async () => {
  const peer = await openPeer();
  const [one, two] = [await openClient(peer, ['todos']), await openClient(peer, ['todos'])];
  await one.live();
  await two.live();
  await one.sync.collection('todos').save(row('x'), 'a');
  await until('the row', async () => (await two.rows()).has('a'), two.state);
  expect(peer.requests.getTodo ?? 0).toBe(0);
});

test('two clients write many rows crosswise: each conflict is settled, and both end with the same', async () => {
  const peer = await openPeer();
  const ids = Array.from({ length: 30 }, (_, index) => `row ${index}`);
  for (const id of ids) for (const type of ['Todo', 'Task']) peer.write(type, id, row('x'));
  const clients = [await openClient(peer, both), await openClient(peer, both)];
  for (const client of clients) await client.live();
  await Promise.all(
    clients.flatMap(({ sync }, who) =>
      both.map(async (name) => {
        for (const id of who === 0 ? ids : [...ids].reverse())
          await sync.collection(name).update(id, who === 0 ? { text: 'of one' } : { done: true });
      }),
    ),
  );
  for (const client of clients) await client.live();
  for (const name of both)
    for (const client of clients)
      await until(
        'all rows have both edits',
        async () =>
          [...(await client.rows(name)).values()].every(({ text, done }) => text === 'of one' && done === true),
        client.state,
      );
  for (const type of ['Todo', 'Task'])
    expect(peer.read(type).every(({ text, done }) => text === 'of one' && done === true)).toBe(true);
});

test('a foreign client that writes without asking is a conflict like any other', async () => {
  const peer = await openPeer();
  peer.write('Task', 'a', row('x'));
  const client = await openClient(peer, ['tasks'], { config: { conflictStrategy: 'clientWins' } });
  await client.live();
  peer.fault({ loseEvents: true });
  await mutate(peer, 'mutation { updateTask(input: { id: "a", text: "theirs", count: 2 }) { id } }');
  await client.sync.collection('tasks').update('a', { text: 'mine' });
  await client.live();
  expect(peer.read('Task')).toMatchObject([{ text: 'mine', count: 2 }]);
});

test.each(['autoMerge', 'lambda'] as const)(
  'an edit of a deleted row is a conflict with nothing where %s takes it',
  async (conflicts) => {
    const fields = { text: 'String', count: 'Int' };
    const peer = await openPeer({ models: [{ name: 'Todo', fields, versioned: true, conflicts }] });
    peer.write('Todo', 'a', { text: 'x', count: 1 });
    const collections = { todos: { table: 'Todo', fields: ['text', 'count'], versioned: true } };
    const client = await openClient(peer, ['todos'], {
      transport: { collections },
      config: { conflictStrategy: 'serverWins' },
    });
    await client.live();
    await client.sync.pause();
    peer.delete('Todo', 'a');
    await client.sync.collection('todos').update('a', { text: 'mine' });
    client.sync.resume();
    await client.live();
    expect((await client.rows()).size, 'it stays deleted').toBe(0);
  },
);
