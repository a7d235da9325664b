import { expect, test } from 'vitest';
import { until } from '../until.js';
import { mutate, openClient, openPeer } from './harness.js';

const both = ['todos', 'tasks'] as const;
const typeOf = { todos: 'Todo', tasks: 'Task' } as const;

test('it is live when all three subscriptions are acknowledged, not before', async () => {
  const peer = await openPeer();
  peer.fault({ start: { fields: ['onDeleteTodo'], answer: 'none' } });
  const client = await openClient(peer, ['todos']);
  await until('two are acknowledged', () => peer.subscriptions.length === 2);
  await until('it was given up', () => client.codes().includes('CONNECT_TIMEOUT'));
  expect(client.sync.status.phase).not.toBe('live');
  peer.fault({ start: undefined });
  await client.live();
  expect([...peer.subscriptions].sort()).toEqual(['onCreateTodo', 'onDeleteTodo', 'onUpdateTodo']);
});

test.each(both)('a mutation of another that selected only the id ends as the whole row: %s', async (name) => {
  const peer = await openPeer();
  const client = await openClient(peer, [name]);
  await client.live();
  const type = typeOf[name];
  const input = { id: 'a', text: 'Milk', done: true, count: 3 };
  await mutate(peer, `mutation ($input: Create${type}Input!) { create${type}(input: $input) { id } }`, { input });
  await until('the row', async () => (await client.rows()).has('a'), client.state);
  expect((await client.rows()).get('a')).toEqual(input);
  const version = peer.read(type)[0]?._version;
  const change = { id: 'a', text: 'Bread', ...(version ? { _version: version } : {}) };
  await mutate(peer, `mutation ($input: Update${type}Input!) { update${type}(input: $input) { id } }`, {
    input: change,
  });
  await until('the change', async () => (await client.rows()).get('a')?.text === 'Bread', client.state);
  expect((await client.rows()).get('a')).toEqual({ ...input, text: 'Bread' });
  const gone = { id: 'a', ...(version ? { _version: Number(version) + 1 } : {}) };
  await mutate(peer, `mutation ($input: Delete${type}Input!) { delete${type}(input: $input) { id } }`, { input: gone });
  await until('it is gone', async () => !(await client.rows()).has('a'), client.state);
});

test.each(both)('an event with some fields is completed by a read of its row, not by a catch-up: %s', async (name) => {
  const peer = await openPeer();
  const client = await openClient(peer, [name]);
  await client.live();
  const type = typeOf[name];
  const pulls = (): number => (peer.requests[`sync${type}s`] ?? 0) + (peer.requests[`list${type}s`] ?? 0);
  const before = pulls();
  const select = ['id', 'updatedAt', '_version', '_lastChangedAt', 'text'];
  peer.write(type, 'a', { text: 'Milk', done: true, count: 3 }, { select });
  await until('the row', async () => (await client.rows()).has('a'), client.state);
  expect((await client.rows()).get('a')).toEqual({ id: 'a', text: 'Milk', done: true, count: 3 });
  expect(client.told).toHaveLength(1);
  expect([pulls() - before, peer.requests[`get${type}`]]).toEqual([0, 1]);
});

test('a null that is really one costs a read, unless the writers are trusted', async () => {
  const peer = await openPeer();
  const trusting = {
    todos: { table: 'Todo', fields: ['text', 'done', 'count'], versioned: true, events: 'whole' },
  } as const;
  const [careful, trustful] = [
    await openClient(peer, ['todos']),
    await openClient(peer, ['todos'], { transport: { collections: trusting } }),
  ];
  await careful.live();
  await trustful.live();
  peer.write('Todo', 'a', { text: 'Milk', done: null, count: 1 });
  for (const client of [careful, trustful]) {
    await until('the row', async () => (await client.rows()).has('a'), client.state);
    expect((await client.rows()).get('a')).toEqual({ id: 'a', text: 'Milk', done: null, count: 1 });
  }
  expect(peer.requests.getTodo).toBe(1);
});

test('events of ids only: each row is read, and no foreign selection can spoil an event', async () => {
  const peer = await openPeer();
  const collections = { tasks: { table: 'Task', fields: ['text', 'done', 'count'], events: 'ids' } } as const;
  const client = await openClient(peer, ['tasks'], { transport: { collections } });
  await client.live();
  const lists = peer.requests.listTasks;
  for (const id of ['a', 'b', 'c']) peer.write('Task', id, { text: id, done: false, count: 1 }, { select: ['id'] });
  peer.delete('Task', 'b', { select: ['id'] });
  await until('a and c', async () => [...(await client.rows()).keys()].sort().join() === 'a,c', client.state);
  expect(peer.requests.listTasks).toBe(lists);
});

test('a socket that opens and dies before it is greeted does no harm to the next loss', async () => {
  const peer = await openPeer();
  peer.fault({ ack: 'die' });
  const client = await openClient(peer, ['todos']);
  await until(
    'two attempts',
    () => client.codes().filter((code) => code === 'CONNECT_FAILED').length >= 2,
    client.state,
  );
  peer.fault({ ack: undefined });
  await client.live();
  for (let round = 0; round < 3; round++) {
    peer.drop();
    peer.write('Todo', `lost ${round}`, { text: 'x', done: true, count: round });
    await until('what was lost', async () => (await client.rows()).has(`lost ${round}`), client.state);
    await client.live();
  }
  expect(peer.connections).toBe(1);
});

test.each([
  ['an upgrade that hangs', { upgrade: 'hang' }, 'CONNECT_TIMEOUT'],
  ['an upgrade that is refused', { upgrade: 'refuse' }, 'CONNECT_FAILED'],
  ['a greeting that is not answered', { ack: 'none' }, 'CONNECT_TIMEOUT'],
] as const)('%s holds nobody up for long', async (_, fault, code) => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos'], { config: { connectTimeout: 150 } });
  await client.live();
  peer.fault(fault);
  peer.drop();
  peer.write('Todo', 'meanwhile', { text: 'x', done: true, count: 1 });
  await until('it was noticed', () => client.codes().includes(code), client.state);
  peer.fault({ upgrade: undefined, ack: undefined });
  await until('the row', async () => (await client.rows()).has('meanwhile'), client.state);
  await client.live();
  await until('one socket', () => peer.connections === 1);
});

test('a server that has gone silent is left after the time that it told', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos']);
  await client.live();
  peer.fault({ mute: true });
  peer.write('Todo', 'unheard', { text: 'x', done: true, count: 1 });
  await until('it was noticed', () => client.codes().includes('HEARTBEAT_TIMEOUT'), client.state);
  peer.fault({ mute: false });
  await until('the row', async () => (await client.rows()).has('unheard'), client.state);
});

test('a shorter silence can be asked for than the server tells', async () => {
  const peer = await openPeer({ connectionTimeout: 300_000 });
  const client = await openClient(peer, ['todos'], { transport: { heartbeatTimeout: 300 } });
  await client.live();
  peer.fault({ mute: true });
  await until('it was noticed', () => client.codes().includes('HEARTBEAT_TIMEOUT'), client.state);
});

test('a subscription that this user may not have leaves the others alone', async () => {
  const peer = await openPeer();
  peer.fault({ start: { fields: ['onUpdateNote'], answer: 'Unauthorized' } });
  const client = await openClient(peer, ['todos', 'notes']);
  await until('it is said', () => client.codes().includes('SUBSCRIBE_REJECTED'), client.state);
  await until('the other is live', () => peer.subscriptions.length === 3);
  const sockets = peer.connections;
  peer.write('Todo', 'a', { text: 'x', done: true, count: 1 });
  await until('its row', async () => (await client.rows('todos')).has('a'), client.state);
  expect([peer.connections, sockets]).toEqual([1, 1]);
  expect(client.sync.inspect().collections.notes?.phase).toBe('failed');
  expect(client.codes()).not.toContain('CONNECTION_LOST');
});

test('a subscription that the server ends comes back', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos', 'notes']);
  await client.live();
  peer.fault({ start: { fields: ['onCreateNote'], answer: 'LimitExceededError' } });
  peer.drop();
  await until('it is said', () => client.codes().includes('CONNECT_FAILED'), client.state);
  peer.fault({ start: undefined });
  await client.live();
  peer.write('Note', 'a', { text: 'x', done: true, count: 1 });
  await until('the row', async () => (await client.rows('notes')).has('a'), client.state);
});

test('events that are lost without a word are found by the audit', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos', 'tasks'], { config: { auditInterval: 1000 } });
  for (const type of ['Todo', 'Task']) peer.write(type, 'gone', { text: 'x', done: true, count: 1 });
  await client.live();
  await until(
    'both rows',
    async () => (await client.rows('tasks')).has('gone') && (await client.rows('todos')).has('gone'),
  );
  peer.fault({ loseEvents: true });
  for (const type of ['Todo', 'Task']) {
    peer.write(type, 'new', { text: 'x', done: true, count: 1 });
    peer.delete(type, 'gone');
  }
  for (const name of ['todos', 'tasks'])
    await until('the rows', async () => [...(await client.rows(name)).keys()].join() === 'new', client.state);
});

test('arguments filter what is heard; one that is null is not sent', async () => {
  const peer = await openPeer();
  const fields = ['text', 'done', 'count', 'owner'];
  const mine = { table: 'Todo', fields, versioned: true, where: { owner: { eq: 'me' } } };
  const named = { table: 'Note', fields, versioned: true, arguments: { owner: 'me', text: null } };
  const client = await openClient(peer, ['todos', 'notes'], {
    transport: { collections: { todos: mine, notes: named } },
  });
  await client.live();
  for (const type of ['Todo', 'Note'])
    for (const owner of ['me', 'you']) peer.write(type, owner, { text: 'x', done: true, count: 1, owner });
  for (const name of ['todos', 'notes']) {
    await until('my row', async () => (await client.rows(name)).has('me'), client.state);
    expect([...(await client.rows(name)).keys()]).toEqual(['me']);
  }
});

test('after close no socket, timer or subscription is left', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos', 'tasks']);
  await client.live();
  expect(peer.subscriptions).toHaveLength(6);
  await client.sync.close();
  await until('no socket', () => peer.connections === 0);
  peer.write('Todo', 'late', { text: 'x', done: true, count: 1 });
  expect(client.told).toEqual([]);
});
