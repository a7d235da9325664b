import * as v from 'valibot';
import { describe, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import {
  type Collection,
  type Conflict,
  type ConnectionState,
  createSyncLayer,
  fromEnv,
  type MetricsSnapshot,
  type Row,
  rollout,
  type Stored,
  SyncLayer,
  type SyncLayerConfig,
  type SyncLayerError,
  type SyncLayerInstance,
  type SyncStatus,
} from '../../src/index.js';

const Todo = z.object({ text: z.string(), done: z.boolean().default(false), tags: z.array(z.string()).optional() });
const Note = v.object({ id: v.string(), title: v.string(), stars: v.optional(v.number(), 0) });

const open = () =>
  createSyncLayer({
    baseUrl: 'http://127.0.0.1',
    collections: { todos: { schema: Todo, conflictStrategy: 'serverWins' }, notes: { schema: Note }, plain: {} },
  });
declare const sync: Awaited<ReturnType<typeof open>>;
declare const named: SyncLayerInstance<readonly ['todos', 'users']>;

interface Item {
  readonly id: string;
  readonly text: string;
  readonly done: boolean;
}

describe('rows come from the schema', () => {
  test('zod: what comes out has the defaults, what goes in need not', () => {
    const todos = sync.collection('todos');
    expectTypeOf(todos.get('1')).resolves.toEqualTypeOf<Stored<z.output<typeof Todo>> | undefined>();
    expectTypeOf(todos.getAll()).resolves.items.toHaveProperty('done').toEqualTypeOf<boolean>();
    expectTypeOf(todos.getAll()).resolves.items.toHaveProperty('id').toEqualTypeOf<string>();
    expectTypeOf(todos.save({ text: 'Milk' })).resolves.toEqualTypeOf<string>();
    void todos.save({ text: 'Milk', done: true, tags: ['a'] }, 'some-id');
    void todos.save({ id: 'some-id', text: 'Milk' });
    void todos.saveMany([{ text: 'a' }, { text: 'b', done: true }]);
    // @ts-expect-error text is missing
    void todos.save({ done: true });
    // @ts-expect-error wrong type
    void todos.save({ text: 1 });
    // @ts-expect-error no such field
    void todos.save({ text: 'a', dun: true });
    // @ts-expect-error ids are strings
    void todos.save({ text: 'a' }, 7);
    // @ts-expect-error one of them is wrong
    void todos.saveMany([{ text: 'a' }, { text: 2 }]);
  });

  test('valibot: an id that the schema wants may be left out', () => {
    const notes = sync.collection('notes');
    expectTypeOf(notes.first()).resolves.toEqualTypeOf<
      { readonly id: string; readonly title: string; readonly stars: number } | undefined
    >();
    void notes.save({ title: 'a' });
    void notes.save({ id: 'n1', title: 'a', stars: 3 });
    // @ts-expect-error wrong type
    void notes.save({ title: 'a', stars: 'three' });
  });

  test('updates take some fields, and undefined to remove one', () => {
    const todos = sync.collection('todos');
    expectTypeOf(todos.update('1', { done: true })).resolves.toEqualTypeOf<void>();
    void todos.update('1', { tags: undefined });
    // @ts-expect-error no such field
    void todos.update('1', { dun: true });
    // @ts-expect-error wrong type
    void todos.update('1', { done: 'yes' });
    // @ts-expect-error an id does not change
    void sync.collection('notes').update('1', { id: '2' });
  });

  test('queries know the fields', () => {
    const todos = sync.collection('todos');
    todos.where('done', '==', false).where('id', 'startsWith', 'a').orderBy('text').limit(3);
    // @ts-expect-error no such field
    todos.where('dun', '==', false);
    // @ts-expect-error wrong type
    todos.where('done', '==', 'no');
    // @ts-expect-error no such field
    todos.orderBy('txt');
    const stop = todos.watch((rows, { loading }) => {
      expectTypeOf(rows[0]?.text).toEqualTypeOf<string | undefined>();
      expectTypeOf(loading).toEqualTypeOf<boolean>();
    });
    expectTypeOf(stop).toEqualTypeOf<() => void>();
  });

  test('a collection without a schema has rows of any fields', () => {
    const plain = sync.collection('plain');
    expectTypeOf(plain).toEqualTypeOf<Collection<Row, Row>>();
    void plain.save({ anything: [1, { deep: true }] });
    plain.where('any.path', '==', 1);
    expectTypeOf(plain.get('1')).resolves.toEqualTypeOf<
      { readonly [field: string]: unknown; readonly id: string } | undefined
    >();
  });
});

describe('names', () => {
  test('are those of the configuration', () => {
    expectTypeOf(named.collection('users')).toEqualTypeOf<Collection<Row, Row>>();
    // @ts-expect-error no such collection
    named.collection('user');
    // @ts-expect-error no such collection
    sync.collection('todo');
    // @ts-expect-error no such collection, with a type of one's own either
    sync.collection<Item>('todo');
  });

  test('a row type of one’s own', () => {
    const items = named.collection<Item>('todos');
    expectTypeOf(items).toEqualTypeOf<Collection<Item>>();
    expectTypeOf(items.get('1')).resolves.toEqualTypeOf<Item | undefined>();
    void items.save({ text: 'a', done: false });
    void items.save({ id: '1', text: 'a', done: false });
    items.where('done', '==', false);
    // @ts-expect-error done is missing
    void items.save({ text: 'a' });
  });

  test('are any string where the configuration is made at run time', () => {
    const config = { collections: ['todos'], ...fromEnv() };
    const make = () => createSyncLayer(config);
    const any = (created: Awaited<ReturnType<typeof make>>) => created.collection('whatever');
    expectTypeOf(any).returns.toEqualTypeOf<Collection<Row, Row>>();
  });

  test('variants of a row stay apart', () => {
    type Shape = { id: string; kind: 'circle'; r: number } | { id: string; kind: 'box'; w: number };
    const shapes = named.collection<Shape>('todos');
    void shapes.save({ kind: 'circle', r: 1 });
    void shapes.save({ kind: 'box', w: 1 });
    // @ts-expect-error a box has no radius
    void shapes.save({ kind: 'box', r: 1 });
  });
});

describe('configuration', () => {
  test('literals are checked', () => {
    const base = { collections: ['todos'], baseUrl: 'http://127.0.0.1' } as const;
    expectTypeOf({ ...base, conflictStrategy: 'serverWins' } as const).toExtend<SyncLayerConfig>();
    expectTypeOf({ ...base, enableRealtimeSync: rollout({ percent: 5, key: 'u' }) }).toExtend<SyncLayerConfig>();
    expectTypeOf({ ...base, enableRealtimeSync: async () => true }).toExtend<SyncLayerConfig>();
    expectTypeOf({ ...base, authToken: async () => undefined }).toExtend<SyncLayerConfig>();
    const flag = false as boolean;
    expectTypeOf({
      ...base,
      websocketUrl: flag ? 'wss://a' : undefined,
      logger: undefined,
    }).toExtend<SyncLayerConfig>();
    // @ts-expect-error no such strategy
    void createSyncLayer({ ...base, conflictStrategy: 'serverwins' });
    // @ts-expect-error no such store
    void createSyncLayer({ ...base, store: { type: 'localstorage' } });
    // @ts-expect-error sqlite needs a path
    void createSyncLayer({ ...base, store: { type: 'sqlite' } });
    // @ts-expect-error no such key
    void createSyncLayer({ ...base, colections: [] });
    // @ts-expect-error no such key
    void createSyncLayer({ baseUrl: '', collections: { todos: { shema: Todo } } });
    // @ts-expect-error a number of ms
    void createSyncLayer({ ...base, syncInterval: '5m' });
    // @ts-expect-error collections are missing
    void createSyncLayer({ baseUrl: '' });
  });
});

test('an app takes any instance of its collections', () => {
  const app = (any: SyncLayerInstance) => any.status.pending;
  expectTypeOf(app).toBeCallableWith(sync);
  expectTypeOf(app).toBeCallableWith(named);
  const narrow = (one: SyncLayerInstance<readonly ['todos']>) => one.collection('todos');
  expectTypeOf(narrow).toBeCallableWith(named);
});

test('events carry what their names say', () => {
  const { events } = sync;
  events.on('remoteInsert', (event) =>
    expectTypeOf(event).toExtend<{ readonly collection: string; readonly recordId: string; readonly data: Row }>(),
  );
  events.on('remoteDelete', (event) => expectTypeOf(event).not.toHaveProperty('data'));
  events.on('conflictResolved', ({ conflict, result }) => {
    expectTypeOf(conflict).toEqualTypeOf<Conflict>();
    expectTypeOf(result).toEqualTypeOf<Row | null>();
  });
  events.on('realtimeDisconnected', ({ state }) => expectTypeOf(state).toEqualTypeOf<ConnectionState>());
  events.on('statusChanged', (status) => expectTypeOf(status).toEqualTypeOf<SyncStatus>());
  events.on('error', ({ error }) => expectTypeOf(error).toEqualTypeOf<SyncLayerError>());
  events.on('syncCompleted', ({ duration }) => expectTypeOf(duration).toEqualTypeOf<number>());
  events.on('connectivityChanged', ({ online }) => expectTypeOf(online).toEqualTypeOf<boolean>());
  expectTypeOf(events.once('statusChanged', ({ phase }) => phase === 'live')).resolves.toEqualTypeOf<SyncStatus>();
  // @ts-expect-error no such event
  events.on('realtimeInserted', () => undefined);
});

test('the static one has the same types', () => {
  expectTypeOf(SyncLayer.collection<Item>('todos')).toEqualTypeOf<Collection<Item>>();
  expectTypeOf(SyncLayer.collection('todos')).toEqualTypeOf<Collection<Row>>();
  expectTypeOf(SyncLayer.getMetrics()).toEqualTypeOf<MetricsSnapshot>();
  expectTypeOf(SyncLayer.instance).toEqualTypeOf<SyncLayerInstance>();
  const init = () => SyncLayer.init({ baseUrl: 'http://127.0.0.1', collections: { todos: { schema: Todo } } });
  expectTypeOf<Awaited<ReturnType<typeof init>>['collection']>().parameter(0).toEqualTypeOf<'todos'>();
});

test('a link’s state carries what its status says', () => {
  const state = sync.realtime.state as ConnectionState;
  if (state.status === 'connected') expectTypeOf(state.since).toEqualTypeOf<number>();
  if (state.status === 'disconnected') expectTypeOf(state.retryAt).toEqualTypeOf<number>();
  if (state.status === 'needs-auth') expectTypeOf(state.reason).toEqualTypeOf<SyncLayerError>();
  // @ts-expect-error only where it is connected
  void state.since;
});
