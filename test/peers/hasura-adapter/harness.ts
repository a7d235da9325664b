import { onTestFinished } from 'vitest';
import { hasuraTransport } from '../../../adapters/hasura/index.js';
import type { HasuraCollection, HasuraTransportOptions } from '../../../adapters/hasura/options.js';
import type { Row } from '../../../src/base/change.js';
import { createSyncLayer, type SyncLayerConfig, type SyncLayerError } from '../../../src/index.js';
import { until } from '../until.js';

/** A SyncLayer over a peer's tables, as the admin unless `options` say otherwise. It is closed when the test ends. */
export async function openClient(
  peer: { readonly url: string; readonly adminSecret: string },
  collections: { readonly [collection: string]: HasuraCollection },
  options: Partial<HasuraTransportOptions> = {},
  config: Partial<Omit<SyncLayerConfig, 'transport' | 'collections'>> = {},
) {
  const transport = hasuraTransport({
    url: peer.url,
    heartbeatInterval: 1000,
    overlap: 1000,
    ...(!config.authToken && { headers: { 'x-hasura-admin-secret': peer.adminSecret } }),
    collections,
    ...options,
  });
  const errors: SyncLayerError[] = [];
  const told: { type: string; recordId: string; data?: Row }[] = [];
  const sync = await createSyncLayer({
    syncInterval: 3_600_000,
    auditInterval: 3_600_000,
    websocketReconnectDelay: 20,
    maxReconnectDelay: 200,
    ...config,
    collections: Object.keys(collections),
    transport,
  });
  onTestFinished(() => sync.close());
  sync.events.on('error', ({ error }) => void errors.push(error));
  for (const type of ['Insert', 'Update', 'Delete'] as const)
    sync.events.on(`realtime${type}`, (event) => void told.push({ type, ...event }));
  const rows = async (collection: string): Promise<Map<string, Row>> =>
    new Map((await sync.collection(collection).getAll()).map((row) => [row.id as string, row]));
  const live = (): Promise<void> =>
    until(
      'live',
      () => sync.status.phase === 'live' && sync.status.pending === 0,
      () => [sync.inspect(), errors.map(({ message }) => message)],
    );
  return { sync, errors, told, rows, live, transport };
}
