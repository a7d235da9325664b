import * as v from 'valibot';
import { describe, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import {
  type Collection,
  type ConflictResolver,
  createSyncLayer,
  kindOf,
  type Row,
  type Stored,
  type SyncLayerInstance,
  type Unsaved,
} from '../../src/index.js';

const Todo = z.object({
  text: z.string(),
  done: z.boolean().default(false),
  tags: z.array(z.string()).optional(),
  address: z.object({ city: z.string(), geo: z.tuple([z.number(), z.number()]) }).nullable(),
  extra: z.record(z.string(), z.unknown()),
});
const Note = v.object({ id: v.string(), lines: v.array(v.object({ text: v.string() })) });

const open = () =>
  createSyncLayer({ baseUrl: 'http://127.0.0.1', collections: { todos: { schema: Todo }, notes: { schema: Note } } });
declare const sync: Awaited<ReturnType<typeof open>>;
const todos = sync.collection('todos');
const notes = sync.collection('notes');

/** A row as it is often written: nothing says readonly. */
interface Item {
  id: string;
  text: string;
  tags: string[];
  place?: { city: string };
}
declare const named: SyncLayerInstance<readonly ['items']>;
const items = named.collection<Item>('items');

type TodoRow = {
  readonly text: string;
  readonly done: boolean;
  readonly tags?: readonly string[] | undefined;
  readonly address: { readonly city: string; readonly geo: readonly [number, number] } | null;
  readonly extra: { readonly [field: string]: unknown };
  readonly id: string;
};
type ItemRow = {
  readonly id: string;
  readonly text: string;
  readonly tags: readonly string[];
  readonly place?: { readonly city: string };
};

describe('rows that come out are readonly, at every depth', () => {
  test('from get, getAll, queries and watch, with a schema of zod', () => {
    expectTypeOf(todos.get('1')).resolves.toEqualTypeOf<TodoRow | undefined>();
    expectTypeOf(todos.getAll()).resolves.toEqualTypeOf<TodoRow[]>();
    expectTypeOf(todos.where('done', '==', true).first()).resolves.toEqualTypeOf<TodoRow | undefined>();
    todos.watch((rows) => expectTypeOf(rows).toEqualTypeOf<readonly TodoRow[]>());
    expectTypeOf(todos.watch()).toExtend<AsyncIterable<TodoRow[]>>();
  });

  test('with one of valibot, and with a type of one’s own', () => {
    expectTypeOf(notes.get('1')).resolves.toEqualTypeOf<
      { readonly id: string; readonly lines: readonly { readonly text: string }[] } | undefined
    >();
    expectTypeOf(items.get('1')).resolves.toEqualTypeOf<ItemRow | undefined>();
  });

  test('what would throw does not compile', async () => {
    const [item] = await items.getAll();
    if (!item) return;
    // @ts-expect-error frozen
    item.text = 'a';
    // @ts-expect-error frozen
    item.tags.push('a');
    // @ts-expect-error frozen
    item.tags[0] = 'a';
    // @ts-expect-error frozen
    if (item.place) item.place.city = 'Oslo';
    // @ts-expect-error a list that is frozen is no list to be changed
    expectTypeOf(item).toExtend<Item>();
    const row = await named.collection('items').get('1');
    // @ts-expect-error frozen, without a type too
    if (row) row.text = 'a';
  });

  test('arrays of rows are the caller’s own', async () => {
    const rows = await items.getAll();
    rows.pop();
  });

  test('variants, brands and rows that refer to their own kind stay what they are', () => {
    type Shape = { id: string; kind: 'circle'; r: number } | { id: string; kind: 'path'; points: number[] };
    type Frozen =
      | { readonly id: string; readonly kind: 'circle'; readonly r: number }
      | { readonly id: string; readonly kind: 'path'; readonly points: readonly number[] };
    expectTypeOf<Stored<Shape>>().toEqualTypeOf<Frozen>();
    const UserId = z.string().brand('UserId');
    type UserId = z.output<typeof UserId>;
    expectTypeOf<Stored<{ id: UserId; owner: UserId }>['owner']>().toEqualTypeOf<UserId>();
    interface Tree {
      id: string;
      children: Tree[];
    }
    const tree = null as unknown as Stored<Tree>;
    expectTypeOf(tree.children[0]?.children[0]?.id).toEqualTypeOf<string | undefined>();
    // @ts-expect-error frozen, however deep
    tree.children[0]?.children.pop();
  });

  test('resolvers are given frozen rows, and may give back others', () => {
    const merge: ConflictResolver<Item> = ({ local, remote, merged }) => {
      expectTypeOf(local).toEqualTypeOf<ItemRow | null>();
      // @ts-expect-error frozen
      merged?.tags.push('a');
      return local && remote && { ...remote, tags: [...remote.tags, ...local.tags] };
    };
    void createSyncLayer({ baseUrl: 'http://127.0.0.1', collections: { items: { customConflictResolver: merge } } });
    expectTypeOf<ConflictResolver<Item>>().toBeCallableWith({
      collection: 'items',
      recordId: '1',
      base: null,
      local: { id: '1', text: '', tags: [] },
      remote: null,
      fields: [],
      merged: null,
      localTimestamp: 0,
      remoteTimestamp: undefined,
    });
  });

  test('events give rows, which are readonly', () => {
    sync.events.on('realtimeUpdate', ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<Row>();
      // @ts-expect-error frozen
      data.text = 'a';
    });
  });
});

describe('save takes what can be changed, and what came out', () => {
  test('both, and parts of both', async () => {
    const mutable: Item = { id: '1', text: 'a', tags: ['b'] };
    void items.save(mutable);
    const row = await items.get('1');
    if (!row) return;
    void items.save(row);
    void items.save({ ...row, tags: [...row.tags, 'c'] });
    void items.saveMany([row, mutable]);
    void items.update('1', { tags: row.tags, place: row.place });
    void items.update('1', { tags: mutable.tags });
    const todo = await todos.get('1');
    if (todo) void todos.save({ ...todo, text: 'b' });
  });

  test('without a type any fields', async () => {
    const plain = named.collection('items');
    void plain.save({ text: 'a', deep: [{ er: 1 }] });
    const row = await plain.get('1');
    if (row) void plain.save({ ...row, text: 'b' });
    expectTypeOf<Unsaved<Row>>().toEqualTypeOf<Row>();
  });

  test('what JSON cannot hold does not compile', () => {
    interface Meeting {
      id: string;
      at: Date;
      seats: Map<string, string>;
      names: Set<string>;
      cost: bigint;
      start(): void;
    }
    const meetings = named.collection<Meeting>('items');
    // @ts-expect-error Convert the Date with toISOString()
    void meetings.update('1', { at: new Date() });
    // @ts-expect-error Convert the Map with Object.fromEntries()
    void meetings.update('1', { seats: new Map<string, string>() });
    // @ts-expect-error Convert the Set with [...set]
    void meetings.update('1', { names: new Set<string>() });
    // @ts-expect-error Convert the bigint with String()
    void meetings.update('1', { cost: 1n });
    // @ts-expect-error Leave it out of the row
    void meetings.update('1', { start: () => undefined });
    const dated = createSyncLayer({
      baseUrl: 'http://127.0.0.1',
      collections: { todos: { schema: z.object({ at: z.date() }) } },
    });
    // @ts-expect-error Convert the Date with toISOString()
    void dated.then((created) => created.collection('todos').save({ at: new Date() }));
  });
});

test('code over any row type', () => {
  async function newest<T extends { readonly id: string }>(collection: Collection<T>): Promise<Stored<T> | undefined> {
    const rows = await collection.getAll();
    return rows.at(-1);
  }
  expectTypeOf(newest(items)).resolves.toEqualTypeOf<ItemRow | undefined>();
});

test('the code of an edit that was rejected says what to do', () => {
  for (const { error } of sync.outbox.failed()) if (error) expectTypeOf(kindOf(error.code)).toBeString();
});
