import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { supabaseTools } from '../../../adapters/supabase/doctor/index.js';
import type { Check, ToolsInput } from '../../../src/adapter-kit/doctor/tools.js';
import { createSyncLayer } from '../../../src/index.js';
import { type SupabasePeer, startSupabasePeer } from '../supabase/index.js';

/** As an app has it before it has heard of SyncLayer. */
const SCHEMA = `
  create table todos (id text primary key, user_id uuid, text text, done boolean);
  create table notes (id text primary key, body text);
  grant all on todos, notes to anon, authenticated, service_role`;

let peer: SupabasePeer;
let folder = '';
let config = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'synclayer-tools-'));
  peer = await startSupabasePeer({ schema: SCHEMA });
  config = join(folder, 'sync.config.ts');
  const transport = {
    type: 'supabase',
    url: peer.url,
    key: peer.anonKey,
    subscribeTimeout: 3000,
    collections: { todos: { deletedAt: 'deleted_at' } },
  };
  await writeFile(
    config,
    `export default ${JSON.stringify({ transport, collections: ['todos', 'notes'] })} as object;`,
  );
});
afterAll(async () => {
  await peer.close();
  await rm(folder, { recursive: true });
});

const cli = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile('tsx', ['src/cli/index.ts', ...args], { timeout: 300_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });

const examine = async (): Promise<{ code: number; checks: Check[] }> => {
  const { code, stdout, stderr } = await cli(
    'doctor',
    '--config',
    config,
    '--database-url',
    peer.databaseUrl,
    '--json',
  );
  expect(stderr).toBe('');
  return { code, checks: JSON.parse(stdout) };
};

const wrong = (checks: readonly Check[]): string[] =>
  checks.flatMap(({ what, state }) => (state === 'ok' ? [] : [`${state}: ${what}`]));

test('setup prints what doctor finds missing; once it was run all is well, and the app syncs', {
  timeout: 300_000,
}, async () => {
  const before = await examine();
  expect(before.code).toBe(1);
  expect(wrong(before.checks)).toEqual([
    'problem: todos: PostgREST gives its rows',
    'problem: notes: PostgREST gives its rows',
    'problem: todos: Realtime serves it',
    'problem: notes: Realtime serves it',
    'problem: todos: updated_at is timestamptz, never null',
    'problem: todos: a trigger sets updated_at at each write',
    'problem: todos: deleted_at is timestamptz',
    'problem: todos: an index serves the catch-up (updated_at, id)',
    'problem: todos: it is in the publication supabase_realtime',
    'problem: todos: row level security is on',
    'problem: notes: updated_at is timestamptz, never null',
    'problem: notes: a trigger sets updated_at at each write',
    'problem: notes: an index serves the catch-up (updated_at, id)',
    'problem: notes: it is in the publication supabase_realtime',
    'problem: notes: row level security is on',
  ]);

  const { code, stdout: sql } = await cli('setup', 'supabase', '--config', config);
  expect(code).toBe(0);
  await peer.sql(sql);
  // It may be run again.
  await peer.sql(sql);
  for (const table of ['todos', 'notes'])
    await peer.sql(
      `alter table ${table} enable row level security; create policy everybody on ${table} using (true) with check (true)`,
    );

  const after = await examine();
  expect(wrong(after.checks)).toEqual([]);
  expect(after.code).toBe(0);

  const { default: settings } = await import(config);
  const sync = await createSyncLayer({ ...settings });
  await sync.collection('todos').save({ text: 'Milk' }, 'a');
  await sync.events.once('operationSynced');
  await sync.close();
  const [row] = await peer.sql('select text, updated_at, deleted_at from todos');
  expect(row).toMatchObject({ text: 'Milk', deleted_at: null });
  expect(row?.updated_at).toBeTruthy();
});

/** What `doctor` says, without a process for each time. */
async function look(more: Partial<ToolsInput> & { readonly options?: object } = {}): Promise<Check[]> {
  const { options, ...input } = more;
  const all = { ...(await import(config)).default, ...input };
  const { type: _, ...transport } = { ...all.transport, ...options };
  const checks: Check[] = [];
  for await (const check of supabaseTools.doctor({ ...all, transport }, { databaseUrl: peer.databaseUrl }))
    checks.push(check);
  return checks;
}

const TOUCHES = `create or replace function touch_notes() returns trigger language plpgsql as $$
  begin
    -- Not new.updated_at = clock_timestamp().
    new.updated_at = now();
    return new;
  end $$;`;

/** What is harmed, the first check that says so, and what its fix says. */
const harms: readonly (readonly [harm: string, found: string, fix?: RegExp])[] = [
  ['drop trigger zz_synclayer_touch on notes', 'a trigger sets updated_at at each write', /No trigger sets it/],
  [
    `${TOUCHES} drop trigger zz_synclayer_touch on notes;
     create trigger update_notes_updated_at before update on notes for each row execute function touch_notes()`,
    'a trigger sets updated_at at each write',
    /In the way: "update_notes_updated_at"/,
  ],
  [
    `${TOUCHES} create trigger zzzz before insert or update on notes for each row execute function touch_notes()`,
    'a trigger sets updated_at at each write',
    /In the way: "update_notes_updated_at", "zzzz"[\s\S]*alter trigger "zzzz" on "public"."notes" rename/,
  ],
  ['drop index synclayer_notes', 'an index serves the catch-up (updated_at, id)'],
  ['alter publication supabase_realtime drop table notes', 'Realtime serves it'],
  [
    "alter publication supabase_realtime set (publish = 'insert')",
    'the publication sends inserts, updates and deletes',
  ],
  ['alter table notes replica identity nothing', 'deletes name their row'],
  ['revoke select on notes from anon, authenticated', 'PostgREST gives its rows', /grant select on "public"."notes"/],
  [
    'revoke insert, update, delete on notes from anon, authenticated',
    'anon or authenticated may select, insert, update, delete',
  ],
  ['alter table notes disable row level security', 'row level security is on'],
  [
    'alter table notes disable row level security; drop policy everybody on notes',
    'row level security is on',
    /Every user who is signed in/,
  ],
  [
    'drop policy "synclayer insert" on notes; drop policy "synclayer delete" on notes',
    'policies let anon or authenticated select, insert, update, delete',
    /for insert [\s\S]*for delete/,
  ],
  ['drop policy everybody on todos', 'todos: policies let anon or authenticated select, insert, update', /by user_id/],
  [
    'alter table notes alter column updated_at drop not null; insert into notes values (1, 2, null)',
    'updated_at is timestamptz, never null',
  ],
  [
    'alter table notes alter column updated_at type timestamp',
    'updated_at is timestamptz, never null',
    /without time zone/,
  ],
  ['alter table notes alter column updated_at type text', 'updated_at is timestamptz, never null'],
  ['alter table notes drop column updated_at', 'PostgREST gives its rows', /add column if not exists "updated_at"/],
  [
    'alter table todos drop column deleted_at',
    'todos: deleted_at is timestamptz',
    /add column if not exists "deleted_at"/,
  ],
  ['alter table todos alter column deleted_at type timestamp', 'todos: deleted_at is timestamptz'],
  [
    'delete from todos; alter table todos alter column deleted_at set default now(), alter column deleted_at set not null',
    'todos: deleted_at is timestamptz',
  ],
  ['alter table notes drop constraint notes_pkey', 'id is unique'],
  [
    'alter table notes drop constraint notes_pkey, add unique (id), alter column id drop not null',
    'id is unique',
    /never seen/,
  ],
];

test('each harm is found, and the printed fixes, run as they are, put it right', { timeout: 300_000 }, async () => {
  for (const [harm, name, words = /./] of harms) {
    await peer.sql(harm);
    const checks = await look();
    const found = checks.find(({ what, state }) => state === 'problem' && what.endsWith(name));
    expect(found, `${harm}\n${wrong(checks).join('\n')}`).toBeDefined();
    expect(found?.fix).toMatch(words);
    for (const { state, fix = '' } of checks) if (state === 'problem') await peer.sql(fix);
    expect(wrong(await look()), harm).toEqual([]);
  }
});

test('a key of several columns is said, with a key of its own that the configuration can name', {
  timeout: 300_000,
}, async () => {
  await peer.sql(`alter table notes drop constraint notes_pkey, drop constraint if exists notes_id_key,
    add primary key (id, body)`);
  const { collections } = (await import(config)).default.transport;
  const named = { options: { collections: { ...collections, notes: { id: 'synclayer_id' } } } };
  const [, fix = ''] = (await look()).flatMap(({ what, fix }) => (what === 'notes: id is unique' ? [what, fix] : []));
  expect(fix).toContain('"id" alone does not name a row');
  expect(fix).toContain("collections: { notes: { id: 'synclayer_id' } }");
  await peer.sql(fix);
  // What names a deleted row, and the index, are to follow.
  const after = await look(named);
  expect(wrong(after)).toEqual([
    'problem: notes: an index serves the catch-up (updated_at, synclayer_id)',
    'problem: notes: deletes name their row',
  ]);
  for (const { state, fix = '' } of after) if (state === 'problem') await peer.sql(fix);
  expect(wrong(await look(named))).toEqual([]);
  await peer.sql(`alter table notes replica identity default, drop column synclayer_id, drop constraint notes_pkey, add primary key (id);
    drop index if exists synclayer_notes; create index synclayer_notes on notes (updated_at, id)`);
});

test('the columns for the notes of writes are looked at where the configuration names them', {
  timeout: 300_000,
}, async () => {
  const { collections } = (await import(config)).default.transport;
  const marked = {
    options: { collections: { ...collections, notes: { opId: 'op_id', editedAt: 'edited_at' } } },
  };
  const found = await look(marked);
  expect(wrong(found)).toEqual(['problem: notes: a trigger keeps op_id and edited_at']);
  for (const { state, fix = '' } of found) if (state === 'problem') await peer.sql(fix);
  expect(wrong(await look(marked))).toEqual([]);
  await peer.sql('drop trigger zz_synclayer_note on notes');
  expect(wrong(await look(marked))).toEqual(['problem: notes: a trigger keeps op_id and edited_at']);
});

test('an identity that says more is left as it is, and the setup of before is replaced', {
  timeout: 300_000,
}, async () => {
  const { type: _, ...transport } = (await import(config)).default.transport;
  await peer.sql(
    `alter table todos replica identity full; alter trigger zz_synclayer_touch on todos rename to synclayer_touch`,
  );
  await peer.sql(supabaseTools.setup({ transport, collections: ['todos'] }));
  expect(await peer.sql("select relreplident from pg_class where oid = 'todos'::regclass")).toEqual([
    { relreplident: 'f' },
  ]);
  expect(
    await peer.sql("select tgname from pg_trigger where tgrelid = 'todos'::regclass and not tgisinternal"),
  ).toEqual([{ tgname: 'zz_synclayer_touch' }]);
});

test('it looks with the token of the configuration itself', { timeout: 300_000 }, async () => {
  await peer.sql('revoke all on notes from anon');
  try {
    expect(wrong(await look({ collections: ['todos', 'notes'] }))).toContain(
      'problem: notes: PostgREST gives its rows',
    );
    const token = await peer.token({ sub: '00000000-0000-4000-8000-000000000001' });
    const file = join(folder, 'signed-in.mjs');
    const settings = (await import(config)).default;
    await writeFile(
      file,
      `export default { ...${JSON.stringify(settings)}, authToken: async () => ${JSON.stringify(token)} };`,
    );
    const { stdout } = await cli('doctor', '--config', file, '--database-url', peer.databaseUrl, '--json');
    const checks: Check[] = JSON.parse(stdout);
    expect(wrong(checks)).toEqual([]);
    expect(checks.map(({ what }) => what)).toContain('notes: authenticated may select, insert, update, delete');
  } finally {
    await peer.sql('grant all on notes to anon');
  }
});

test('a table that is not there: setup prints it as a comment, and once that is uncommented it does', {
  timeout: 300_000,
}, async () => {
  const file = join(folder, 'fresh.json');
  const transport = { type: 'supabase', url: peer.url, key: peer.anonKey, subscribeTimeout: 3000 };
  await writeFile(file, JSON.stringify({ transport, collections: ['fresh'] }));
  const { stdout: sql } = await cli('setup', 'supabase', '--config', file);
  // As it stands it makes no table.
  await expect(peer.sql(sql)).rejects.toThrow('"public.fresh" does not exist');
  const uncommented = sql.replace(/^-- create table [\s\S]*?^-- \);$/m, (block) => block.replaceAll(/^-- /gm, ''));
  await peer.sql(uncommented);
  await peer.sql('grant all on fresh to anon; alter table fresh enable row level security');
  const blind = await cli('doctor', '--config', file, '--database-url', peer.databaseUrl, '--json');
  expect(wrong(JSON.parse(blind.stdout))).toEqual([
    'problem: fresh: policies let anon or authenticated select, insert, update, delete',
  ]);
  await peer.sql(
    sql.replaceAll(/^-- (create policy.*|\s+using .*)$/gm, '$1').match(/^create policy[\s\S]*?;$/m)?.[0] ?? '',
  );
  const { code, stdout } = await cli('doctor', '--config', file, '--database-url', peer.databaseUrl, '--json');
  expect([code, wrong(JSON.parse(stdout))]).toEqual([0, []]);
});

test('mistakes are told in a line, without the password', { timeout: 300_000 }, async () => {
  const none = await cli('setup', 'supabase', '--config', join(folder, 'none.ts'));
  expect(none).toMatchObject({ code: 2, stdout: '' });
  expect(none.stderr).toContain('could not be loaded');
  const other = await cli('setup', 'oracle', '--config', config);
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('There is for: supabase') });
  const closed = await cli('doctor', '--config', config, '--database-url', 'postgres://me:secret@127.0.0.1:1/none');
  expect(closed.code).toBe(2);
  expect(closed.stderr).toContain('ECONNREFUSED');
  expect(closed.stderr + closed.stdout).not.toContain('secret');
});
