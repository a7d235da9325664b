import { onTestFinished } from 'vitest';
import { supabaseTransport } from '../../../adapters/supabase/index.js';
import type { SupabaseTransportOptions } from '../../../adapters/supabase/options.js';
import type { Row } from '../../../src/base/change.js';
import { createSyncLayer, type SyncLayerConfig, type SyncLayerError } from '../../../src/index.js';
import { until } from '../until.js';
import type { Project } from './peer.js';

/** A SyncLayer over the project's tables. It is closed when the test ends. */
export async function openClient(
  project: Project,
  collections: readonly string[],
  options: Partial<SupabaseTransportOptions> = {},
  config: Partial<Omit<SyncLayerConfig, 'transport' | 'collections'>> = {},
) {
  const transport = supabaseTransport({
    ...(options.client ? {} : { url: project.url, key: project.anonKey, heartbeatInterval: 300 }),
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
    collections,
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

/** The last event of each row is its newest, and none was told twice: what no app may see. */
export function toldOnce(told: readonly { type: string; recordId: string; data?: Row }[]): string[] {
  const last = new Map<string, string>();
  return told.flatMap(({ type, recordId, data }) => {
    const now = JSON.stringify([type === 'Delete', data]);
    const again = last.get(recordId) === now;
    last.set(recordId, now);
    return again ? [`${type} ${recordId}`] : [];
  });
}
