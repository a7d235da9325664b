import { describe, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import {
  type Collection,
  createSyncLayer,
  fromEnv,
  type Row,
  registerTransport,
  SyncLayer,
  type SyncLayerConfig,
  type SyncLayerInstance,
  type TransportConfig,
} from '../../src/index.js';
import { createSwitchover } from '../../src/migrate/switchover.js';
import { memoryTransport } from '../../src/testing/index.js';

declare global {
  interface SyncLayerTransports {
    homemade: { readonly place: string; readonly size?: number };
  }
}

const Todo = z.object({ text: z.string() });
const url = 'https://127.0.0.1';
const collections = ['todos'] as const;

describe('a transport by name', () => {
  test('has the options of its type', () => {
    void createSyncLayer({ collections, transport: { type: 'websocket', url: 'wss://127.0.0.1' } });
    void createSyncLayer({ collections, transport: { type: 'supabase', url, key: 'k', collections: { todos: {} } } });
    void createSyncLayer({ collections, transport: { type: 'firestore', config: { projectId: 'p' } } });
    void createSyncLayer({
      collections,
      transport: { type: 'hasura', url, collections: { todos: { fields: ['text'] } } },
    });
    void createSyncLayer({
      collections,
      transport: {
        type: 'appsync',
        url,
        auth: { type: 'apiKey', apiKey: 'a' },
        collections: { todos: { table: 'Todo', fields: ['text'] } },
      },
    });
    expectTypeOf<TransportConfig['type']>().toExtend<
      'websocket' | 'supabase' | 'firestore' | 'hasura' | 'appsync' | keyof SyncLayerTransports
    >();
  });

  test('is refused for a wrong name, a wrong option and one that is missing', () => {
    // @ts-expect-error did you mean "supabase"?
    void createSyncLayer({ collections, transport: { type: 'supbase', url, key: 'k' } });
    // @ts-expect-error no such option
    void createSyncLayer({ collections, transport: { type: 'supabase', ulr: url, key: 'k' } });
    // @ts-expect-error an option of another transport
    void createSyncLayer({ collections, transport: { type: 'supabase', url, key: 'k', emulator: 'a' } });
    // @ts-expect-error a number of ms
    void createSyncLayer({ collections, transport: { type: 'firestore', requestTimeout: '5s' } });
    // @ts-expect-error Hasura has to be told the fields
    void createSyncLayer({ collections, transport: { type: 'hasura', url } });
    // @ts-expect-error no such setting of a collection
    void createSyncLayer({ collections, transport: { type: 'supabase', collections: { todos: { tabel: 'a' } } } });
    // @ts-expect-error a type is missing
    void createSyncLayer({ collections, transport: { url } });
  });

  test('may be one of the app’s own, or an object', () => {
    void createSyncLayer({ collections, transport: { type: 'homemade', place: 'a' } });
    // @ts-expect-error its options are checked too
    void createSyncLayer({ collections, transport: { type: 'homemade', place: 'a', siez: 2 } });
    void createSyncLayer({ collections, transport: memoryTransport() });
    registerTransport('homemade', ({ place, size }) => {
      expectTypeOf(place).toBeString();
      expectTypeOf(size).toEqualTypeOf<number | undefined>();
      return memoryTransport();
    });
    registerTransport('not declared', (_: { readonly a: string }) => memoryTransport());
  });
});

describe('a key that does not exist is refused, wherever it stands', () => {
  test('in createSyncLayer', () => {
    // @ts-expect-error collections
    void createSyncLayer({ baseUrl: url, colections: ['todos'] });
    // @ts-expect-error maxRetries
    void createSyncLayer({ baseUrl: url, collections, maxRetrys: 1 });
    // @ts-expect-error schema
    void createSyncLayer({ baseUrl: url, collections: { todos: { shcema: Todo } } });
    // @ts-expect-error filter, beside a key that is right
    void createSyncLayer({ baseUrl: url, collections: { todos: { schema: Todo, fliter: {} } } });
    // @ts-expect-error limit
    void createSyncLayer({ baseUrl: url, collections: { todos: { schema: Todo, filter: { where: {}, limt: 1 } } } });
    // @ts-expect-error in any collection
    void createSyncLayer({ baseUrl: url, collections: { todos: { schema: Todo }, notes: { shcema: Todo } } });
    // @ts-expect-error limit
    void createSyncLayer({ baseUrl: url, collections, syncFilters: { todos: { limt: 1 } } });
    // @ts-expect-error minLevel
    void createSyncLayer({ baseUrl: url, collections, logger: { minLevle: 'debug' } });
    // @ts-expect-error name
    void createSyncLayer({ baseUrl: url, collections, store: { type: 'indexeddb', nmae: 'a' } });
    // @ts-expect-error a Standard Schema
    void createSyncLayer({ baseUrl: url, collections: { todos: { schema: 5 } } });
  });

  test('in SyncLayer.init, createSwitchover and a configuration by itself', () => {
    // @ts-expect-error schema
    void SyncLayer.init({ baseUrl: url, collections: { todos: { schema: Todo, shcema: Todo } } });
    const from = { baseUrl: url, collections: { todos: { schema: Todo } } };
    // @ts-expect-error schema
    void createSwitchover({ read: () => 'from', from, to: { baseUrl: url, collections: { todos: { shcema: Todo } } } });
    // @ts-expect-error schema
    const config: SyncLayerConfig = { baseUrl: url, collections: { todos: { shcema: Todo } } };
    void createSyncLayer(config);
  });
});

describe('what is not known when the app is built', () => {
  test('JSON.parse gives a configuration for any names', () => {
    const made = createSyncLayer(JSON.parse('{}'));
    const read = (sync: Awaited<typeof made>) => sync.collection('whatever');
    expectTypeOf(read).returns.toEqualTypeOf<Collection<Row, Row>>();
  });

  test('a file of JSON, or any value, is said to be one', () => {
    const file = { transport: { type: 'supabase', url, key: 'k' }, collections: ['todos'] };
    // @ts-expect-error a type that is any string may be none
    void createSyncLayer(file);
    const made = createSyncLayer(file as SyncLayerConfig);
    const read = (sync: Awaited<typeof made>) => sync.collection('whatever');
    expectTypeOf(read).returns.toEqualTypeOf<Collection<Row, Row>>();
    const unknown: unknown = file;
    void createSyncLayer(unknown as SyncLayerConfig);
  });

  test('the environment fits, with schemas too', () => {
    void createSyncLayer({ ...fromEnv(), collections });
    const made = createSyncLayer({ ...fromEnv(), collections: { todos: { schema: Todo } } });
    const save = (sync: Awaited<typeof made>) => sync.collection('todos').save({ text: 'a' });
    expectTypeOf(save).returns.resolves.toBeString();
  });

  test('a configuration that is checked where it is written keeps its schemas', () => {
    const config = { baseUrl: url, collections: { todos: { schema: Todo } } } satisfies SyncLayerConfig;
    const made = createSyncLayer(config);
    const texts = async (sync: Awaited<typeof made>) =>
      (await sync.collection('todos').getAll()).map((row) => row.text);
    expectTypeOf(texts).returns.resolves.toEqualTypeOf<string[]>();
  });
});

test('createSwitchover hands out instances with the types of its configurations', () => {
  const make = () =>
    createSwitchover({
      read: () => 'from',
      from: { baseUrl: url, collections: { todos: { schema: Todo } } },
      to: { transport: memoryTransport(), collections: { todos: { schema: Todo } } },
      onSwitch: (sync) => sync.collection('todos').save({ text: 'a' }),
    });
  const use = (app: Awaited<ReturnType<typeof make>>) => {
    // @ts-expect-error text is a string
    void app.sync.collection('todos').save({ text: 1 });
    return app.sync;
  };
  expectTypeOf(use).returns.toExtend<SyncLayerInstance>();
});
