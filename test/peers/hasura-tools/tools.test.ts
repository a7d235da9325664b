import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { hasuraTools } from '../../../adapters/hasura/doctor/index.js';
import { hasuraTransport } from '../../../adapters/hasura/index.js';
import type { HasuraTransportOptions } from '../../../adapters/hasura/options.js';
import type { Check } from '../../../src/adapter-kit/doctor/tools.js';
import { createSyncLayer } from '../../../src/index.js';
import { type HasuraPeer, type HasuraPeerOptions, startHasuraPeer } from '../hasura/index.js';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';

/** As an app has it before it has heard of SyncLayer. */
const SCHEMA = `
  create table todos (id text primary key, text text, done boolean);
  create table notes (id text primary key, body text)`;

let postgres: Postgres;
let folder = '';
beforeAll(async () => {
  postgres = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'synclayer-tools-'));
});
afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true });
});

async function start(options: HasuraPeerOptions = {}): Promise<HasuraPeer> {
  const peer = await startHasuraPeer({ postgres, schema: SCHEMA, tables: {}, pollInterval: 25, ...options });
  onTestFinished(peer.close);
  return peer;
}

const collections = ['todos', 'notes'];

async function optionsFor(peer: HasuraPeer) {
  return {
    url: peer.url,
    authToken: await peer.token(),
    subscribeTimeout: 5000,
    collections: { todos: { fields: ['text', 'done'], deletedAt: 'deleted_at' }, notes: { fields: ['body'] } },
  } satisfies HasuraTransportOptions;
}

const cli = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile('tsx', ['src/cli/index.ts', ...args], { timeout: 300_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });

/** What `doctor` says, without a process for each time. */
async function examine(transport: object, databaseUrl?: string, names = collections): Promise<Check[]> {
  const checks: Check[] = [];
  for await (const check of hasuraTools.doctor({ transport: { ...transport }, collections: names }, { databaseUrl }))
    checks.push(check);
  return checks;
}

const wrong = (checks: readonly Check[]): string[] =>
  checks.flatMap(({ what, state }) => (state === 'ok' ? [] : [`${state}: ${what}`]));

/** The call of `/v1/metadata` that a text holds. */
const callIn = (text: string): string => /\{ "type": "bulk_keep_going"[\s\S]*?\n\] \}/.exec(text)?.[0] ?? '';

async function metadata(peer: HasuraPeer, body: string): Promise<readonly { readonly error?: string }[]> {
  const headers = { 'x-hasura-admin-secret': peer.adminSecret };
  const response = await fetch(new URL('/v1/metadata', peer.url), { method: 'POST', headers, body });
  expect(response.status).toBe(200);
  return (await response.json()) as never;
}

/** A Hasura that is set up. */
async function ready(options: HasuraPeerOptions = {}): Promise<HasuraPeer> {
  const peer = await start(options);
  const text = hasuraTools.setup({ transport: await optionsFor(peer), collections });
  await peer.sql(text);
  await peer.reload();
  await metadata(peer, callIn(text));
  return peer;
}

test('setup prints what doctor finds missing; once it was run, twice, all is well, and the app syncs', {
  timeout: 300_000,
}, async () => {
  const peer = await start();
  const transport = await optionsFor(peer);
  const config = join(folder, 'sync.config.ts');
  await writeFile(
    config,
    `export default ${JSON.stringify({ transport: { type: 'hasura', ...transport }, collections })} as object;`,
  );
  const doctor = () => cli('doctor', '--config', config, '--database-url', peer.databaseUrl, '--json');
  const before = await doctor();
  expect([before.code, before.stderr]).toEqual([1, '']);
  expect(wrong(JSON.parse(before.stdout))).toEqual([
    'problem: todos: this role may read it',
    'problem: notes: this role may read it',
    'problem: todos: its subscription is live',
    'problem: notes: its subscription is live',
    'problem: todos: updated_at is timestamptz, never null',
    'problem: todos: a trigger sets updated_at at each write',
    'problem: todos: deleted_at is timestamptz',
    'problem: todos: an index serves the catch-up (updated_at, id)',
    'problem: notes: updated_at is timestamptz, never null',
    'problem: notes: a trigger sets updated_at at each write',
    'problem: notes: an index serves the catch-up (updated_at, id)',
  ]);

  const { code, stdout: text } = await cli('setup', 'hasura', '--config', config);
  expect(code).toBe(0);
  for (const round of [1, 2]) {
    await peer.sql(text);
    await peer.reload();
    const answers = await metadata(peer, callIn(text));
    expect(answers.every(({ error }) => (error === undefined) === (round === 1))).toBe(true);
  }

  const after = await doctor();
  const checks: Check[] = JSON.parse(after.stdout);
  expect(wrong(checks)).toEqual([
    'unknown: todos: its numbers come with all their digits',
    'unknown: notes: its numbers come with all their digits',
  ]);
  expect(after.code).toBe(0);

  const sync = await createSyncLayer({ transport: hasuraTransport(transport), collections });
  await sync.collection('todos').save({ text: 'Milk', done: false }, 'a');
  await sync.collection('notes').save({ body: 'x' }, 'n');
  await expect.poll(() => sync.status.pending).toBe(0);
  await sync.collection('todos').delete('a');
  await sync.collection('notes').delete('n');
  await expect.poll(() => sync.status.pending).toBe(0);
  await sync.close();
  const [row] = await peer.sql('select text, updated_at, deleted_at from todos');
  expect(row).toMatchObject({ text: 'Milk', updated_at: expect.any(String), deleted_at: expect.any(String) });
  expect(await peer.sql('select id from notes')).toEqual([]);
  expect(wrong(await examine(transport, peer.databaseUrl, ['todos']))).toEqual([]);
});

test('each thing that is taken away is named, and its fix puts it right', { timeout: 300_000 }, async () => {
  const peer = await ready();
  const transport = await optionsFor(peer);
  const well = [
    'unknown: todos: its numbers come with all their digits',
    'unknown: notes: its numbers come with all their digits',
  ];
  expect(wrong(await examine(transport, peer.databaseUrl))).toEqual(well);

  const named = async (what: string): Promise<Check> => {
    const found = (await examine(transport, peer.databaseUrl)).find((check) => check.what === what);
    expect(found, what).toMatchObject({ state: 'problem', fix: expect.any(String) });
    return found as Check;
  };
  const sql = {
    'notes: a trigger sets updated_at at each write': 'drop trigger zz_synclayer_touch on notes',
    'todos: a trigger sets updated_at at each write': `create function touch() returns trigger language plpgsql as
      $$ begin new.updated_at = now(); return new; end $$;
      create trigger zzz before update on todos for each row execute function touch()`,
    'todos: updated_at is timestamptz!': 'alter table todos alter column updated_at type timestamp',
    'todos: deleted_at is timestamptz': 'alter table todos alter column deleted_at type date',
    'notes: an index serves the catch-up (updated_at, id)': 'drop index synclayer_notes',
    'notes: id is unique': 'alter table notes drop constraint notes_pkey',
    'notes: updated_at is timestamptz!': 'alter table notes alter column updated_at drop not null',
  };
  for (const [what, harm] of Object.entries(sql)) {
    await peer.sql(harm);
    await peer.reload();
    await peer.sql((await named(what)).fix ?? '');
    await peer.reload();
  }
  expect(wrong(await examine(transport, peer.databaseUrl))).toEqual(well);

  const narrow = { columns: ['id'], filter: {}, check: {} };
  for (const [right, what] of [
    ['select', 'notes: this role may read it'],
    ['insert', 'notes: this role may insert it'],
    ['update', 'notes: this role may update it'],
    ['delete', 'notes: this role may delete it'],
  ] as const) {
    peer.permit('user', 'notes', right, undefined);
    await metadata(peer, callIn((await named(what)).fix ?? ''));
  }
  for (const [right, what] of [
    ['select', 'notes: all its fields are there'],
    ['insert', 'notes: an insert may set all its fields'],
    ['update', 'notes: an update may set all its fields'],
  ] as const) {
    peer.permit('user', 'notes', right, narrow);
    const { fix = '' } = await named(what);
    expect(fix).toContain('drop it first');
    peer.permit('user', 'notes', right, undefined);
    await metadata(peer, callIn(fix));
  }
  expect(wrong(await examine(transport, peer.databaseUrl))).toEqual(well);
});

test('a key of several columns is said, with a key of its own that the configuration can name', {
  timeout: 300_000,
}, async () => {
  const peer = await ready();
  await peer.sql('alter table notes drop constraint notes_pkey, add primary key (id, body)');
  await peer.reload();
  const transport = await optionsFor(peer);
  const bySchema = (await examine(transport)).find(({ what }) => what === "notes: id can be a record's id");
  expect(bySchema).toMatchObject({
    state: 'unknown',
    fix: expect.stringContaining('key of several columns: id, body'),
  });
  const found = (await examine(transport, peer.databaseUrl)).find(({ what }) => what === 'notes: id is unique');
  expect(found?.fix).toContain('"id" alone does not name a row');
  await peer.sql(found?.fix ?? '');
  await peer.reload();
  for (const [right, permission] of Object.entries({
    select: { filter: {} },
    insert: { check: {} },
    update: { filter: {} },
  }))
    peer.permit('user', 'notes', right as 'select', { columns: '*', ...permission } as never);
  const notes = { fields: ['body'], id: 'synclayer_id' };
  const named = { ...transport, collections: { ...transport.collections, notes } };
  for (const { state, fix = '' } of await examine(named, peer.databaseUrl))
    if (state === 'problem') await peer.sql(fix);
  expect(wrong(await examine(named, peer.databaseUrl)).filter((each) => each.startsWith('problem'))).toEqual([]);
});

test('it looks with the token of the configuration itself', { timeout: 300_000 }, async () => {
  const peer = await ready();
  const { authToken, ...transport } = await optionsFor(peer);
  const checks: Check[] = [];
  for await (const check of hasuraTools.doctor({ transport, collections, authToken: async () => authToken }, {}))
    checks.push(check);
  expect(wrong(checks).filter((each) => each.startsWith('problem'))).toEqual([]);
});

test('rows that could be lost are named: without a time, from the future, with rounded numbers', {
  timeout: 300_000,
}, async () => {
  const peer = await ready({ schema: `${SCHEMA}; alter table todos add count bigint` });
  peer.permit('user', 'todos', 'select', { columns: '*', filter: {} });
  peer.permit('user', 'todos', 'insert', { columns: '*', check: {} });
  peer.permit('user', 'todos', 'update', { columns: '*', filter: {} });
  const { collections: given, ...rest } = await optionsFor(peer);
  const todos = { ...given.todos, fields: ['text', 'done', 'count'] };
  const checks = () => examine({ ...rest, collections: { todos } }, undefined, ['todos']);
  await peer.sql("insert into todos (id, count) values ('a', 9007199254740993)");
  await peer.sql("alter table todos disable trigger all; update todos set updated_at = '2999-01-01'");
  const found = await checks();
  expect(wrong(found)).toEqual([
    'problem: todos: its numbers come with all their digits',
    'problem: todos: every row has its time, and none is from the future',
    'unknown: triggers and indexes',
  ]);
  expect(found.find(({ what }) => what.includes('digits'))?.fix).toContain('STRINGIFY_NUMERIC_TYPES');
});

test('wrong types and names are told with what to write instead', { timeout: 300_000 }, async () => {
  const peer = await start({
    schema: 'create table todos (id int primary key, text text, updated_at timestamp, deleted_at date)',
    tables: { todos: { custom_name: 'task', custom_root_fields: { select: 'todos' } } },
    permissions: {
      user: { todos: { select: { columns: '*', filter: {} }, insert: { columns: '*', check: {} } } },
    },
  });
  const options = {
    ...(await optionsFor(peer)),
    collections: { todos: { fields: ['text'], deletedAt: 'deleted_at' } },
  };
  const told = (checks: readonly Check[]) =>
    Object.fromEntries(checks.filter(({ state }) => state === 'problem').map(({ what, fix }) => [what, fix]));
  const found = told(await examine(options, undefined, ['todos']));
  expect(found).toMatchObject({
    'todos: this role may read it': expect.stringContaining('types: { where: "task_bool_exp" }'),
    'todos: updated_at is timestamptz!': expect.stringContaining('type timestamptz'),
    'todos: deleted_at is timestamptz': expect.stringContaining('It is date.'),
    "todos: id can be a record's id": expect.stringContaining('id: { type: "Int" }'),
    'todos: it can be subscribed to (todos_stream)': expect.stringContaining('There is: todos, task_stream.'),
    'todos: this role may insert it': expect.stringContaining('roots: { insert: "..." }'),
  });
  const named = {
    ...options,
    collections: {
      todos: {
        ...options.collections.todos,
        roots: { stream: 'task_stream', insert: 'insert_task' },
        types: { where: 'task_bool_exp', insert: 'task_insert_input' },
      },
    },
  };
  const better = told(await examine(named, undefined, ['todos']));
  for (const what of ['todos: this role may read it', 'todos: this role may insert it'])
    expect(better[what]).toBeUndefined();
});

test('a live query, a count, camelCase names and a hidden schema are looked at in their own way', {
  timeout: 300_000,
}, async () => {
  const peer = await start({ namingConvention: 'graphql-default' });
  const options = {
    ...(await optionsFor(peer)),
    naming: 'graphql-default' as const,
    collections: {
      todos: { fields: ['text', 'done'], deletedAt: 'deletedAt', mode: 'live' as const },
      notes: { fields: ['body'], watchCount: true },
    },
  };
  const text = hasuraTools.setup({ transport: options, collections });
  expect(text).toContain('"deleted_at" timestamptz');
  await peer.sql(text);
  await peer.reload();
  await metadata(peer, callIn(text));
  const digits = collections.map((name) => `unknown: ${name}: its numbers come with all their digits`);
  expect(wrong(await examine(options, peer.databaseUrl))).toEqual(digits);
  peer.permit('user', 'notes', 'select', { columns: '*', filter: {} });
  const checks = await examine(options, peer.databaseUrl);
  expect(checks.find(({ what }) => what === 'notes: it can be subscribed to (notesAggregate)')).toMatchObject({
    state: 'problem',
    fix: expect.stringContaining('"allow_aggregations":true'),
  });
  peer.permit('user', 'notes', 'select', { columns: '*', filter: {}, allow_aggregations: true });
  await metadata(
    peer,
    JSON.stringify({ type: 'set_graphql_schema_introspection_options', args: { disabled_for_roles: ['user'] } }),
  );
  const unseen = 'unknown: the schema can be read (introspection)';
  expect(wrong(await examine(options, peer.databaseUrl))).toEqual([unseen, ...digits]);
  peer.permit('user', 'notes', 'delete', undefined);
  expect(wrong(await examine(options, peer.databaseUrl))).toContain('problem: notes: Hasura takes a delete');
});

test('who is not let in, is not there or speaks the older protocol is told so, without a secret', {
  timeout: 300_000,
}, async () => {
  const peer = await ready();
  const options = await optionsFor(peer);
  const expired = await examine({ ...options, authToken: await peer.token({ expiresIn: -60 }) });
  expect(wrong(expired)).toEqual(['problem: the token is accepted', 'unknown: triggers and indexes']);
  expect(expired.find(({ state }) => state === 'problem')?.fix).toContain('JWTExpired');
  const admin = await examine({
    ...options,
    authToken: undefined,
    headers: { 'X-Hasura-Admin-Secret': peer.adminSecret },
  });
  expect(wrong(admin)[0]).toBe('problem: the headers hold no admin secret');
  expect(JSON.stringify(admin)).not.toContain(peer.adminSecret);
  const elsewhere = await examine({ ...options, url: peer.url.replace('/v1/graphql', '/graphql') });
  expect(wrong(elsewhere)).toEqual(['problem: Hasura answers', 'unknown: triggers and indexes']);
  const nobody = await examine({ ...options, url: 'http://127.0.0.1:1/v1/graphql' });
  expect(wrong(nobody)[0]).toBe('problem: Hasura answers');
  const old = await ready({ version: '1.3.3' });
  const legacy = await examine({ ...(await optionsFor(old)) });
  const socket = legacy.find(({ what }) => what === 'a WebSocket can be opened');
  expect(socket).toMatchObject({ state: 'problem', fix: expect.stringMatching(/before Hasura 2\.1/) });
  const closed = await examine(options, 'postgres://me:secret@127.0.0.1:1/none').then(
    () => 'no error',
    (error: Error) => error.message,
  );
  expect(closed).toContain('ECONNREFUSED');
  expect(closed).not.toContain('secret');
});
