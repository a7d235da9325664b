import { hasuraTools } from '../../adapters/hasura/doctor/index.js';
import { placeOf, setupSql } from '../../adapters/supabase/doctor/setup.js';
import { createSyncServer, sqliteServerStore } from '../../src/server/index.js';
import { startAppsyncPeer } from '../../test/peers/appsync/index.js';
import { startEmulator } from '../../test/peers/firestore/start-emulator.js';
import { startHasuraPeer } from '../../test/peers/hasura/index.js';
import { startSupabasePeer } from '../../test/peers/supabase/index.js';
import type { Todo } from './todo.js';

export interface BackendOptions {
  /** The database file, where the backend has one; made if it is missing. */
  readonly db: string;
  /** What an empty database starts with. */
  readonly seed: readonly Todo[];
}

export interface RunningBackend {
  /** Where the wires of the devices lead. */
  readonly target: URL;
  /** Left out: a path of the page's own server is a wire. */
  readonly wires?: 'ports';
  /** The `transport` of createSyncLayer, but for the address: each device has its own wire. */
  readonly transport: { readonly type: string };
  close(): Promise<void>;
}

export interface Backend {
  /** What the page shows. */
  readonly title: string;
  start(options: BackendOptions): Promise<RunningBackend>;
}

/** The backends that the demo can run on. The page is the same for all of them. */
export const backends: Readonly<Record<string, Backend>> = {
  websocket: {
    title: 'WebSocket, SQLite',
    async start({ db, seed }) {
      const server = await createSyncServer({ store: sqliteServerStore({ path: db }), collections: ['todos'] });
      const todos = server.collection('todos');
      if (todos.count() === 0) for (const [index, todo] of seed.entries()) todos.save(`todo-${index + 1}`, todo);
      return { target: new URL(server.url), transport: { type: 'websocket' }, close: server.close };
    },
  },
  supabase: {
    title: 'Supabase, on a PostgreSQL of this machine',
    async start({ seed }) {
      const collections = { todos: { deletedAt: 'deleted_at', opId: 'op_id', editedAt: 'edited_at' } };
      const peer = await startSupabasePeer({
        schema: `create table todos (id text primary key, text text not null, done boolean not null, "addedAt" bigint not null);
          ${setupSql([placeOf('todos', collections.todos)], 'postgres_changes')}
          grant all on todos to anon`,
      });
      const insert = 'insert into todos (id, text, done, "addedAt") values ($1, $2, $3, $4)';
      for (const [index, { text, done, addedAt }] of seed.entries())
        await peer.sql(insert, [`todo-${index + 1}`, text, done, addedAt]);
      const transport = { type: 'supabase', key: peer.anonKey, collections };
      return { target: new URL(peer.url), transport, close: peer.close };
    },
  },
  firestore: {
    title: 'Firestore, on an emulator of this machine',
    async start({ seed }) {
      const emulator = await startEmulator();
      const projectId = 'demo';
      const todos = seed.map((todo, index) => [`todos/todo-${index + 1}`, todo] as const);
      await emulator.project(projectId).writeAll(new Map(todos));
      const collections = { todos: { deletedAt: 'deletedAt', opId: 'opId', editedAt: 'editedAt' } };
      return {
        target: new URL(`http://${emulator.host}:${emulator.port}`),
        wires: 'ports',
        // The SDK takes ten seconds to notice a cut; to ask often costs nothing here.
        transport: { type: 'firestore', config: { projectId, apiKey: 'none' }, collections, heartbeatInterval: 1000 },
        close: emulator.close,
      };
    },
  },
  hasura: {
    title: 'Hasura, on a PostgreSQL of this machine',
    async start({ seed }) {
      const fields = ['text', 'done', 'addedAt'];
      const collections = { todos: { fields, deletedAt: 'deleted_at', opId: 'op_id', editedAt: 'edited_at' } };
      const marks = ['op_id', 'edited_at'];
      const setup = hasuraTools.setup({
        transport: { url: 'http://127.0.0.1/v1/graphql', collections },
        collections: ['todos'],
      });
      const peer = await startHasuraPeer({
        schema: `create table todos (id text primary key, text text not null, done boolean not null, "addedAt" bigint not null);
          ${setup}`,
        // Nobody signs in here.
        unauthorizedRole: 'user',
        permissions: {
          user: {
            todos: {
              select: { columns: '*', filter: {} },
              insert: { columns: ['id', ...fields, ...marks], check: {} },
              update: { columns: [...fields, ...marks, 'deleted_at'], filter: {} },
            },
          },
        },
      });
      const insert = 'insert into todos (id, text, done, "addedAt") values ($1, $2, $3, $4)';
      for (const [index, { text, done, addedAt }] of seed.entries())
        await peer.sql(insert, [`todo-${index + 1}`, text, done, addedAt]);
      return { target: new URL(peer.url), transport: { type: 'hasura', collections }, close: peer.close };
    },
  },
  appsync: {
    title: 'AppSync, by an API of this machine that speaks its protocol',
    async start({ seed }) {
      const apiKey = 'da2-demo';
      const fields = { text: 'String', done: 'Boolean', addedAt: 'Float' };
      const model = { name: 'Todo', fields: { ...fields, editedAt: 'AWSDateTime' }, versioned: true };
      const peer = await startAppsyncPeer({ auth: { apiKey }, models: [model] });
      for (const [index, todo] of seed.entries()) peer.write('Todo', `todo-${index + 1}`, { ...todo });
      const collections = {
        todos: { table: 'Todo', fields: Object.keys(fields), versioned: true, editedAt: 'editedAt' },
      };
      const transport = { type: 'appsync', auth: { type: 'apiKey', apiKey }, collections };
      return { target: new URL(peer.endpoint), transport, close: peer.close };
    },
  },
};

/** Throws an Error that lists what there is. */
export function backendNamed(name: string): Backend {
  const backend = Object.hasOwn(backends, name) ? backends[name] : undefined;
  if (backend) return backend;
  throw new Error(`There is no backend "${name}" yet. Available: ${Object.keys(backends).join(', ')}.`);
}
