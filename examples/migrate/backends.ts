import { placeOf, setupSql } from '../../adapters/supabase/doctor/setup.js';
import type { SyncLayerConfig } from '../../src/index.js';
import { createSyncServer } from '../../src/server/index.js';
import { startEmulator } from '../../test/peers/firestore/start-emulator.js';
import { startSupabasePeer } from '../../test/peers/supabase/index.js';

/** A backend on this machine, and the configuration that leads to it. */
export interface LocalBackend {
  readonly config: Pick<SyncLayerConfig<readonly ['todos']>, 'transport' | 'collections'>;
  close(): Promise<void>;
}

const collections = ['todos'] as const;

/** The backends that the example can move between. */
export const backends: Readonly<Record<string, () => Promise<LocalBackend>>> = {
  async websocket() {
    const server = await createSyncServer();
    return { config: { transport: { type: 'websocket', url: server.url }, collections }, close: server.close };
  },
  async supabase() {
    const options = { todos: { deletedAt: 'deleted_at' } };
    const peer = await startSupabasePeer({
      schema: `create table todos (id text primary key, text text not null, done boolean not null);
        ${setupSql([placeOf('todos', options.todos)], 'postgres_changes')}
        grant all on todos to anon`,
    });
    const transport = { type: 'supabase' as const, url: peer.url, key: peer.anonKey, collections: options };
    return { config: { transport, collections }, close: peer.close };
  },
  async firestore() {
    const emulator = await startEmulator();
    const transport = {
      type: 'firestore' as const,
      config: { projectId: 'example' },
      emulator: `${emulator.host}:${emulator.port}`,
      collections: { todos: { deletedAt: 'deletedAt' } },
    };
    return { config: { transport, collections }, close: emulator.close };
  },
};
