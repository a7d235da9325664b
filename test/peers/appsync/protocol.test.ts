import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AppsyncPeer, startAppsyncPeer } from './index.js';

const KEY = 'da2-test';
let peer: AppsyncPeer;
beforeEach(async () => {
  peer = await startAppsyncPeer({
    models: [
      { name: 'Todo', fields: { text: 'String', done: 'Boolean', count: 'Int' } },
      { name: 'Note', fields: { text: 'String', owner: 'String' }, versioned: true },
      { name: 'Merged', fields: { text: 'String', tags: '[String]' }, versioned: true, conflicts: 'autoMerge' },
      { name: 'Kept', fields: { text: 'String' }, versioned: true, conflicts: 'lambda' },
    ],
    auth: { apiKey: KEY, secret: 'a secret of this test' },
    keepAlive: 20,
    connectionTimeout: 1234,
  });
});
afterEach(() => peer.close());

interface Said {
  readonly type: string;
  readonly id?: string;
  readonly payload?: { readonly errors?: readonly { readonly errorType: string }[]; readonly [key: string]: unknown };
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A socket, and what came over it. */
async function open(auth: object = { host: 'h', 'x-api-key': KEY }) {
  const socket = new WebSocket(`${peer.endpoint.replace('http', 'ws')}/realtime`, [
    'graphql-ws',
    `header-${base64url(auth)}`,
  ]);
  const said: Said[] = [];
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const each of [...waiting]) each();
  };
  let closed = false;
  socket.addEventListener('message', ({ data }) => {
    said.push(JSON.parse(String(data)));
    look();
  });
  socket.addEventListener('close', () => {
    closed = true;
    look();
  });
  const until = (reached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const each = (): void => {
        if (!reached()) return;
        waiting.delete(each);
        resolve();
      };
      waiting.add(each);
      each();
    });
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  const send = (message: object): void => socket.send(JSON.stringify(message));
  const heard = async (type: string, id?: string): Promise<Said> => {
    const match = (): Said | undefined =>
      said.find((each) => each.type === type && (id === undefined || each.id === id));
    await until(() => match() !== undefined);
    return match() as Said;
  };
  return {
    socket,
    said,
    send,
    heard,
    closed: () => until(() => closed),
    async start(id: string, query: string, variables?: object, authorization: object = { 'x-api-key': KEY }) {
      send({
        id,
        type: 'start',
        payload: { data: JSON.stringify({ query, variables }), extensions: { authorization } },
      });
      return Promise.race([heard('start_ack', id), heard('error', id)]);
    },
    events: (id: string) => said.filter((each) => each.type === 'data' && each.id === id).map(({ payload }) => payload),
  };
}

async function ask(query: string, variables: object = {}, headers: Record<string, string> = { 'x-api-key': KEY }) {
  const response = await fetch(peer.endpoint, {
    method: 'POST',
    headers: { ...headers, connection: 'close' },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, ...(await response.json()) };
}

const create = (name: string, input: object, selection = 'id') =>
  ask(`mutation ($input: Create${name}Input!) { create${name}(input: $input) { ${selection} } }`, { input });

test('a socket is greeted with the timeout, kept alive, and its subscription acknowledged and stopped', async () => {
  const line = await open();
  expect(line.socket.protocol).toBe('graphql-ws');
  line.send({ type: 'connection_init' });
  expect(await line.heard('connection_ack')).toEqual({
    type: 'connection_ack',
    payload: { connectionTimeoutMs: 1234 },
  });
  await line.heard('ka');
  expect(await line.start('one', 'subscription { onCreateTodo { id text } }')).toEqual({
    id: 'one',
    type: 'start_ack',
  });
  expect(peer.subscriptions).toEqual(['onCreateTodo']);
  await create('Todo', { id: 'a', text: 'Milk' }, 'id text');
  expect(await line.heard('data', 'one')).toEqual({
    id: 'one',
    type: 'data',
    payload: { data: { onCreateTodo: { id: 'a', text: 'Milk' } } },
  });
  line.send({ id: 'one', type: 'stop' });
  expect(await line.heard('complete', 'one')).toEqual({ id: 'one', type: 'complete' });
  expect(peer.subscriptions).toEqual([]);
  line.socket.close();
  await line.closed();
});

test('an event holds only what its mutation selected; a field that may not be null spoils it', async () => {
  const line = await open();
  line.send({ type: 'connection_init' });
  await line.heard('connection_ack');
  await line.start('some', 'subscription { onCreateTodo { id text done } }');
  await line.start('strict', 'subscription { onCreateTodo { id updatedAt } }');
  await create('Todo', { id: 'a', text: 'Milk', done: true });
  await create('Todo', { id: 'b', text: 'Milk', done: true }, 'id called: text');
  while (line.events('strict').length < 2) await new Promise(setImmediate);
  while (line.events('some').length < 2) await new Promise(setImmediate);
  expect(line.events('some')).toEqual([
    { data: { onCreateTodo: { id: 'a', text: null, done: null } } },
    { data: { onCreateTodo: { id: 'b', text: 'Milk', done: null } } },
  ]);
  expect(line.events('strict')).toMatchObject([
    { data: { onCreateTodo: null }, errors: [{}] },
    { data: { onCreateTodo: null }, errors: [{}] },
  ]);
});

test('arguments filter by what the mutation selected, and a null that is given must be met', async () => {
  const line = await open();
  line.send({ type: 'connection_init' });
  await line.heard('connection_ack');
  const query = 'subscription ($owner: String) { onCreateNote(owner: $owner) { id } }';
  await line.start('all', query, {});
  await line.start('mine', query, { owner: 'me' });
  await line.start('nobody', query, { owner: null });
  await line.start('filter', 'subscription { onCreateNote(filter: { text: { beginsWith: "M" } }) { id } }');
  await create('Note', { id: 'a', text: 'Milk', owner: 'me' }, 'id text owner');
  await create('Note', { id: 'b', text: 'Bread' }, 'id text owner');
  await create('Note', { id: 'last', text: 'M', owner: 'me' }, 'id text owner');
  const ids = (id: string) =>
    line.events(id).map((payload) => (payload as { data: { onCreateNote: { id: string } } }).data.onCreateNote.id);
  while (!ids('filter').includes('last')) await new Promise(setImmediate);
  expect(ids('all')).toEqual(['a', 'b', 'last']);
  expect(ids('mine')).toEqual(['a', 'last']);
  expect(ids('nobody')).toEqual(['b']);
  expect(ids('filter')).toEqual(['a', 'last']);
});

test('bad credentials: 401 by HTTP, a connection_error and the end on a socket, an error for one start', async () => {
  expect(await ask('{ listTodos { items { id } } }', {}, { 'x-api-key': 'wrong' })).toMatchObject({
    status: 401,
    errors: [{ errorType: 'UnauthorizedException' }],
  });
  const refused = await open({ Authorization: 'no token' });
  refused.send({ type: 'connection_init' });
  expect((await refused.heard('connection_error')).payload?.errors?.[0]?.errorType).toBe('UnauthorizedException');
  await refused.closed();
  const line = await open({ Authorization: await peer.token() });
  line.send({ type: 'connection_init' });
  await line.heard('connection_ack');
  const answer = await line.start('one', 'subscription { onCreateTodo { id } }', {}, { 'x-api-key': 'wrong' });
  expect(answer.payload?.errors?.[0]?.errorType).toBe('UnauthorizedException');
  expect(await line.start('two', 'subscription { onCreateTodo { nonsense } }')).toMatchObject({ type: 'error' });
  expect(await line.start('three', 'subscription { onCreateTodo { id } }')).toMatchObject({ type: 'start_ack' });
  peer.expire();
  await line.heard('connection_error');
  await line.closed();
});

test('without conflict detection: conditions, filters behind the limit, deletes for good', async () => {
  await create('Todo', { id: 'a', text: 'Milk' });
  expect(await create('Todo', { id: 'a', text: 'Other' })).toMatchObject({
    data: { createTodo: null },
    errors: [{ errorType: 'DynamoDB:ConditionalCheckFailedException', path: ['createTodo'] }],
  });
  const [item] = peer.read('Todo');
  const update =
    'mutation ($c: ModelTodoConditionInput) { updateTodo(input: { id: "a", done: true }, condition: $c) { updatedAt } }';
  expect(await ask(update, { c: { updatedAt: { eq: '2020-01-01T00:00:00.000Z' } } })).toMatchObject({
    errors: [{ errorType: 'DynamoDB:ConditionalCheckFailedException' }],
  });
  const { data } = await ask(update, { c: { updatedAt: { eq: item?.updatedAt } } });
  expect(data.updateTodo.updatedAt > String(item?.updatedAt)).toBe(true);
  for (const id of ['b', 'c', 'd', 'e']) await create('Todo', { id, text: id });
  const pages: string[][] = [];
  let nextToken: string | null = null;
  do {
    const list =
      'query ($t: String) { listTodos(filter: { text: { eq: "d" } }, limit: 2, nextToken: $t) { items { id } nextToken } }';
    const { data } = await ask(list, { t: nextToken });
    pages.push(data.listTodos.items.map(({ id }: { id: string }) => id));
    nextToken = data.listTodos.nextToken;
  } while (nextToken !== null);
  expect(pages.flat()).toEqual(['d']);
  expect(pages.length).toBe(3);
  await ask('mutation { deleteTodo(input: { id: "a" }) { id } }');
  expect(await ask('{ getTodo(id: "a") { id } }')).toMatchObject({ data: { getTodo: null } });
});

test('with conflict detection: versions, tombstones, deltas, and a base scan where they are too old', async () => {
  await create('Note', { id: 'a', text: 'one' });
  const sync = async (lastSync?: number) => {
    const query =
      'query ($s: AWSTimestamp) { syncNotes(lastSync: $s, limit: 2) { items { id text _version _deleted } startedAt nextToken } }';
    return (await ask(query, { s: lastSync })).data.syncNotes;
  };
  const { startedAt } = await sync();
  const update = 'mutation ($v: Int) { updateNote(input: { id: "a", text: "two", _version: $v }) { id _version } }';
  expect(await ask(update, { v: 7 })).toMatchObject({
    errors: [{ errorType: 'ConflictUnhandled', data: { id: 'a', _version: 1 } }],
  });
  expect(await ask(update, { v: 1 })).toMatchObject({ data: { updateNote: { _version: 2 } } });
  await ask('mutation { deleteNote(input: { id: "a", _version: 2 }) { id } }');
  expect((await sync(startedAt + 1)).items).toEqual([
    { id: 'a', text: 'two', _version: 2, _deleted: null },
    { id: 'a', text: 'two', _version: 3, _deleted: true },
  ]);
  expect((await sync(startedAt - 3_600_000)).items).toEqual([{ id: 'a', text: 'two', _version: 3, _deleted: true }]);
  expect(await create('Note', { id: 'a', text: 'new' })).toMatchObject({ errors: [{}] });
  expect(await ask('{ listNotes { items { id _deleted } } }')).toMatchObject({
    data: { listNotes: { items: [{ id: 'a', _deleted: true }] } },
  });
  expect(await ask(update, { v: 3 })).toMatchObject({ data: { updateNote: { _version: 4 } } });
  expect(peer.read('Note')).toMatchObject([{ id: 'a', text: 'two', _version: 4 }]);
});

test('Auto Merge keeps the scalars of the server, fills what is null, and appends lists; a deleted item stays deleted', async () => {
  await create('Merged', { id: 'a', text: 'one', tags: ['x'] });
  await create('Merged', { id: 'b', tags: ['x'] });
  const update = 'mutation ($i: UpdateMergedInput!) { updateMerged(input: $i) { id text tags _version _deleted } }';
  const edit = (i: object) => ask(update, { i: { text: 'two', tags: ['x', 'y'], _version: 7, ...i } });
  expect((await edit({ id: 'a' })).data.updateMerged).toMatchObject({
    text: 'one',
    tags: ['x', 'x', 'y'],
    _version: 2,
  });
  expect((await edit({ id: 'b' })).data.updateMerged).toMatchObject({ text: 'two', _version: 2 });
  await ask('mutation { deleteMerged(input: { id: "a", _version: 2 }) { id } }');
  expect((await edit({ id: 'a', _version: 2 })).data.updateMerged).toMatchObject({ _version: 4, _deleted: true });
});

test('a Lambda that resolves with the item of the server answers a stale edit with it, a deleted one too', async () => {
  await create('Kept', { id: 'a', text: 'one' });
  const update = 'mutation ($v: Int) { updateKept(input: { id: "a", text: "two", _version: $v }) { text _deleted } }';
  expect((await ask(update, { v: 9 })).data.updateKept).toEqual({ text: 'one', _deleted: null });
  await ask('mutation { deleteKept(input: { id: "a", _version: 2 }) { id } }');
  expect((await ask(update, { v: 2 })).data.updateKept).toEqual({ text: 'one', _deleted: true });
});

test('an item that breaks the schema, or a field that may not be read, is an error for its path beside the data', async () => {
  await create('Note', { id: 'a', text: 'one' });
  peer.put('Note', { id: 'b', text: 'two' });
  const query = '{ syncNotes { items { id text updatedAt _version } } listNotes { items { id text } } }';
  const broken = await ask(query);
  expect(broken.data.syncNotes.items).toContain(null);
  expect(broken.data.syncNotes.items).toHaveLength(2);
  expect(broken.data.listNotes.items).toHaveLength(2);
  expect(broken.errors[0]).toMatchObject({ path: ['syncNotes', 'items', expect.any(Number), 'updatedAt'] });
  peer.hide('Note', 'text');
  expect(await ask('{ getNote(id: "a") { id text } }')).toMatchObject({
    data: { getNote: { id: 'a', text: null } },
    errors: [{ path: ['getNote', 'text'], errorType: 'Unauthorized' }],
  });
  peer.hide('Note');
  expect(await ask('{ getNote(id: "a") { text } }')).toMatchObject({ data: { getNote: { text: 'one' } } });
});

test('a firewall in front answers with its own error', async () => {
  peer.httpFault({ status: 403, times: 1, errorType: 'WAFForbiddenException', message: '403 Forbidden' });
  const refused = await ask('{ listTodos { items { id } } }');
  expect(refused).toEqual({
    status: 403,
    errors: [{ errorType: 'WAFForbiddenException', message: '403 Forbidden' }],
  });
});
