import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import type { Change, Row } from '../../../src/base/change.js';
// Loaded when they are used, which on a busy machine takes longer than the turns that a test waits.
import '../../../src/sync/audit.js';
import '../../../src/sync/audit-pace.js';
import '../../../src/sync/push-trouble.js';
import {
  createSyncLayer,
  type EventName,
  type LocalStore,
  type StoreWrite,
  type SyncEvents,
  type SyncLayerConfig,
  SyncLayerError,
  type SyncLayerInstance,
} from '../../../src/index.js';
import {
  type MemoryBackend,
  type MemoryTransportOptions,
  type MemoryWire,
  memoryBackend,
  memoryTransport,
} from '../../../src/testing/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';

type Todos = readonly ['todos'];
export type Sync = SyncLayerInstance<Todos>;
type Wrap = (transport: RealtimeTransport) => RealtimeTransport;

export interface OpenOptions extends MemoryTransportOptions {
  /** Anything of the configuration. Reconnecting takes no time unless it says so. */
  readonly config?: Omit<Partial<SyncLayerConfig>, 'transport'>;
  /** Sets the wire before anything is called. */
  readonly wire?: (wire: MemoryWire) => unknown;
  /** Puts something in front of the transport. */
  readonly wrap?: Wrap;
}

export interface Client {
  readonly sync: Sync;
  readonly todos: ReturnType<Sync['collection']>;
  readonly backend: MemoryBackend;
  readonly wire: MemoryWire;
}

/** A SyncLayer with one collection over a memory backend. Closed at the end of the test. */
export async function open({ config, wire, wrap = (same) => same, ...options }: OpenOptions = {}): Promise<Client> {
  const transport = memoryTransport(options);
  wire?.(transport.wire);
  const sync = (await createSyncLayer({
    websocketReconnectDelay: 0,
    collections: ['todos'] as const,
    ...config,
    transport: wrap(transport),
  } as SyncLayerConfig<Todos>)) as Sync;
  onTestFinished(() => closed(sync));
  return { sync, todos: sync.collection('todos'), backend: transport.backend, wire: transport.wire };
}

/** `open`, once all is caught up and live. */
export async function openLive(options: OpenOptions = {}): Promise<Client> {
  const client = await open(options);
  await live(client);
  return client;
}

/** A backend with these rows of `todos`. */
export function backendWith(rows: Readonly<Record<string, Row>>, options?: Parameters<typeof memoryBackend>[0]) {
  const backend = memoryBackend(options);
  for (const [id, row] of Object.entries(rows)) backend.write('todos', id, row);
  return backend;
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets everything that is ready run: nothing in a test's backend takes longer. */
export async function settle(turns = 20): Promise<void> {
  for (let count = 0; count < turns; count++) await turn();
}

/** Waits, turn by turn, until it is so; the test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  // At least one turn: what a test has just asked for is then under way.
  do await turn();
  while (!condition());
}

export const live = ({ sync }: Pick<Client, 'sync'>): Promise<void> => until(() => sync.status.phase === 'live');

/** Does something that makes the client catch up, and waits until it has. */
export async function caughtUpAfter(client: Pick<Client, 'sync'>, action: () => void): Promise<void> {
  const again = client.sync.events.once('realtimeSync');
  action();
  await again;
  await live(client);
}

/** What the app sees, by id. */
export async function rowsOf({ todos }: Pick<Client, 'todos'>): Promise<Record<string, Row>> {
  return Object.fromEntries((await todos.getAll()).map((row) => [row.id, row as Row]));
}

export const backendRows = ({ backend }: Pick<Client, 'backend'>): Record<string, Row> =>
  Object.fromEntries(backend.rows('todos'));

export const cursorOf = ({ sync }: Pick<Client, 'sync'>): unknown => sync.inspect().collections.todos?.cursor;

export type Recorded = { [N in EventName]: { readonly name: N; readonly event: SyncEvents[N] } }[EventName];

/** Everything of these names that is emitted from now on, in order. */
export function record(sync: Pick<Sync, 'events'>, ...names: readonly EventName[]): Recorded[] {
  const list: Recorded[] = [];
  for (const name of names) sync.events.on(name, (event) => list.push({ name, event } as Recorded));
  return list;
}

export const DATA_EVENTS = ['remoteInsert', 'remoteUpdate', 'remoteDelete'] as const;

/** A promise that the test opens. */
export interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export function gate(): Gate {
  let release = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { opened, open: release };
}

/** Holds the answers of one method: the work is done, the answer waits for the gate. */
export const holdAnswers =
  (method: 'pull' | 'push' | 'fetch' | 'connect', opened: () => Promise<void> | void): Wrap =>
  (transport) => ({
    ...transport,
    [method]: async (...args: never[]) => {
      const answer: unknown = await (transport[method] as (...all: never[]) => Promise<unknown>)(...args);
      await opened();
      return answer;
    },
  });

/** A live change of `todos`, for `wire.inject`. */
export const change = (type: Change['type'], recordId: string, version: number | string, rest: object = {}): Change =>
  ({ type, collection: 'todos', recordId, version, ...rest }) as Change;

export const lost = (): SyncLayerError => new SyncLayerError('CONNECTION_LOST', 'The line was cut by the test.');

/** A folder of its own for a SQLite file, removed at the end. */
export function temporaryPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-laws-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'app.db');
}

/** A store behind a switch: what `fails` says is thrown at each commit; what was committed can be looked at. */
export function watchedStore(inner: LocalStore): LocalStore & {
  readonly commits: (readonly StoreWrite[])[];
  fails: (writes: readonly StoreWrite[]) => boolean;
} {
  return {
    ...inner,
    commits: [],
    fails: () => false,
    async commit(writes) {
      if (this.fails(writes)) throw new Error('the disk refused');
      await inner.commit(writes);
      this.commits.push(writes);
    },
  };
}

/** Closes; that the disk refused to the end is no news to the test that made it so. */
export async function closed(sync: Sync): Promise<void> {
  await sync.close().catch((error: unknown) => {
    if (!(error instanceof SyncLayerError && error.code === 'STORE_FAILED')) throw error;
  });
}

/** No `setTimeout` fires by itself any more; the test's own timeout and the turns of the loop are real. */
export function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Lets time pass, and everything that becomes ready in it run. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}
