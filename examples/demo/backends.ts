import { createSyncServer, sqliteServerStore } from '../../src/server/index.js';
import type { Todo } from './todo.js';

export interface BackendOptions {
  /** The database file; made if it is missing. */
  readonly db: string;
  /** What an empty database starts with. */
  readonly seed: readonly Todo[];
}

export interface RunningBackend {
  /** Where the wires of the devices lead. */
  readonly target: URL;
  close(): Promise<void>;
}

export interface Backend {
  /** What the page shows. */
  readonly title: string;
  /** The `transport` of createSyncLayer, but for the `url`: each device has its own wire. */
  readonly transport: { readonly type: string };
  start(options: BackendOptions): Promise<RunningBackend>;
}

/** The backends that the demo can run on. The page is the same for all of them. */
export const backends: Readonly<Record<string, Backend>> = {
  websocket: {
    title: 'WebSocket, SQLite',
    transport: { type: 'websocket' },
    async start({ db, seed }) {
      const server = await createSyncServer({ store: sqliteServerStore({ path: db }), collections: ['todos'] });
      const todos = server.collection('todos');
      if (todos.count() === 0) for (const [index, todo] of seed.entries()) todos.save(`todo-${index + 1}`, todo);
      return { target: new URL(server.url), close: server.close };
    },
  },
};

/** Throws an Error that lists what there is. */
export function backendNamed(name: string): Backend {
  const backend = Object.hasOwn(backends, name) ? backends[name] : undefined;
  if (backend) return backend;
  throw new Error(`There is no backend "${name}" yet. Available: ${Object.keys(backends).join(', ')}.`);
}
