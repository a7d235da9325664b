import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Check } from '../../../src/cli/tools.js';
import { createSyncLayer } from '../../../src/index.js';
import { type SupabasePeer, startSupabasePeer } from '../supabase/index.js';

/** As an app has it before it has heard of SyncLayer. */
const SCHEMA = `
  create table todos (id text primary key, user_id text, text text, done boolean);
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
    execFile('tsx', ['src/cli/index.ts', ...args], { timeout: 60_000 }, (error, stdout, stderr) =>
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
  timeout: 120_000,
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

test('each thing that is taken away is named, and its fix puts it right', { timeout: 300_000 }, async () => {
  const harm = {
    'notes: a trigger sets updated_at at each write': 'drop trigger synclayer_touch on notes',
    'notes: an index serves the catch-up (updated_at, id)': 'drop index synclayer_notes',
    'notes: it is in the publication supabase_realtime': 'alter publication supabase_realtime drop table notes',
    'notes: deletes name their row': 'alter table notes replica identity nothing',
  };
  for (const [what, sql] of Object.entries(harm)) {
    await peer.sql(sql);
    const { checks } = await examine();
    const found = checks.find((check) => check.what === what);
    expect(found, what).toMatchObject({ state: 'problem' });
    await peer.sql(found?.fix ?? '');
  }
  await peer.sql('revoke select on notes from anon');
  const { checks } = await examine();
  expect(checks.find(({ what }) => what === 'notes: PostgREST gives its rows')).toMatchObject({
    state: 'problem',
    fix: expect.stringContaining('grant select on "public"."notes"'),
  });
  await peer.sql('grant select on notes to anon');
  expect(wrong((await examine()).checks)).toEqual([]);
});

test('a table that is not there: setup prints it as a comment, and once that is uncommented it does', {
  timeout: 120_000,
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
  const { code, stdout } = await cli('doctor', '--config', file, '--database-url', peer.databaseUrl, '--json');
  expect([code, wrong(JSON.parse(stdout))]).toEqual([0, []]);
});

test('mistakes are told in a line, without the password', { timeout: 60_000 }, async () => {
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
