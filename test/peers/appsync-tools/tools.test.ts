import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { a } from '@aws-amplify/data-schema';
import { buildSchema, GraphQLObjectType } from 'graphql';
import ts from 'typescript';
import * as v from 'valibot';
import { describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod/mini';
import { appsyncTools } from '../../../adapters/appsync/doctor/index.js';
import type { AppsyncCollection, AppsyncTransportOptions } from '../../../adapters/appsync/index.js';
import type { Check } from '../../../src/adapter-kit/doctor/tools.js';
import { type AppsyncPeer, type AppsyncPeerOptions, type Model, startAppsyncPeer } from '../appsync/index.js';

const KEY = 'da2-of-these-tests';

/** As the app is configured: one collection with conflict detection, one without. */
const todos: AppsyncCollection = {
  table: 'Todo',
  fields: z.object({ text: z.string(), done: z.boolean() }),
  versioned: true,
};
const notes: AppsyncCollection = { table: 'Note', fields: v.object({ body: v.string(), at: v.nullish(v.number()) }) };

/** As the API has them. */
const todo: Model = { name: 'Todo', fields: { text: 'String', done: 'Boolean' }, versioned: true };
const note: Model = { name: 'Note', fields: { body: 'String', at: 'Float' } };

async function start(options: Partial<AppsyncPeerOptions> = {}): Promise<AppsyncPeer> {
  const auth = { apiKey: KEY, secret: 'a secret of these tests' };
  const peer = await startAppsyncPeer({ models: [todo, note], auth, ...options });
  onTestFinished(() => peer.close());
  return peer;
}

type Given = Partial<AppsyncTransportOptions>;

const inputFor = ({ endpoint }: Pick<AppsyncPeer, 'endpoint'>, given: Given = {}) => {
  const transport = { url: endpoint, auth: { type: 'apiKey', apiKey: KEY }, collections: { todos, notes }, ...given };
  return { transport, collections: Object.keys(transport.collections) };
};

/** What `doctor` says, without a process for each time. */
async function examine(peer: Pick<AppsyncPeer, 'endpoint'>, given: Given = {}): Promise<Check[]> {
  const checks: Check[] = [];
  const input = inputFor(peer, { subscribeTimeout: 5000, requestTimeout: 5000, ...given });
  for await (const check of appsyncTools.doctor(input, {})) checks.push(check);
  return checks;
}

const states = (checks: readonly Check[]): string[] =>
  checks.flatMap(({ what, state }) => (state === 'ok' ? [] : [`${state}: ${what}`]));
const fixOf = (checks: readonly Check[], what: string): string | undefined =>
  checks.find((check) => check.what === what)?.fix;

/** Everything that is kept of the models, tombstones and changes too. */
async function kept({ endpoint }: AppsyncPeer): Promise<unknown[]> {
  const lately = `syncTodos(lastSync: ${Date.now() - 60_000})`;
  const query = `{ all: syncTodos { items { id } } changes: ${lately} { items { id } } notes: listNotes { items { id } } }`;
  const body = JSON.stringify({ query });
  const response = await fetch(endpoint, { method: 'POST', headers: { 'x-api-key': KEY }, body });
  const { data } = (await response.json()) as { data: Record<string, { items: unknown[] }> };
  return Object.values(data).flatMap(({ items }) => items);
}

const seed = (peer: AppsyncPeer): void => {
  peer.write('Todo', 'a', { text: 'Milk', done: false });
  peer.write('Note', 'b', { body: 'Bread', at: 1 });
};

const MODEL = ['the type {} is there', 'conflicts are {}detected, as configured', 'its fields are there'];

describe('doctor', () => {
  test('an API that has all that is needed is told to, and nothing is left there', async () => {
    const peer = await start();
    const events = peer.subscriptions;
    seed(peer);
    const checks = await examine(peer);
    expect(states(checks)).toEqual([]);
    const written = (each: string) => `${each}: this user may write`;
    const live = (each: string) => `${each}: its three subscriptions are acknowledged`;
    expect(checks.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        'the API answers',
        'the clock of this machine is right',
        'the key or the token is accepted',
        ...MODEL.map((what) => `todos: ${what.replace('{}', what.startsWith('the') ? 'Todo' : '')}`),
        ...MODEL.map((what) => `notes: ${what.replace('{}', what.startsWith('the') ? 'Note' : 'not ')}`),
        'notes: filters and conditions know updatedAt',
        ...['todos', 'notes'].flatMap((each) => [written(each), live(each)]),
        'the socket is opened and greeted',
      ]),
    );
    expect(await kept(peer)).toHaveLength(3);
    expect(peer.read('Todo')).toMatchObject([{ id: 'a', _version: 1 }]);
    expect(peer.subscriptions).toEqual(events);
    await expect.poll(() => peer.connections).toBe(0);
  });

  test('nobody there, a wrong path, a wrong key, no token, a token that is over: each is told, with what to do', async () => {
    const peer = await start();
    const port = peer.port;
    const nobody = await examine({ endpoint: 'http://127.0.0.1:1/graphql' });
    expect(states(nobody)).toEqual(['problem: the API answers']);
    const lost = await examine({ endpoint: `http://127.0.0.1:${port}/` });
    expect(states(lost)).toEqual(['problem: the API answers']);
    expect(fixOf(lost, 'the API answers')).toMatch(/status 404.*https:\/\/\.\.\.\/graphql/s);

    const letIn = 'the key or the token is accepted';
    const refused = await examine(peer, { auth: { type: 'apiKey', apiKey: 'da2-old' } });
    expect(states(refused)).toEqual([`problem: ${letIn}`]);
    expect(fixOf(refused, letIn)).toMatch(/UnauthorizedException.*make a new one/s);
    expect(fixOf(refused, letIn)).not.toContain('da2-old');
    const none = await examine(peer, { auth: { type: 'userPool' } });
    expect(fixOf(none, letIn)).toMatch(/There is no token.*authToken/s);
    const token = await peer.token();
    expect(states(await examine(peer, { auth: { type: 'oidc' }, authToken: token, collections: { todos } }))).toEqual([
      'unknown: todos: every item has its id and its _version, and none is from the future',
    ]);
    peer.expire();
    expect(states(await examine(peer, { auth: { type: 'oidc' }, authToken: token }))).toEqual([`problem: ${letIn}`]);
  });

  test('a clock that is wrong is told of by how much', async () => {
    const peer = await start();
    const late: typeof fetch = async (...args) => {
      const response = await fetch(...args);
      const date = new Date(Date.now() + 300_000).toUTCString();
      return new Response(response.body, { status: response.status, headers: { date } });
    };
    const checks = await examine(peer, { fetch: late, collections: { todos } });
    expect(fixOf(checks, 'the clock of this machine is right')).toMatch(/It is (299|300) s slow/);
  });

  test('what the schema lacks is named, with what it has instead', async () => {
    const peer = await start({
      models: [
        { ...todo, plural: 'Todoes' },
        { ...note, fields: { body: 'String!', owner: 'String!' } },
        { name: 'Task', fields: { text: 'String' } },
      ],
    });
    const collections = {
      todos,
      notes,
      tasks: {
        table: 'Task',
        fields: ['text'],
        names: { onDelete: 'onRemoveTask', delete: 'removeTask', idType: 'String' },
      },
      people: { table: 'Person', fields: ['name'] },
    };
    const checks = await examine(peer, { collections });
    expect(states(checks)).toEqual([
      'problem: todos: its queries are there',
      'problem: notes: its fields are there',
      'problem: notes: its inputs take what is written',
      'problem: tasks: its queries are there',
      'problem: tasks: its mutations are there',
      'problem: tasks: its subscriptions are there',
      'problem: people: the type Person is there',
    ]);
    expect(fixOf(checks, 'todos: its queries are there')).toMatch(/syncTodos is not there; .*"syncTodoes"/);
    expect(fixOf(checks, 'notes: its fields are there')).toMatch(/Note has no at;/);
    expect(fixOf(checks, 'notes: its inputs take what is written')).toBe(
      [
        'CreateNoteInput takes no at.',
        'CreateNoteInput wants owner: String!. Declare it as owner: String, so that Amplify sets it to the user who is signed in; or name it in "fields" and save it with each row, as the rule of the type wants it.',
        'UpdateNoteInput takes no at.',
      ].join('\n'),
    );
    expect(fixOf(checks, 'tasks: its queries are there')).toContain('getTask wants id: ID!, and is given String!.');
    expect(fixOf(checks, 'tasks: its mutations are there')).toMatch(/removeTask is not there; .*"deleteTask"/);
    expect(fixOf(checks, 'tasks: its subscriptions are there')).toMatch(/onRemoveTask is not there;/);
    expect(fixOf(checks, 'people: the type Person is there')).toContain('type Person @model');
    // What is told to do puts it right.
    const right = await examine(peer, { collections: { todos: { ...todos, plural: 'Todoes' } } });
    expect(states(right)).toEqual([
      'unknown: todos: every item has its id and its _version, and none is from the future',
    ]);
  });

  test('a key of two fields is said, and the rest is not guessed from it', async () => {
    const peer = await start({
      models: [todo, { ...note, sortKey: 'shelf', fields: { ...note.fields, shelf: 'ID!' } }],
    });
    const checks = await examine(peer);
    expect(states(checks).filter((each) => each.startsWith('problem'))).toEqual([
      'problem: notes: one field is its key',
    ]);
    expect(fixOf(checks, 'notes: one field is its key')).toMatch(/Its key is id and shelf: items that share id/);
  });

  test('it looks with the token of the configuration itself', async () => {
    const peer = await start();
    seed(peer);
    const input = inputFor(peer, { auth: { type: 'oidc' } });
    const checks: Check[] = [];
    for await (const check of appsyncTools.doctor({ ...input, authToken: () => peer.token() }, {})) checks.push(check);
    expect(states(checks)).toEqual([]);
  });

  test.each([
    ['with introspection', 0],
    ['without', 100],
  ])('conflict detection that is configured otherwise than it is: %s', async (_, times) => {
    const peer = await start({
      models: [
        { ...todo, versioned: false },
        { ...note, versioned: true },
      ],
    });
    peer.httpFault({ status: 400, times, containing: '__schema' });
    const checks = await examine(peer);
    const blind = times > 0;
    expect(states(checks)).toEqual([
      ...(blind ? ['unknown: the schema can be read (introspection)'] : []),
      blind
        ? 'problem: todos: its mutations are there, with their fields'
        : 'problem: todos: conflicts are detected, as configured',
      'problem: notes: conflicts are not detected, as configured',
    ]);
    expect(fixOf(checks, 'notes: conflicts are not detected, as configured')).toContain('Set "versioned" to true');
    if (blind)
      expect(fixOf(checks, 'todos: its mutations are there, with their fields')).toMatch(/_version.*_deleted/s);
    else expect(fixOf(checks, 'todos: conflicts are detected, as configured')).toContain('Optimistic Concurrency');
  });

  test('without introspection documents are tried that are never carried out', async () => {
    const peer = await start({ models: [todo, { ...note, fields: { body: 'String' } }] });
    seed(peer);
    peer.httpFault({ status: 400, times: 100, containing: '__schema' });
    const checks = await examine(peer);
    expect(states(checks)).toEqual([
      'unknown: the schema can be read (introspection)',
      'problem: notes: its mutations are there, with their fields',
    ]);
    expect(fixOf(checks, 'notes: its mutations are there, with their fields')).toMatch(/"at" on type "Note"/);
    expect(await kept(peer)).toHaveLength(3);
    expect(peer.read('Note')).toHaveLength(1);
  });

  test('rights, items that are not as they must be, and subscriptions that are refused', async () => {
    const peer = await start({ models: [{ ...todo, fields: { ...todo.fields, kind: 'String!' } }, note] });
    peer.write('Todo', 'a', { text: 'Milk', done: false });
    peer.write('Note', 'b', { body: 'Bread' }, { age: -600_000 });
    const kinds: AppsyncCollection = { ...todos, fields: ['text', 'done', 'kind'] };
    peer.fault({ start: { fields: ['onUpdateTodo'], answer: 'Unauthorized' } });
    const checks = await examine(peer, { collections: { todos: kinds, notes } });
    const future = 'notes: every item has its id and its updatedAt, and none is from the future';
    expect(states(checks)).toEqual([
      'problem: todos: its items are whole',
      `problem: ${future}`,
      'problem: todos: its three subscriptions are acknowledged',
    ]);
    expect(fixOf(checks, 'todos: its items are whole')).toContain('items.0.kind');
    expect(fixOf(checks, future)).toContain('b is later than now');
    expect(fixOf(checks, 'todos: its three subscriptions are acknowledged')).toContain('onUpdateTodo');
    peer.revoke('Note');
    const refused = await examine(peer, { collections: { notes } });
    expect(states(refused)).toEqual([
      'problem: notes: its items can be read',
      'problem: notes: its three subscriptions are acknowledged',
    ]);
    expect(fixOf(refused, 'notes: its items can be read')).toMatch(/Not Authorized to access listNotes.*@auth/s);
    peer.fault({ upgrade: 'refuse' });
    expect(states(await examine(peer, { collections: { todos: { ...todos, fields: ['text'] } } }))).toEqual([
      'problem: todos: its inputs take what is written',
      'problem: the socket is opened and greeted',
    ]);
  });
});

test('an owner rule, which refuses what is not there, is not taken for a right that lacks', async () => {
  const peer = await start();
  seed(peer);
  const answer =
    (errorType: string): typeof fetch =>
    async (to, how) => {
      if (!String(how?.body).includes('{deleteTodo(')) return fetch(to, how);
      const error = { path: ['deleteTodo'], errorType, message: `${errorType}: deleteTodo` };
      return Response.json({ data: { deleteTodo: null }, errors: [error] });
    };
  const what = 'todos: this user may write';
  const owners = await examine(peer, { collections: { todos }, fetch: answer('Unauthorized') });
  expect(states(owners)).toEqual([`unknown: ${what}`]);
  expect(fixOf(owners, what)).toContain('owners');
  const broken = await examine(peer, { collections: { todos }, fetch: answer('MappingTemplate') });
  expect(states(broken)).toEqual([`problem: ${what}`]);
});

/** What the directives and scalars of Amplify and AppSync need to be parsed. */
const AMPLIFY = `
  scalar AWSDateTime
  scalar AWSJSON
  enum Allow { public private owner custom }
  enum Provider { apiKey oidc iam userPools identityPool function }
  input Rule { allow: Allow! provider: Provider identityClaim: String ownerField: String }
  input Names { get: String list: String create: String update: String delete: String onCreate: [String] onUpdate: [String] onDelete: [String] updatedAt: String }
  directive @model(queries: Names, mutations: Names, subscriptions: Names, timestamps: Names) on OBJECT
  directive @auth(rules: [Rule!]!) on OBJECT
  directive @primaryKey on FIELD_DEFINITION
  type Query { nothing: String }`;

/** The two forms that `setup` prints: as Gen 1 has it, and what Amplify itself makes of the Gen 2 form. */
function forms(given: Given): { text: string; gen1: string; gen2: string } {
  const text = appsyncTools.setup(inputFor({ endpoint: 'https://api.example.com/graphql' }, given));
  const [gen1 = '', code = ''] = text.split(/^\/\/ ---- .*$/m);
  const script = code.replaceAll(/^(import|export) .*$/gm, '');
  const compiled = ts.transpileModule(script, { reportDiagnostics: true });
  expect(compiled.diagnostics).toEqual([]);
  const schema = new Function('a', `${compiled.outputText}; return schema;`)(a);
  return { text, gen1, gen2: schema.transform().schema };
}

/** Types and their fields. */
function typesIn(sdl: string): Record<string, Record<string, string>> {
  const types = Object.values(buildSchema(AMPLIFY + sdl).getTypeMap());
  const own = types.filter((type) => type instanceof GraphQLObjectType && !/^(__|Query$)/.test(type.name));
  return Object.fromEntries(
    (own as GraphQLObjectType[]).map((type) => [
      type.name,
      Object.fromEntries(Object.entries(type.getFields()).map(([name, field]) => [name, String(field.type)])),
    ]),
  );
}

describe('setup', () => {
  test('both forms have the same types, with the types of the fields where a schema tells them', () => {
    const json = {
      type: 'object',
      properties: {
        a: { type: 'string' },
        b: { type: ['number', 'null'] },
        c: { type: 'array', items: { type: 'string' } },
      },
    };
    const collections: AppsyncTransportOptions['collections'] = {
      json: { table: 'FromJson', fields: json },
      zod: {
        table: 'FromZod',
        fields: z.object({
          a: z.optional(z.number()),
          b: z.iso.datetime(),
          c: z.enum(['x', 'y']),
          d: z.record(z.string(), z.string()),
        }),
      },
      valibot: {
        table: 'FromValibot',
        fields: v.object({ a: v.nullish(v.boolean()), b: v.pipe(v.string(), v.isoTimestamp()) }),
      },
      names: { table: 'FromNames', fields: ['text', 'address { street place { city } }'] },
    };
    const { gen1, gen2, text } = forms({ collections });
    const time = { updatedAt: 'AWSDateTime' };
    const plain = {
      FromJson: { a: 'String', b: 'Float', c: '[String]', ...time },
      FromZod: { a: 'Float', b: 'AWSDateTime', c: 'String', d: 'AWSJSON', ...time },
      FromValibot: { a: 'Boolean', b: 'AWSDateTime', ...time },
      FromNames: { text: 'String', address: 'FromNamesAddress', ...time },
      FromNamesAddress: { street: 'String', place: 'FromNamesAddressPlace' },
      FromNamesAddressPlace: { city: 'String' },
    };
    expect(typesIn(gen1)).toMatchObject(plain);
    expect(typesIn(gen1).FromJson).toEqual({ id: 'ID!', ...plain.FromJson });
    expect(typesIn(gen2)).toMatchObject(plain);
    // What no schema tells, once in each form.
    const guesses = [...text.matchAll(/^\s*(\w+): .*a guess: /gm)].map(([, name]) => name);
    expect(guesses).toEqual([...Array(2)].flatMap(() => ['d', 'text', 'street', 'city']));
  });

  test('who is let in, names, keys and conflict detection are as configured', () => {
    const named = { ...notes, id: 'code', updatedAt: 'changedAt', names: { list: 'allNotes', onDelete: 'noteGone' } };
    const { gen1, text, gen2 } = forms({
      auth: { type: 'userPool' },
      collections: { todos, mine: { ...todos }, notes: named },
    });
    expect(gen1).toContain(
      'type Todo @model @auth(rules: [{ allow: owner }]) {\n  id: ID!\n  text: String\n  done: Boolean\n}',
    );
    expect(gen1.match(/type Todo /g)).toHaveLength(1);
    expect(gen1).toContain(
      'type Note @model(queries: { get: "getNote", list: "allNotes" }, subscriptions: { onCreate: ["onCreateNote"], onUpdate: ["onUpdateNote"], onDelete: ["noteGone"] }, timestamps: { updatedAt: "changedAt" }) @auth',
    );
    expect(typesIn(gen1).Note).toEqual({ code: 'ID!', body: 'String', at: 'Float', changedAt: 'AWSDateTime' });
    expect(typesIn(gen2).Note).toEqual(typesIn(gen1).Note);
    expect(gen1).toMatch(/# Conflict detection for Todo,.*\n.*Optimistic Concurrency/);
    expect(gen1).toContain('# Without conflict detection: Note.');
    expect(text).toContain('Gen 2 has no conflict detection');
    expect(forms({ collections: { notes } }).text).not.toContain('Gen 2 has no');
    const auths: readonly (readonly [AppsyncTransportOptions['auth'], string])[] = [
      [{ type: 'apiKey', apiKey: KEY }, 'allow: public, provider: apiKey'],
      [{ type: 'oidc' }, 'allow: owner, provider: oidc'],
      [{ type: 'iam', credentials: async () => undefined }, 'allow: private, provider: '],
      [{ type: 'lambda' }, 'allow: custom'],
    ];
    for (const [auth, rule] of auths) {
      const both = forms({ auth, collections: { notes } });
      expect(both.gen1).toContain(rule);
      expect(both.gen2).toContain(rule);
      expect(both.text).not.toContain(KEY);
      expect(buildSchema(AMPLIFY + both.gen1)).toBeDefined();
    }
  });

  test('an API made of the printed schema is well; both commands, from the command line', {
    timeout: 300_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'synclayer-tools-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const printed = typesIn(forms({}).gen1);
    const made = Object.entries(printed).map(([name, { id, updatedAt, ...fields }]): Model => {
      return { name, fields, versioned: updatedAt === undefined };
    });
    const peer = await start({ models: made });
    seed(peer);
    const config = join(folder, 'sync.config.ts');
    const lists = { todos: { ...todos, fields: ['text', 'done'] }, notes: { ...notes, fields: ['body', 'at'] } };
    const { transport, collections } = inputFor(peer, { collections: lists });
    const text = `export default ${JSON.stringify({ transport: { type: 'appsync', ...transport }, collections })} as object;`;
    await writeFile(config, text);
    const cli = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
      new Promise((resolve) => {
        execFile(
          'tsx',
          ['src/cli/index.ts', ...args, '--config', config],
          { timeout: 50_000 },
          (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
        );
      });
    const [setup, doctor] = await Promise.all([cli('setup', 'appsync'), cli('doctor', '--json')]);
    expect([setup.code, setup.stderr, doctor.code, doctor.stderr]).toEqual([0, '', 0, '']);
    expect(setup.stdout).toContain('type Todo @model');
    const checks: Check[] = JSON.parse(doctor.stdout);
    expect(states(checks)).toEqual([]);
    expect(checks.length).toBeGreaterThan(20);
    expect(await kept(peer)).toHaveLength(3);
  });
});
