import { setLogLevel } from 'firebase/firestore';
import { onTestFinished } from 'vitest';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import type { FirestoreTransportOptions } from '../../../adapters/firestore/options.js';
import { createSyncLayer, type SyncLayerConfig } from '../../../src/index.js';
import { createTcpProxy, type TcpProxy } from '../../../src/testing/index.js';
import type { Hand } from '../firestore/hand.js';
import type { Emulator } from '../firestore/start-emulator.js';

// The SDK's warnings about lines that are cut.
setLogLevel('silent');

/** What an app was told: `insert a`, `update a`. */
export const kinds = ['Insert', 'Update', 'Delete'] as const;

/** A proxy that ends with the test. */
export async function startLine(emulator: Emulator): Promise<TcpProxy> {
  const line = await createTcpProxy({ port: emulator.port });
  onTestFinished(() => line.close());
  return line;
}

/** An app with the collection `todos`; it is closed when the test ends. */
export async function openClient(
  projectId: string,
  port: number,
  {
    collections,
    ...transport
  }: Pick<FirestoreTransportOptions, 'collections' | 'heartbeatInterval' | 'requestTimeout'> = {},
  config: Partial<Omit<SyncLayerConfig, 'transport' | 'collections'>> = {},
) {
  const sync = await createSyncLayer({
    transport: firestoreTransport({
      config: { projectId },
      emulator: `127.0.0.1:${port}`,
      collections: collections ?? { todos: { deletedAt: 'deletedAt' } },
      ...transport,
    }),
    collections: ['todos'],
    // Nothing but the listeners and what follows a loss may bring a change.
    syncInterval: 3_600_000,
    auditInterval: 3_600_000,
    ...config,
  });
  onTestFinished(() => sync.close());
  const told: string[] = [];
  const errors: string[] = [];
  for (const kind of kinds)
    sync.events.on(`realtime${kind}`, ({ recordId }) => void told.push(`${kind.toLowerCase()} ${recordId}`));
  sync.events.on('error', ({ error }) => void errors.push(error.code));
  const todos = sync.collection('todos');
  const live = (): boolean => sync.status.phase === 'live' && sync.status.pending === 0;
  return {
    sync,
    todos,
    told,
    errors,
    async live() {
      if (!live()) await sync.events.once('statusChanged', live);
    },
    /** The text of each row. */
    rows: async () => new Map((await todos.getAll()).map(({ id, text }) => [id, text])),
  };
}

export type Client = Awaited<ReturnType<typeof openClient>>;

/** The text of each document that is not marked as deleted. */
export async function stored(hand: Hand, path = 'todos'): Promise<Map<string, unknown>> {
  const documents = await hand.list(path);
  return new Map(
    documents.flatMap(({ name, fields = {} }) =>
      fields.deletedAt ? [] : [[name.slice(name.lastIndexOf('/') + 1), fields.text?.stringValue]],
    ),
  );
}
