import { setLogLevel } from 'firebase/firestore';
import { firestoreTransport } from '../../adapters/firestore/index.js';
import { createSyncLayer } from '../../src/index.js';

// The SDK's warnings about lines that are cut.
setLogLevel('silent');

type Texts = Record<string, unknown>;

/** An app on this page with the collection `todos`. */
async function device(projectId: string, port: number, heartbeatInterval: number) {
  const sync = await createSyncLayer({
    transport: firestoreTransport({
      config: { projectId },
      emulator: `127.0.0.1:${port}`,
      heartbeatInterval,
      collections: { todos: { deletedAt: 'deletedAt' } },
    }),
    collections: ['todos'],
    // Nothing but the listeners and what follows a loss may bring a change.
    syncInterval: 3_600_000,
    auditInterval: 3_600_000,
  });
  const told: string[] = [];
  for (const kind of ['Insert', 'Update', 'Delete'] as const)
    sync.events.on(`realtime${kind}`, ({ recordId }) => void told.push(`${kind.toLowerCase()} ${recordId}`));
  let losses = 0;
  sync.events.on('realtimeDisconnected', () => void losses++);
  const todos = sync.collection('todos');
  return {
    told: () => told,
    losses: () => losses,
    live: () => sync.status.phase === 'live' && sync.status.pending === 0,
    save: (id: string, text: string) => todos.save({ text }, id),
    delete: (id: string) => todos.delete(id),
    rows: async (): Promise<Texts> => Object.fromEntries((await todos.getAll()).map(({ id, text }) => [id, text])),
    close: () => sync.close(),
  };
}

const kit = { device };

declare global {
  var firestoreKit: typeof kit;
  var mine: Awaited<ReturnType<typeof device>>;
}
globalThis.firestoreKit = kit;
