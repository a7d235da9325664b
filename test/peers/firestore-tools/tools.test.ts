import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deleteApp, initializeApp } from 'firebase/app';
import { connectFirestoreEmulator, type Firestore, getFirestore } from 'firebase/firestore';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { clockCheck } from '../../../adapters/firestore/doctor/clock.js';
import { firestoreTools } from '../../../adapters/firestore/doctor/index.js';
import type { Check } from '../../../src/adapter-kit/doctor/tools.js';
import { createSyncLayer } from '../../../src/index.js';
import type { Hand } from '../firestore/hand.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';
import { collections, tables } from './tables.js';

const CONFIG = fileURLToPath(new URL('sync.config.ts', import.meta.url));
const CLOSED = `rules_version = '2';
service cloud.firestore { match /databases/{database}/documents { match /{path=**} { allow read, write: if false; } } }`;

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

function cli(projectId: string, args: readonly string[], config = CONFIG): Promise<Run> {
  const env = { ...process.env, PROJECT: projectId, EMULATOR_PORT: String(emulator.port) };
  return new Promise((resolve) => {
    const all = ['src/cli/index.ts', ...args, '--config', config];
    execFile('tsx', all, { timeout: 300_000, env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

async function examine(projectId: string): Promise<{ code: number; checks: Check[] }> {
  const { code, stdout, stderr } = await cli(projectId, ['doctor', '--json']);
  expect(stderr).toBe('');
  return { code, checks: JSON.parse(stdout) };
}

const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

/** A Firestore with a signed-in user, gone after the test. */
function signedIn(projectId: string): Firestore {
  const app = initializeApp({ projectId, apiKey: 'none' }, projectId);
  ended.push(() => deleteApp(app));
  const firestore = getFirestore(app);
  connectFirestoreEmulator(firestore, '127.0.0.1', emulator.port, { mockUserToken: { sub: 'u1' } });
  return firestore;
}

/** The same without a process for each time. */
function doctor(projectId: string): () => Promise<Check[]> {
  const transport = { ...tables, firestore: signedIn(projectId) };
  return async () => {
    const checks: Check[] = [];
    for await (const check of firestoreTools.doctor({ transport, collections }, {})) checks.push(check);
    return checks;
  };
}

const notWell = (checks: readonly Check[]): string[] =>
  checks.flatMap(({ what, state }) => (state === 'ok' ? [] : [`${state}: ${what}`]));

/** What an emulator cannot tell. */
const UNTOLD = 'unknown: mine: the queries of a catch-up are answered';

interface Setup {
  readonly projectId: string;
  readonly hand: Hand;
  /** What `setup` printed, as its two files. */
  readonly rules: string;
  readonly indexes: unknown;
}

async function setUp(): Promise<Setup> {
  const projectId = `p-${crypto.randomUUID()}`;
  const { code, stdout, stderr } = await cli(projectId, ['setup', 'firestore']);
  expect([code, stderr]).toEqual([0, '']);
  const [rules = '', indexes = ''] = stdout.split(/^\/\/ ---- firestore\.indexes\.json.*\n/m);
  const json = indexes.replaceAll(/^\/\/.*\n/gm, '');
  return { projectId, hand: emulator.project(projectId), rules, indexes: JSON.parse(json) };
}

test('all that is missing is named; the printed rules put it right, nothing is left behind, and the app syncs', {
  timeout: 300_000,
}, async () => {
  const { projectId, hand, rules, indexes } = await setUp();
  await hand.rules(CLOSED);
  await hand.write('todos/a', { text: 'Milk' });
  await hand.write('users/u1/mine/b', { owner: 'u1' }, { field: 'changed-at' });
  const documents = await hand.all();

  const before = await examine(projectId);
  expect(before.code).toBe(1);
  const each = (collection: string): string[] => [
    `problem: ${collection}: the rules let this user list the documents`,
    `problem: ${collection}: the rules let this user get a document, also one that is not there`,
    `unknown: ${collection}: the rules let this user write`,
    `unknown: ${collection}: its queries and its documents`,
  ];
  expect(notWell(before.checks)).toEqual([
    'problem: the document synclayer/heartbeat may be read',
    'problem: a write can be tried without being made',
    ...each('todos'),
    ...each('notes'),
    ...each('mine'),
  ]);

  await hand.rules(rules);
  const after = await examine(projectId);
  expect(notWell(after.checks)).toEqual([UNTOLD]);
  expect(after.code).toBe(0);
  const untold = after.checks.find(({ state }) => state === 'unknown');
  expect(JSON.parse(untold?.fix?.split('\n').slice(1).join('\n') ?? '')).toEqual(indexes);
  // Not even the times of the documents changed.
  expect(await hand.all()).toEqual(documents);

  const sync = await createSyncLayer({
    transport: { type: 'firestore', firestore: signedIn(projectId), ...tables },
    collections: ['todos', 'notes'],
  });
  const sent = async (edit: Promise<unknown>): Promise<void> => {
    const synced = sync.events.once('operationSynced');
    await edit;
    await synced;
  };
  for (const name of ['todos', 'notes'] as const) {
    await sent(sync.collection(name).save({ text: 'Eggs' }, 'c'));
    await sent(sync.collection(name).update('c', { text: 'Six eggs' }));
    await sent(sync.collection(name).delete('c'));
  }
  await sync.close();
  expect((await hand.list('todos')).map(({ fields }) => Object.keys(fields ?? {}).sort())).toEqual([
    ['text', 'updatedAt'],
    ['deletedAt', 'text', 'updatedAt'],
  ]);
  expect(await hand.list('notes')).toEqual([]);
});

test('each right that is taken away is named, and the rule in its fix gives it back', {
  timeout: 300_000,
}, async () => {
  const { projectId, hand, rules } = await setUp();
  const look = doctor(projectId);
  await hand.write('todos/a', { text: 'Milk' });
  const may = (collection: string, action: string): string => `${collection}: the rules let this user ${action}`;
  const harm: readonly (readonly [rule: string, from: RegExp, to: string, what: string])[] = [
    ['synclayer', /get, update/, 'update', 'the document synclayer/heartbeat may be read'],
    ['synclayer', /get, update/, 'get', 'a write can be tried without being made'],
    ['todos', /allow read/, 'allow get', may('todos', 'list the documents')],
    ['notes', /allow read/, 'allow list', may('notes', 'get a document, also one that is not there')],
    ['todos', /create, update/, 'update', may('todos', 'create a document')],
    ['notes', /create, update/, 'update', may('notes', 'create a document')],
    ['todos', /create, update/, 'create', may('todos', 'update a document')],
    ['todos', /is timestamp/, 'is string', may('todos', 'mark a document as deleted')],
    ['notes', /allow delete.*/, '', may('notes', 'delete a document')],
    ['users', /create, update/, 'update', may('mine', 'create a document')],
  ];
  /** The `match` of a rule, to its end. */
  const block = (text: string, name: string): string =>
    new RegExp(`^( *)match /${name}/[^]*?^\\1\\}`, 'm').exec(text)?.[0] ?? '';
  for (const [name, from, to, what] of harm) {
    const whole = block(rules, name);
    const broken = whole.replace(from, to);
    expect(broken).not.toBe(whole);
    await hand.rules(rules.replace(whole, broken));
    const found = (await look()).find((check) => check.what === what);
    expect(found?.state, what).toBe('problem');
    await hand.rules(rules.replace(whole, block(found?.fix ?? '', name)));
    expect(notWell(await look()), what).toEqual([UNTOLD]);
  }
});

test('documents with no time, or a wrong one, are named', { timeout: 300_000 }, async () => {
  const { projectId, hand, rules } = await setUp();
  await hand.rules(rules);
  const look = doctor(projectId);
  const find = async (what: string): Promise<Check | undefined> => (await look()).find((check) => check.what === what);

  const stamps = 'notes: every document has a timestamp in updatedAt';
  for (let index = 0; index < 6; index++) await hand.write(`notes/a${index}`, {});
  // Beyond those that are looked at one by one.
  await hand.write('notes/b', {}, { field: null });
  expect(await find(stamps)).toMatchObject({ state: 'problem', fix: expect.stringContaining('1 of 7 documents have') });
  await hand.write('notes/a0', { updatedAt: 5 }, { field: null });
  expect((await find(stamps))?.fix).toContain('2 of 7 documents (such as notes/a0) have none');
  await hand.touch('notes/a0', ['updatedAt']);
  await hand.touch('notes/b', ['updatedAt']);
  expect(await find(stamps)).toMatchObject({ state: 'ok' });

  const marks = 'todos: deletedAt is a timestamp, or there is none';
  for (let index = 0; index < 6; index++) await hand.write(`todos/a${index}`, { deletedAt: null });
  await hand.write('todos/b', { deletedAt: false });
  expect(await find(marks)).toMatchObject({ state: 'problem', fix: expect.stringContaining('Not so in 1 documents') });
  await hand.write('todos/a0', { deletedAt: 'yes' });
  expect((await find(marks))?.fix).toContain('Not so in todos/a0.');
  await hand.touch('todos/a0', ['deletedAt', 'updatedAt']);
  await hand.touch('todos/b', ['deletedAt', 'updatedAt']);
  expect(await find(marks)).toMatchObject({ state: 'ok' });

  const future = 'mine: no document is from the future';
  const tomorrow = { 'changed-at': { timestampValue: new Date(Date.now() + 86_400_000).toISOString() } };
  await hand.write('users/u1/mine/a', { owner: 'u1' }, { field: null }, tomorrow);
  expect(await find(future)).toMatchObject({ state: 'problem', fix: expect.stringContaining('users/u1/mine/a') });
  await hand.touch('users/u1/mine/a', ['changed-at']);
  expect(notWell(await look())).toEqual([UNTOLD]);
});

test('what cannot be examined is told in a line', { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-tools-'));
  const config = join(folder, 'sync.json');
  const write = (transport: object): Promise<void> =>
    writeFile(config, JSON.stringify({ transport: { type: 'firestore', ...transport }, collections: ['todos'] }));
  await write({ config: { projectId: 'p' }, emulator: '127.0.0.1:1' });
  const none = await cli('p', ['doctor'], config);
  expect(none).toMatchObject({ code: 1, stderr: '' });
  expect(none.stdout).toContain('✗ Firestore answers');
  expect(none.stdout).toContain('0 well, 1 to put right');
  await write({ config: {} });
  expect(await cli('p', ['setup', 'firestore'], config)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('the Firebase configuration, with projectId'),
  });
  await rm(folder, { recursive: true });
});

test('a clock that is wrong is told by how much', async () => {
  let late = 0;
  const server = createServer((_, response) => {
    response.setHeader('date', new Date(Date.now() + late).toUTCString());
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect(await clockCheck(url, 5000)).toMatchObject({ state: 'ok' });
  late = 3_600_000;
  expect(await clockCheck(url, 5000)).toMatchObject({
    state: 'problem',
    fix: expect.stringMatching(/3(?:59|60)\d s slow/),
  });
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  expect(await clockCheck(url, 5000)).toMatchObject({ state: 'unknown' });
});

test('an emulator that is still starting is waited for', { timeout: 300_000 }, async () => {
  await emulator.kill();
  const transport = { config: { projectId: 'starting' }, emulator: `127.0.0.1:${emulator.port}` };
  const doctor = firestoreTools.doctor({ transport, collections: ['todos'] }, {})[Symbol.asyncIterator]();
  const first = doctor.next();
  await emulator.start();
  expect((await first).value).toEqual({ what: 'Firestore answers', state: 'ok' });
  await doctor.return?.();
});
