import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import {
  type CollectionsConfig,
  createSyncLayer,
  memoryStore,
  type Row,
  type StoreWrite,
  type SyncLayerConfig,
  type SyncLayerInstance,
} from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';

const opened: SyncLayerInstance<never>[] = [];
afterEach(async () => {
  for (const sync of opened.splice(0)) await sync.close();
});

/** A SyncLayer that talks to nobody unless it is told to, and what its store was asked to keep. */
async function open<const C extends CollectionsConfig>(collections: C, extra: Partial<SyncLayerConfig<C>> = {}) {
  const transport = memoryTransport();
  const store = memoryStore();
  const commits: (readonly StoreWrite[])[] = [];
  const commit = store.commit;
  const spy = {
    ...store,
    commit: (writes: readonly StoreWrite[]) => {
      commits.push(writes);
      return commit(writes);
    },
  };
  const config = { transport, collections, store: spy, enableAutoSync: false, ...extra, enableRealtimeSync: false };
  const created = await createSyncLayer(config as SyncLayerConfig);
  opened.push(created);
  const sync = created as unknown as SyncLayerInstance<C>;
  return { sync, transport, backend: transport.backend, store, commits };
}

interface Todo {
  readonly id: string;
  readonly text: string;
  readonly done?: boolean;
  readonly tags?: readonly string[];
}

const openTodos = async () => {
  const { sync, ...rest } = await open(['todos']);
  return { sync, todos: sync.collection<Todo>('todos'), rows: sync.collection('todos'), ...rest };
};

describe('save and get', () => {
  test('with an id of its own making', async () => {
    const { todos } = await openTodos();
    const id = await todos.save({ text: 'Milk' });
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await todos.get(id)).toEqual({ id, text: 'Milk' });
    expect(await todos.save({ text: 'Milk' })).not.toBe(id);
    expect(await todos.get('nobody')).toBeUndefined();
  });

  test('with a given id, which replaces the whole row', async () => {
    const { todos } = await openTodos();
    expect(await todos.save({ id: '1', text: 'Milk', done: true })).toBe('1');
    expect(await todos.save({ text: 'Bread' }, '1')).toBe('1');
    await expect(todos.save({ id: '2', text: 'Eggs' }, '3')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    expect(await todos.getAll()).toEqual([{ id: '1', text: 'Bread' }]);
    expect(await todos.get()).toEqual(await todos.getAll());
  });

  test('a save is durable before it resolves', async () => {
    const { todos, commits } = await openTodos();
    const saving = todos.save({ text: 'Milk' }, '1');
    await saving;
    const tables = commits.flat().filter(({ value }) => value !== undefined);
    expect(tables.map(({ table }) => table)).toContain('outbox');
  });

  test('a field that is undefined is no field', async () => {
    const { rows } = await openTodos();
    await rows.save({ a: undefined, b: { c: undefined, d: null }, e: [null] }, '1');
    const row = await rows.get('1');
    expect(Object.keys(row ?? {}).sort()).toEqual(['b', 'e', 'id']);
    expect(row).toStrictEqual({ id: '1', b: { d: null }, e: [null] });
  });

  test.each(['a/b?c#d', '日本語', '😀', '...', ' ', 'x'.repeat(1000), '__proto__', 'constructor'])(
    'id %j',
    async (id) => {
      const { todos, sync, backend } = await openTodos();
      await todos.save({ text: 'Milk' }, id);
      expect(await todos.get(id)).toEqual({ id, text: 'Milk' });
      await sync.syncNow();
      expect(backend.get('todos', id)?.data).toMatchObject({ text: 'Milk' });
    },
  );
});

describe('the app’s objects and ours are apart', () => {
  test('what is saved can be changed afterwards', async () => {
    const { rows } = await openTodos();
    const row = { text: 'Milk', tags: ['a'], deep: { list: [{ n: 1 }] } };
    const saving = rows.save(row, '1');
    row.text = 'Bread';
    row.tags.push('b');
    (row.deep.list[0] as { n: number }).n = 2;
    await saving;
    expect(await rows.get('1')).toEqual({ id: '1', text: 'Milk', tags: ['a'], deep: { list: [{ n: 1 }] } });
  });

  test('a frozen object, one without a prototype and one from another realm can be saved', async () => {
    const { rows } = await openTodos();
    const { runInNewContext } = await import('node:vm');
    await rows.save(Object.freeze({ text: 'a' }), '1');
    await rows.save(Object.assign(Object.create(null), { text: 'b' }), '2');
    await rows.save(runInNewContext('({ text: "c", list: [{}] })'), '3');
    expect((await rows.getAll()).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  });

  type Rows = Awaited<ReturnType<typeof openTodos>>['rows'];
  const fromWatch = (rows: Rows): Promise<unknown> =>
    new Promise((resolve) => {
      const stop = rows.watch(([row]) => {
        queueMicrotask(() => stop());
        resolve(row);
      });
    });
  // Each way with a row of its own: one that was handed out once is frozen for good.
  test.each<[string, (rows: Rows) => Promise<unknown>]>([
    ['get(id)', (rows) => rows.get('1')],
    ['getAll()', async (rows) => (await rows.getAll())[0]],
    ['first()', (rows) => rows.first()],
    ['where().get()', async (rows) => (await rows.where('text', '==', 'Milk').get())[0]],
    ['watch(callback)', fromWatch],
    ['for await', async (rows) => (await rows.watch()[Symbol.asyncIterator]().next()).value?.[0]],
  ])('what comes out is read-only, all the way down: %s', async (_, read) => {
    const { rows, commits, sync, backend } = await openTodos();
    await rows.save({ text: 'Milk', deep: { list: [1] } }, '1');
    const before = JSON.stringify(commits);
    const mutable = (await read(rows)) as { text: string; deep: { list: number[]; extra?: true } };
    expect(() => {
      mutable.text = 'Bread';
    }).toThrow(TypeError);
    expect(() => {
      mutable.deep.extra = true;
    }).toThrow(TypeError);
    expect(() => mutable.deep.list.push(2)).toThrow(TypeError);
    expect(await rows.get('1')).toEqual({ id: '1', text: 'Milk', deep: { list: [1] } });
    expect(JSON.stringify(commits)).toBe(before);
    await sync.syncNow();
    expect(backend.get('todos', '1')?.data).toEqual({ id: '1', text: 'Milk', deep: { list: [1] } });
  });

  test('a list that comes out is the caller’s own', async () => {
    const { rows } = await openTodos();
    await rows.save({ text: 'Milk' }, '1');
    (await rows.getAll()).pop();
    expect(await rows.getAll()).toHaveLength(1);
  });

  test('what comes out can be changed in a copy and saved', async () => {
    const { todos } = await openTodos();
    await todos.save({ text: 'Milk' }, '1');
    const row = await todos.get('1');
    await todos.save({ ...(row as Todo), done: true });
    expect(await todos.get('1')).toEqual({ id: '1', text: 'Milk', done: true });
  });
});

class Money {
  readonly amount = 5;
}
const cycle: Record<string, unknown> = {};
cycle.self = { again: [cycle] };

describe('refused, with what is wrong and where', () => {
  test.each<[string, unknown, string]>([
    ['null', null, '"todos" stores plain objects, not null.'],
    ['nothing', undefined, '"todos" stores plain objects, not undefined.'],
    ['an array', [{ text: 'a' }], '"todos" stores plain objects, not Array.'],
    ['a string', 'Milk', '"todos" stores plain objects, not string.'],
    ['a number', 7, '"todos" stores plain objects, not number.'],
    ['a function', () => ({}), '"todos" stores plain objects, not function.'],
    ['a Date', new Date(), '"todos" stores plain objects, not Date.'],
    ['a Map', new Map([['text', 'a']]), '"todos" stores plain objects, not Map.'],
    ['a promise', Promise.resolve({ text: 'a' }), '"todos" stores plain objects, not Promise.'],
    ['an instance', new Money(), '"todos" stores plain objects, not Money.'],
    [
      'a Date inside',
      { at: new Date(0) },
      'todos/1.at is a Date, and only plain JSON can be stored. Convert it first: a Date with toISOString(), a bigint with String(), NaN to null, a Map with Object.fromEntries().',
    ],
    ['NaN', { a: { b: [1, Number.NaN] } }, 'todos/1.a.b[1] is NaN, and only plain JSON can be stored'],
    ['Infinity', { a: Number.POSITIVE_INFINITY }, 'todos/1.a is Infinity, and only plain JSON can be stored'],
    ['a bigint', { a: 1n }, 'todos/1.a is of type bigint, and only plain JSON can be stored'],
    ['a symbol', { a: Symbol('x') }, 'todos/1.a is of type symbol, and only plain JSON can be stored'],
    ['a method', { a() {} }, 'todos/1.a is of type function'],
    ['a cycle', cycle, 'todos/1 is circular, or deeper than 500 levels'],
    ['an instance inside', { price: new Money() }, 'todos/1.price is a Money, and only plain JSON can be stored'],
    ['bytes', { blob: new Uint8Array(2) }, 'todos/1.blob is a Uint8Array, and only plain JSON can be stored'],
    [
      'undefined in an array',
      { list: [undefined] },
      'todos/1.list[0] is of type undefined, and only plain JSON can be stored',
    ],
    ['__proto__', JSON.parse('{"__proto__":{"admin":true}}'), 'todos/1 has a field named __proto__'],
    ['__proto__ inside', { a: JSON.parse('{"__proto__":1}') }, 'todos/1.a has a field named __proto__'],
  ])('%s', async (_, row, message) => {
    const { rows, commits } = await openTodos();
    const quiet = commits.length;
    for (const attempt of [rows.save(row as Row, '1'), rows.saveMany([{ id: '1' }, row as Row])]) {
      await expect(attempt).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    }
    await expect(rows.save(row as Row, '1')).rejects.toThrow(message);
    expect(await rows.getAll()).toEqual([]);
    expect(commits).toHaveLength(quiet);
  });

  test.each<[string, unknown]>([
    ['a number', 7],
    ['null', null],
    ['empty', ''],
    ['1001 characters', 'x'.repeat(1001)],
    ['half a character', 'a\uD800'],
    ['a path', '..'],
    ['a path', '.'],
    ['an object', {}],
  ])('an id that is %s', async (_, id) => {
    const { todos, rows } = await openTodos();
    const refused = {
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('got an id that is not a string of 1'),
    };
    const bad = id as string;
    if (id !== null) {
      // Null is "none" here: a backend's column can be null.
      await expect(todos.save({ text: 'a' }, bad)).rejects.toMatchObject(refused);
      await expect(rows.save({ id })).rejects.toMatchObject(refused);
    }
    await expect(todos.update(bad, { text: 'a' })).rejects.toMatchObject(refused);
    await expect(todos.delete(bad)).rejects.toMatchObject(refused);
    await expect(todos.deleteMany(['1', bad])).rejects.toMatchObject(refused);
    expect(await todos.count()).toBe(0);
  });
});

describe('saveMany and deleteMany', () => {
  test('one commit, one notification', async () => {
    const { todos, commits } = await openTodos();
    const seen: number[] = [];
    todos.watch((rows) => void seen.push(rows.length));
    await Promise.resolve();
    const quiet = commits.length;
    const ids = await todos.saveMany([{ id: '1', text: 'a' }, { text: 'b' }, { id: '3', text: 'c' }]);
    expect(ids).toEqual(['1', expect.any(String), '3']);
    expect(commits).toHaveLength(quiet + 1);
    await todos.deleteMany(['1', '3', 'nobody']);
    expect(commits).toHaveLength(quiet + 2);
    expect(seen).toEqual([0, 3, 1]);
    expect(await todos.saveMany([])).toEqual([]);
    await todos.deleteMany([]);
    expect(commits).toHaveLength(quiet + 2);
  });

  test('all or nothing', async () => {
    const { rows, commits } = await openTodos();
    const quiet = commits.length;
    await expect(rows.saveMany([{ id: '1' }, { id: '2', at: new Date() }, { id: '3' }])).rejects.toThrow('todos/2.at');
    await expect(rows.saveMany([{ id: '1' }, { id: 2 }])).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    expect(await rows.count()).toBe(0);
    expect(commits).toHaveLength(quiet);
  });
});

describe('update and delete', () => {
  test('changes some fields, removes those that are undefined', async () => {
    const { todos } = await openTodos();
    await todos.save({ text: 'Milk', done: true, tags: ['a'] }, '1');
    await todos.update('1', { text: 'Bread', tags: undefined });
    expect(await todos.get('1')).toStrictEqual({ id: '1', text: 'Bread', done: true });
    await todos.update('1', { id: '1', done: false } as object);
    await expect(todos.update('1', { id: '2' } as object)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    expect(await todos.getAll()).toEqual([{ id: '1', text: 'Bread', done: false }]);
  });

  test('one row where a list is wanted, and an id that happens to be undefined, are refused', async () => {
    const { todos } = await openTodos();
    const wrong = { text: 'Milk' } as never;
    await expect(todos.saveMany(wrong)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(todos.deleteMany('1' as never)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(todos.get(undefined as never)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  test('two updates in one turn both count', async () => {
    const { todos } = await openTodos();
    await todos.save({ text: 'Milk' }, '1');
    await Promise.all([todos.update('1', { done: true }), todos.update('1', { tags: ['a'] })]);
    expect(await todos.get('1')).toEqual({ id: '1', text: 'Milk', done: true, tags: ['a'] });
  });

  test('of a row that is not there', async () => {
    const { todos } = await openTodos();
    await expect(todos.update('1', { done: true })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: '"todos" has no record "1" to update. Use save(data, id) to create it.',
      details: { collection: 'todos', recordId: '1' },
    });
    await todos.save({ text: 'a' }, '1');
    await todos.delete('1');
    await expect(todos.update('1', { done: true })).rejects.toThrow('has no record "1"');
    await todos.delete('1');
    await expect(todos.update('1', null as unknown as object)).rejects.toThrow('stores plain objects, not null');
  });

  test('with what JSON cannot hold', async () => {
    const { rows } = await openTodos();
    await rows.save({ text: 'Milk' }, '1');
    await expect(rows.update('1', { at: new Date() })).rejects.toThrow('todos/1.at is a Date');
    await expect(rows.update('1', new Map() as unknown as object)).rejects.toThrow('stores plain objects, not Map');
    expect(await rows.get('1')).toEqual({ id: '1', text: 'Milk' });
  });

  test('with a path into a field: the way is named, and a field of that very name is a field', async () => {
    const { rows } = await openTodos();
    await rows.save({ address: { city: 'Oslo', zip: '1' }, 'x.y': 1 }, '1');
    await expect(rows.update('1', { 'address.city': 'Bergen' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      message:
        '"todos".update changes whole fields, and "address.city" is a path into one. Write update(id, { "address": { ...row["address"], "city": value } }).',
    });
    await rows.update('1', { 'x.y': 2 });
    expect(await rows.get('1')).toEqual({ id: '1', address: { city: 'Oslo', zip: '1' }, 'x.y': 2 });
  });
});

describe('a schema', () => {
  const Todo = z.object({
    text: z.string().trim().min(1),
    done: z.boolean().default(false),
    due: z.string().optional(),
  });

  test('makes the row, and refuses what it refuses', async () => {
    const { sync } = await open({ todos: { schema: Todo } });
    const todos = sync.collection('todos');
    await todos.save({ text: ' Milk ' }, '1');
    expect(await todos.get('1')).toEqual({ id: '1', text: 'Milk', done: false });
    await expect(todos.save({ text: '', done: 'yes' as unknown as boolean }, '2')).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringMatching(/^"todos" 2 breaks the schema: text: .+; done: .+$/),
      details: { collection: 'todos', recordId: '2', issues: [expect.any(String), expect.any(String)] },
    });
    await todos.update('1', { done: true });
    await expect(todos.update('1', { text: undefined })).rejects.toThrow('breaks the schema: text: ');
    await expect(todos.saveMany([{ text: 'a' }, { text: '' }])).rejects.toThrow('breaks the schema');
    expect(await todos.getAll()).toEqual([{ id: '1', text: 'Milk', done: true }]);
  });

  test('may want the id, or make something that JSON cannot hold', async () => {
    const WithId = z.object({ id: z.uuid(), at: z.coerce.date() });
    const { sync } = await open({ strict: { schema: z.strictObject({ id: z.uuid() }) }, dated: { schema: WithId } });
    await sync.collection('strict').save({});
    await expect(sync.collection('strict').save({}, 'x')).rejects.toThrow('"strict" x breaks the schema: id: ');
    await expect(sync.collection('dated').save({ at: '2026-01-01' })).rejects.toThrow(/at is a Date/);
  });

  test('that is asynchronous cannot be used', async () => {
    const { sync } = await open({ todos: { schema: z.object({ text: z.string().refine(async () => true) }) } });
    const saving = sync.collection('todos').save({ text: 'a' });
    await expect(saving).rejects.toThrow(
      'The schema of "todos" is asynchronous; SyncLayer needs one that answers at once.',
    );
  });

  test('is asked about what arrives, too', async () => {
    const { sync, backend } = await open({ todos: { schema: Todo } });
    backend.write('todos', 'good', { text: 'Milk' });
    backend.write('todos', 'bad', { text: 7 });
    const reported = sync.events.once('error');
    await sync.syncNow();
    expect(await sync.collection('todos').getAll()).toEqual([{ id: 'good', text: 'Milk', done: false }]);
    expect(await reported).toMatchObject({ collection: 'todos', error: { code: 'VALIDATION_FAILED' } });
    expect(sync.metrics().changes.invalid).toBe(1);
  });
});

describe('a store of the app’s own', () => {
  test('is opened, written and closed', async () => {
    const { sync, store } = await open(['todos']);
    await sync.collection('todos').save({ text: 'Milk' }, '1');
    await sync.close();
    await store.open();
    const entries: unknown[] = [];
    for await (const page of store.read('outbox', 'todos')) entries.push(...page.map(({ value }) => value));
    await store.close();
    expect(entries).toMatchObject([{ recordId: '1', local: { id: '1', text: 'Milk' } }]);
  });

  test('that cannot be opened', async () => {
    const store = memoryStore();
    await store.open();
    await expect(open(['todos'], { store })).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.close();
  });
});

test('after close every write is refused, and what was read stays readable', async () => {
  const { sync, todos, commits } = await openTodos();
  await todos.save({ text: 'Milk' }, '1');
  await sync.close();
  const quiet = commits.length;
  const closed = { code: 'CLOSED', message: 'This SyncLayer is closed; create a new one.' };
  for (const write of [
    todos.save({ text: 'a' }),
    todos.saveMany([{ text: 'a' }]),
    todos.update('1', { done: true }),
    todos.delete('1'),
    todos.deleteMany(['1']),
  ])
    await expect(write).rejects.toMatchObject(closed);
  await expect(sync.syncNow()).rejects.toMatchObject({ code: 'CLOSED' });
  expect(await todos.get('1')).toEqual({ id: '1', text: 'Milk' });
  expect(commits).toHaveLength(quiet);
  await sync.close();
});

test('an unknown collection names those that exist', async () => {
  const { sync } = await open(['todos', 'users']);
  const any = sync as unknown as SyncLayerInstance;
  expect(() => any.collection('todo')).toThrow(
    '"todo" is not in "collections" of the configuration; did you mean "todos"?',
  );
  expect(() => any.collection('constructor')).toThrow(
    '"constructor" is not in "collections" of the configuration; known are todos, users',
  );
  expect(() => any.collection(undefined as never)).toThrow('"undefined" is not in "collections"');
});
