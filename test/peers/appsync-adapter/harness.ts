import { onTestFinished } from 'vitest';
import {
  type AppsyncCollection,
  type AppsyncTransportOptions,
  appsyncTransport,
} from '../../../adapters/appsync/index.js';
import type { Row } from '../../../src/base/change.js';
import { createSyncLayer, type SyncLayerConfig, type SyncLayerError } from '../../../src/index.js';
import { type AppsyncPeer, type AppsyncPeerOptions, type Model, startAppsyncPeer } from '../appsync/index.js';
import { until } from '../until.js';

export const KEY = 'da2-of-these-tests';
const fields = { text: 'String', done: 'Boolean', count: 'Int', owner: 'String' };

/** `todos` and `notes` with conflict detection, `tasks` and `memos` without. */
export const models: readonly Model[] = [
  ...['Todo', 'Note'].map((name) => ({ name, fields, refuses: { text: 'refused' }, versioned: true })),
  ...['Task', 'Memo'].map((name) => ({ name, fields, refuses: { text: 'refused' } })),
];

const model = (name: string, versioned: boolean): AppsyncCollection => ({
  table: name,
  fields: ['text', 'done', 'count'],
  versioned,
});

export const collections: Readonly<Record<string, AppsyncCollection>> = {
  todos: model('Todo', true),
  notes: model('Note', true),
  tasks: model('Task', false),
  memos: model('Memo', false),
};

/** A peer for one test. `ka` comes every 50 ms, and 400 ms of silence are too much. */
export async function openPeer(options: Partial<AppsyncPeerOptions> = {}): Promise<AppsyncPeer> {
  const auth = { apiKey: KEY, secret: 'a secret of these tests' };
  const peer = await startAppsyncPeer({ models, auth, keepAlive: 50, connectionTimeout: 400, ...options });
  onTestFinished(() => peer.close());
  return peer;
}

export interface ClientOptions {
  readonly transport?: Partial<AppsyncTransportOptions>;
  readonly config?: Partial<Omit<SyncLayerConfig, 'transport' | 'collections'>>;
}

/** A SyncLayer over the API. It is closed when the test ends. */
export async function openClient(
  { endpoint }: Pick<AppsyncPeer, 'endpoint'>,
  names: readonly string[],
  { transport, config }: ClientOptions = {},
) {
  const errors: SyncLayerError[] = [];
  const told: { type: string; recordId: string; data?: Row }[] = [];
  const sync = await createSyncLayer({
    syncInterval: 3_600_000,
    auditInterval: 3_600_000,
    websocketReconnectDelay: 20,
    maxReconnectDelay: 100,
    connectTimeout: 1000,
    ...config,
    collections: names,
    transport: appsyncTransport({
      url: endpoint,
      auth: { type: 'apiKey', apiKey: KEY },
      collections: Object.fromEntries(names.map((name) => [name, collections[name] ?? model(name, false)])),
      subscribeTimeout: 500,
      ...transport,
    }),
  });
  onTestFinished(() => sync.close());
  sync.events.on('error', ({ error }) => void errors.push(error));
  for (const type of ['Insert', 'Update', 'Delete'] as const)
    sync.events.on(`realtime${type}`, (event) => void told.push({ type, ...event }));
  const rows = async (name = names[0] ?? ''): Promise<Map<string, Row>> =>
    new Map((await sync.collection(name).getAll()).map((row) => [row.id as string, row]));
  const codes = (): string[] => errors.map(({ code }) => code);
  const state = () => [sync.inspect(), errors.slice(-3).map(({ code, message }) => `${code}: ${message}`)];
  const live = (): Promise<void> =>
    until('live', () => sync.status.phase === 'live' && sync.status.pending === 0, state);
  return { sync, errors, codes, told, rows, live, state };
}

/** A mutation of another client, whatever it selects. */
export async function mutate(
  peer: Pick<AppsyncPeer, 'endpoint'>,
  query: string,
  variables: object = {},
): Promise<unknown> {
  const response = await fetch(peer.endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY, connection: 'close' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: unknown; errors?: readonly { message: string }[] };
  if (errors) throw new Error(errors.map(({ message }) => message).join());
  return data;
}
