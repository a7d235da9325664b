import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectLateRefusalIsSpared } from '../late-refusal.js';
import { until } from '../until.js';
import { openClient, toldOnce } from './harness.js';
import { type Project, startProject, table, touch } from './peer.js';

const ALICE = '11111111-1111-4111-8111-111111111111';
const BOB = '22222222-2222-4222-8222-222222222222';

let project: Project;
beforeAll(async () => {
  project = await startProject({
    schema: [
      touch,
      table('todos', false),
      `alter table todos add column owner uuid;
       alter table todos enable row level security;
       revoke all on todos from anon;
       create policy own on todos for all to authenticated using (owner = auth.uid()) with check (owner = auth.uid());
       create policy shared on todos for select to authenticated using (owner is null);`,
    ].join('\n'),
  });
});
afterAll(() => project?.close());

const ids = async (client: Awaited<ReturnType<typeof openClient>>): Promise<string[]> =>
  [...(await client.rows('todos')).keys()].sort();
const insert = (id: string, owner: string | null) =>
  project.sql("insert into todos (id, text, owner) values ($1, 'x', $2)", [id, owner]);

test('a token that expires while connected is renewed in time, on the same socket', async () => {
  let asked = 0;
  const client = await openClient(
    project,
    ['todos'],
    {},
    {
      authToken: async () => {
        asked += 1;
        return project.token({ sub: ALICE }, { expiresIn: 4 });
      },
    },
  );
  await client.live();
  const lost: unknown[] = [];
  client.sync.events.on('realtimeDisconnected', (event) => void lost.push(event));
  const before = asked;
  await insert('first', ALICE);
  // Twice: the renewed one is renewed as well.
  await until('two renewals', () => asked >= before + 2);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await insert('second', ALICE);
  await insert("bob's", BOB);
  await until('the second row', async () => (await ids(client)).includes('second'));
  expect(await ids(client)).toEqual(['first', 'second']);
  expect(lost).toEqual([]);
  expect(toldOnce(client.told)).toEqual([]);
  expect(client.errors).toEqual([]);
});

test('a token that expires and is not renewed ends in needs-auth; edits wait for the next one', async () => {
  const short = await project.token({ sub: ALICE }, { expiresIn: 2 });
  const client = await openClient(project, ['todos'], {}, { authToken: async () => short });
  await client.live();
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth');
  await client.sync.collection('todos').save({ text: 'mine', owner: ALICE }, 'offline');
  await insert('meanwhile', ALICE);
  expect(client.sync.status.pending).toBe(1);
  for (const { message } of client.errors) expect(message).not.toContain(short);
  client.sync.setAuthToken(() => project.token({ sub: ALICE }));
  await client.live();
  await until('both', async () => (await ids(client)).includes('meanwhile'));
  expect(await project.sql("select text from todos where id = 'offline'")).toEqual([{ text: 'mine' }]);
});

test('the first join carries the token: no row of the user is missed by joining as anon', async () => {
  const client = await openClient(project, ['todos'], { authToken: () => project.token({ sub: BOB }) });
  await client.live();
  let pulls = 0;
  client.sync.events.on('realtimeSync', () => void pulls++);
  await insert('for bob', BOB);
  await until('the row', async () => (await ids(client)).includes('for bob'));
  await client.live();
  // As an event, not by a read that makes up for a subscription without rights.
  expect(pulls).toBe(0);
  expect(client.errors).toEqual([]);
});

test('a row that leaves the view of a user is found by the audit, and the delete of a hidden row harms nobody', async () => {
  const client = await openClient(
    project,
    ['todos'],
    { authToken: () => project.token({ sub: BOB }) },
    {
      auditInterval: 1000,
    },
  );
  await client.live();
  await insert('moves', BOB);
  await until('the row', async () => (await ids(client)).includes('moves'));
  await project.sql("update todos set owner = $1 where id = 'moves'", [ALICE]);
  await until('it is gone', async () => !(await ids(client)).includes('moves'));
  await project.sql('delete from todos where owner = $1', [ALICE]);
  await insert('after', BOB);
  await until('the next row', async () => (await ids(client)).includes('after'));
  expect(client.told.filter(({ type }) => type === 'Delete').map(({ recordId }) => recordId)).toEqual(['moves']);
});

test('what a policy refuses is kept aside, an update that matches nothing as well, and the rest goes on', async () => {
  await insert('shared', null);
  const client = await openClient(project, ['todos'], { authToken: () => project.token({ sub: BOB }) });
  await client.live();
  const todos = client.sync.collection('todos');
  await client.sync.pause();
  await todos.save({ text: 'not mine', owner: ALICE }, 'foreign');
  await todos.update('shared', { text: 'may not' });
  await todos.save({ text: 'mine', owner: BOB }, 'good');
  client.sync.resume();
  await client.live();
  const failed = client.sync.outbox.failed();
  expect(failed.map(({ recordId, error }) => [recordId, error?.code]).sort()).toEqual([
    ['foreign', 'PUSH_REJECTED'],
    ['shared', 'PUSH_REJECTED'],
  ]);
  expect(await project.sql("select id, text from todos where id in ('foreign', 'shared', 'good') order by id")).toEqual(
    [
      { id: 'good', text: 'mine' },
      { id: 'shared', text: 'x' },
    ],
  );
  expect((await client.rows('todos')).get('shared')?.text).toBe('x');
});

test('without a token the table is refused, and that is said', async () => {
  const client = await openClient(project, ['todos']);
  await until('the refusal', () => client.errors.some(({ code }) => code === 'SUBSCRIBE_REJECTED'));
  for (const { message } of client.errors) expect(message).not.toContain(project.anonKey);
  client.sync.setAuthToken(() => project.token({ sub: BOB }));
  await client.live();
  expect(await ids(client)).toContain('good');
});

test('a refusal that comes late says nothing about the token in use', async () => {
  const tokens = [
    await project.token({ sub: ALICE }),
    await project.token({ sub: ALICE }, { expiresIn: 500 }),
  ] as const;
  await expectLateRefusalIsSpared({
    tokens,
    row: { text: 'mine', owner: ALICE },
    isWrite: (request) => request.startsWith('POST'),
    open: (fetch, authToken) => openClient(project, ['todos'], { fetch }, { authToken }),
  });
  expect(await project.sql("select text from todos where id = 'late'")).toEqual([{ text: 'mine' }]);
});

/** A client of the app's, whose session the test decides. */
async function ownClient(first: string | null) {
  const session = { token: first };
  const client = createClient(project.url, project.anonKey, { accessToken: async () => session.token });
  return { client, session };
}

test('a client of the app`s without its session for a moment: nothing is deleted or rejected, and it goes on by itself', async () => {
  await project.sql('truncate todos');
  const alice = await project.token({ sub: ALICE });
  await insert('one', ALICE);
  await insert('two', ALICE);
  await insert('shared', null);
  const { client: own, session } = await ownClient(alice);
  const client = await openClient(project, ['todos'], { client: own }, { auditInterval: 1000 });
  await client.live();
  const before = client.told.length;
  session.token = null;
  await own.realtime.setAuth();
  await project.cutRealtime();
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth');
  await client.sync.collection('todos').save({ text: 'mine', owner: ALICE }, 'mine');
  await client.sync.syncNow().catch(() => undefined);
  expect(await ids(client)).toEqual(['mine', 'one', 'shared', 'two']);
  expect(client.told.slice(before)).toEqual([]);
  session.token = alice;
  await client.live();
  expect(client.sync.outbox.failed()).toEqual([]);
  expect(await ids(client)).toEqual(['mine', 'one', 'shared', 'two']);
  expect(await project.sql("select owner from todos where id = 'mine'")).toEqual([{ owner: ALICE }]);
});

test('a client of the app`s with a stale session, then with a good one, is live by itself', async () => {
  const alice = await project.token({ sub: ALICE });
  const stale = await project.token({ sub: ALICE }, { expiresIn: -5 });
  const { client: own, session } = await ownClient(alice);
  const client = await openClient(project, ['todos'], { client: own });
  await client.live();
  session.token = stale;
  await project.cutRealtime();
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth');
  session.token = alice;
  await own.realtime.setAuth();
  await insert('missed', ALICE);
  await client.live();
  expect(await ids(client)).toContain('missed');
});

test('another user who signs in with the app`s client sends no edit of the one before', async () => {
  await project.sql('truncate todos');
  const { client: own, session } = await ownClient(await project.token({ sub: ALICE }));
  const client = await openClient(project, ['todos'], { client: own });
  await client.live();
  await client.sync.pause();
  for (let n = 0; n < 40; n += 1) await client.sync.collection('todos').save({ text: 'x' }, `edit ${n}`);
  session.token = await project.token({ sub: BOB });
  await insert('for bob', BOB);
  client.sync.resume();
  await until('held', () => client.sync.outbox.held().length === 40);
  await client.live();
  expect(await ids(client)).toEqual(['for bob']);
  expect(await project.sql('select id from todos')).toEqual([{ id: 'for bob' }]);
  expect(new Set(client.sync.outbox.held().map(({ author }) => author))).toEqual(new Set([ALICE]));
});

test('a table whose name speaks of tokens, not published yet, is no matter of the token', async () => {
  await project.sql(`create table jwt_tokens (id text primary key, text text, updated_at timestamptz not null default now());
    grant all on jwt_tokens to authenticated`);
  const client = await openClient(project, ['jwt_tokens'], { authToken: () => project.token({ sub: BOB }) });
  await until('the refusal', () => client.errors.length > 0);
  expect(client.errors.map(({ code }) => code)).not.toContain('AUTH_REQUIRED');
  await project.sql('alter publication supabase_realtime add table jwt_tokens');
  await client.live();
});

test('edits of before anybody signed in wait, and are sent by the first who does', async () => {
  await project.sql('truncate todos');
  const client = await openClient(project, ['todos'], {}, { editsBeforeSignIn: 'send' });
  await client.sync.collection('todos').save({ text: 'early', owner: BOB }, 'early');
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth');
  expect(client.sync.outbox.failed()).toEqual([]);
  expect(await ids(client)).toEqual(['early']);
  client.sync.setAuthToken(await project.token({ sub: BOB }));
  await client.live();
  expect(await project.sql('select id, owner from todos')).toEqual([{ id: 'early', owner: BOB }]);
  expect(client.sync.outbox.failed()).toEqual([]);
});
