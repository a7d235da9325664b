import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createSyncServer, type SyncServer } from '../../../src/server/index.js';

let folder = '';
let a: SyncServer;
let b: SyncServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synclayer-migrate-cli-'));
  [a, b] = [await createSyncServer(), await createSyncServer()];
  for (const [name, { url }] of [['a', a] as const, ['b', b] as const])
    writeFileSync(
      join(folder, `${name}.config.ts`),
      `export default ${JSON.stringify({ transport: { type: 'websocket', url }, collections: ['todos', 'notes'] })} as object;`,
    );
  for (let index = 0; index < 30; index += 1) {
    a.collection('todos').save(`t${index}`, { text: `Todo ${index}`, done: index % 2 === 0 });
    a.collection('notes').save(`n${index}`, { body: '<script>alert("&")</script>' });
  }
});
afterEach(async () => {
  await a.close();
  await b.close();
  rmSync(folder, { recursive: true });
});

/** A command that runs, and what it said so far. */
function start(...args: string[]) {
  const files = ['--from', join(folder, 'a.config.ts'), '--to', join(folder, 'b.config.ts')];
  const state = ['--state', join(folder, 'migrate.db')];
  // Not by the command tsx: on a busy machine it ends a process that takes a moment to answer Ctrl-C.
  const node = ['--import', 'tsx', 'src/cli/index.ts', 'migrate'];
  const child: ChildProcess = spawn(process.execPath, [...node, ...files, ...state, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk) => {
      said[name] += String(chunk);
    });
  const end = once(child, 'close');
  return {
    stop: () => void child.kill('SIGINT'),
    /** Resolves once it has said this on stderr. */
    async says(words: string): Promise<void> {
      while (!said.stderr.includes(words)) {
        if (child.exitCode !== null) throw new Error(`It ended without a word of that: ${said.stderr}${said.stdout}`);
        await Promise.race([once(child.stderr ?? child, 'data'), end]);
      }
    },
    async ended(): Promise<{ code: number; stdout: string; stderr: string }> {
      const [code] = await end;
      return { code: Number(code), ...said };
    },
  };
}
const run = (...args: string[]) => start(...args).ended();

/** A row that a client wrote has its id among the fields, too. */
const rowsOf = (server: SyncServer) =>
  ['todos', 'notes'].map((name) =>
    [...server.collection(name).all()].map(([id, row]) => ({ ...row, id })).sort((x, y) => (x.id < y.id ? -1 : 1)),
  );

test('looking writes nothing: no comparison, no plan, no state file', { timeout: 240_000 }, async () => {
  b.collection('todos').save('t0', { text: 'Todo 0', done: true });
  b.collection('todos').save('own', { text: 'Of the target' });
  const before = rowsOf(b);
  const compared = await run('--verify');
  expect(compared).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('todos: 30 and 2 rows, 29 missing, 1 extra, 0 different'),
  });
  expect(compared.stdout).toMatch(
    /There is no .*migrate\.db: nothing was copied with it yet\. Without --verify it copies\./,
  );
  const planned = await run('--dry-run');
  expect(planned.code).toBe(0);
  expect(planned.stdout).toContain('todos: 30 rows at --from (websocket), 2 at --to (websocket)');
  expect(planned.stdout).toMatch(/^ {2}done +boolean 30$/m);
  expect(planned.stdout).toContain('note: todos: The target has 2 rows already.');
  expect(planned.stdout).toContain('Nothing is known beforehand that would not survive. That is no promise');
  expect(planned.stdout).not.toContain('clients');
  expect(rowsOf(b)).toEqual(before);
  expect(readdirSync(folder).sort()).toEqual(['a.config.ts', 'b.config.ts']);

  expect(await run()).toMatchObject({ code: 1 });
  a.collection('todos').save('later', { text: 'After the copy' });
  const extra = await run('--verify', '--collections', 'todos');
  expect(extra).toMatchObject({ code: 1, stdout: expect.stringContaining('1 missing, 1 extra') });
  expect(extra.stdout).toContain('--repair writes the missing');
  a.collection('todos').delete('later');
  const only = await run('--verify', '--collections', 'todos');
  expect(only.stdout).toContain('Rows that only the target has are never deleted');
  expect(only.stdout).not.toContain('--repair');
});

test('plans without writing, copies, compares, tells what differs, and repairs it', { timeout: 240_000 }, async () => {
  const plan = await run('--dry-run', '--json');
  expect(plan).toMatchObject({ code: 0 });
  expect(JSON.parse(plan.stdout)).toMatchObject({
    outcome: 'planned',
    plan: { collections: [{ collection: 'todos', rows: { from: 30, to: 0 } }, { collection: 'notes' }] },
  });
  expect(rowsOf(b)).toEqual([[], []]);

  const copied = await run('--collections', 'todos, notes');
  expect(copied).toMatchObject({ code: 0, stdout: expect.stringContaining('todos: 30 and 30 rows, 0 missing') });
  expect(copied.stderr).toContain('todos: 30 of 30 rows');
  expect(rowsOf(b)).toEqual(rowsOf(a));

  b.collection('notes').save('n1', { body: 'Other' });
  b.collection('todos').delete('t1');
  const page = join(folder, 'report.html');
  const compared = await run('--verify', '--json', '--report', page);
  expect(compared.code).toBe(1);
  expect(JSON.parse(compared.stdout).verification.differences).toEqual([
    { collection: 'todos', recordId: 't1', kind: 'missing', fields: [] },
    { collection: 'notes', recordId: 'n1', kind: 'different', fields: ['body'] },
  ]);
  expect(readFileSync(page, 'utf8')).toContain('<td>n1</td><td>different</td><td>body</td>');
  expect(await run('--verify', '--repair')).toMatchObject({ code: 0 });
  expect(rowsOf(b)).toEqual(rowsOf(a));
});

test('follows, moves the clients, carries back, and moves them back', { timeout: 240_000 }, async () => {
  const following = start('--follow');
  await following.says('Following.');
  a.collection('todos').save('live', { text: 'While it follows' });
  following.stop();
  expect(await following.ended()).toMatchObject({ code: 0 });
  expect(b.collection('todos').get('live')).toMatchObject({ text: 'While it follows' });

  const phase = join(folder, 'phase.json');
  const times = ['--flag', phase, '--grace', '50', '--quiet', '50'];
  expect(await run('--cut-over', ...times)).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(phase, 'utf8'))).toEqual({ phase: 'to' });
  // Copying now would undo what clients do.
  expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining('clients are on the new backend') });

  b.collection('todos').save('t2', { text: 'On the new one' });
  b.collection('todos').delete('t3');
  const back = start('--reverse');
  await back.says('Following.');
  b.collection('todos').save('t4', { text: 'Live on the new one' });
  back.stop();
  expect(await back.ended()).toMatchObject({ code: 0 });
  expect(rowsOf(a)).toEqual(rowsOf(b));

  b.collection('todos').save('t5', { text: 'Later' });
  expect(await run('--go-back', ...times)).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(phase, 'utf8'))).toEqual({ phase: 'from' });
  expect(rowsOf(a)).toEqual(rowsOf(b));
});

test('mistakes are told in a line', { timeout: 240_000 }, async () => {
  const wrong = (words: string) => ({ code: 2, stdout: '', stderr: expect.stringContaining(words) });
  expect(await run('--collections', 'nothing')).toMatchObject(wrong('has no collection "nothing"'));
  expect(await run('--rate', 'fast')).toMatchObject(wrong('--rate must be a number'));
  expect(await run('--verify', '--dry-run')).toMatchObject(wrong('--dry-run and --verify cannot go together'));
  expect(await run('--cut-over')).toMatchObject({ code: 2, stderr: expect.stringContaining('needs --flag') });
  expect(await run('--to', join(folder, 'a.config.ts'))).toMatchObject(wrong('--from and --to are the same file'));
  const file = join(folder, 'odd.json');
  writeFileSync(file, JSON.stringify({ transport: { type: 'websocket', url: a.url }, colections: ['todos'] }));
  expect(await run('--to', file)).toMatchObject(wrong(`${file} names no collections`));
  writeFileSync(
    file,
    JSON.stringify({ transport: { type: 'websocket', url: a.url }, collections: ['todos', 'notes'], maxRetrys: 1 }),
  );
  expect(await run('--to', file)).toMatchObject(wrong('did you mean "maxRetries"?'));
  writeFileSync(file, JSON.stringify({ transport: { type: 'websockt', url: a.url }, collections: ['todos', 'notes'] }));
  const unknown = await run('--to', file);
  expect(unknown).toMatchObject(wrong('did you mean "websocket"?'));
  expect(unknown.stderr).toContain(file);
});

test('a backend that is not there is given up after --give-up, and named', { timeout: 300_000 }, async () => {
  await b.close();
  const { code, stdout, stderr } = await run('--dry-run', '--give-up', '1');
  expect(code).toBe(3);
  expect(stdout).toContain('Nothing was written.');
  expect(stderr.trim().split('\n').at(-1)).toMatch(
    /^\S*b\.config\.ts: .*Is the server up.* It was given up; --give-up/,
  );
});

test('a trial that is refused ends it, and says which rows it left at the target', { timeout: 300_000 }, async () => {
  await b.close();
  b = await createSyncServer({ validate: (_, row) => (row.done === true ? 'done is not kept here' : undefined) });
  writeFileSync(
    join(folder, 'b.config.ts'),
    `export default ${JSON.stringify({ transport: { type: 'websocket', url: b.url }, collections: ['todos', 'notes'] })} as object;`,
  );
  a.collection('todos').save('other', { text: null, done: false });
  a.collection('todos').save('t0', { text: 'Todo 0', done: true });
  const refused = await run('--collections', 'todos');
  expect(refused.code).toBe(1);
  const [, left] = rowsOf(b)[0]?.length === 1 ? rowsOf(b) : [];
  expect(left).toEqual([]);
  expect(refused.stdout).toMatch(
    /The target refused rows on trial[\s\S]*The trial left 1 row at the target: todos\/other\./,
  );
});
