import type { Change, Row } from '../../base/change.js';
import type { SyncLayerError } from '../../base/errors.js';
import { deepEqual } from '../../base/json.js';
import type { Collection } from '../../collection.js';
import type { SyncLayerInstance } from '../../instance.js';
import type { SyncEvents } from '../../observe/events.js';
import { createSyncLayer } from '../../sync-layer.js';
import { type PullOne, readPages } from '../../transport/read.js';
import type {
  ChangeSink,
  Cursor,
  PullPage,
  RealtimeTransport,
  TransportCapabilities,
} from '../../transport/transport.js';
import { type Faults, withFaults } from '../faults.js';
import { check, difference, equal, fail, until } from './check.js';
import { openHandles } from './handles.js';
import type { ConformanceBackend, ConformanceOptions, ConformanceRow, OpenOptions } from './options.js';

const DATA_EVENTS = ['remoteInsert', 'remoteUpdate', 'remoteDelete'] as const;

/** A change that the app was told of. */
export interface Told {
  readonly type: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly recordId: string;
  readonly data?: Row;
}

/** A SyncLayer over the transport, and what came out of it. */
export interface Client {
  readonly sync: SyncLayerInstance<readonly string[]>;
  readonly faults: Faults;
  readonly first: Collection<ConformanceRow>;
  readonly second: Collection<ConformanceRow>;
  readonly told: readonly Told[];
  readonly errors: readonly SyncLayerError[];
  /** Everything is caught up, live and sent. */
  live(): Promise<void>;
  rows(collection?: string): Promise<Map<string, Row>>;
  close(): Promise<void>;
}

/** A transport alone, with what its subscriptions said. */
export interface Bare {
  readonly transport: RealtimeTransport;
  subscribe(collection: string): { readonly said: ('live' | 'gap' | 'error' | Change)[]; readonly stop: () => void };
  /** All pages from a cursor to the empty one. */
  pullAll(
    from?: Cursor | null,
    limit?: number,
  ): Promise<{ rows: Map<string, Change>; pages: PullPage[]; cursor: Cursor }>;
}

/** Without the id, which is the key, and without fields of the backend's own. */
const withoutExtras = ({ text, done, count }: Row): Row => ({ text, done, count });

/** The same row twice in a row, or an older one after a newer: what an app must never be told. */
function unwanted(told: readonly Told[]): string | undefined {
  const last = new Map<string, Told>();
  for (const event of told) {
    const key = `${event.collection}/${event.recordId}`;
    const before = last.get(key);
    last.set(key, event);
    const [old, now] = [before?.data?.count as number | undefined, event.data?.count as number | undefined];
    const what = `${event.type} of ${key}`;
    if (event.type === 'delete' && before?.type === 'delete') return `${what} was told twice`;
    if (event.type === 'insert' && before && before.type !== 'delete')
      return `${what} was told of a row that was there`;
    if (old === undefined || now === undefined) continue;
    if (now < old) return `${what} went back from ${old} to ${now}`;
    if (deepEqual(event.data, before?.data)) return `${what} was told twice, with count ${now}`;
  }
  return undefined;
}

/** What a scenario works with: a backend, clients, and the means to wait and compare. */
export async function createBench<B extends ConformanceBackend>(options: ConformanceOptions<B>) {
  const [first, second] = options.collections ?? (['todos', 'notes'] as const);
  const deadline = Date.now() + (options.timeout ?? 60_000) - 1000;
  const backend = await options.backend();
  const before = openHandles();
  const clients: Client[] = [];
  /** What subscriptions of a bare transport ended with. */
  const ended: string[] = [];
  const closers: (() => Promise<void>)[] = [];
  let count = 0;

  const wait = (what: string, test: () => boolean | Promise<boolean>, state?: () => unknown): Promise<void> =>
    until(what, test, { deadline, ...(state && { state }) });

  async function open(
    { authToken, config, single }: OpenOptions = {},
    setFaults?: (faults: Faults) => void,
  ): Promise<Client> {
    const { transport, faults } = withFaults(await options.create(backend));
    setFaults?.(faults);
    const token = authToken ?? (options.auth && (async () => options.auth?.valid(backend)));
    const sync = await createSyncLayer({
      // Nothing but what the scenario does may bring a change.
      syncInterval: 3_600_000,
      auditInterval: 3_600_000,
      websocketReconnectDelay: 20,
      maxReconnectDelay: 200,
      connectTimeout: 2000,
      ...options.config,
      ...config,
      ...(token && { authToken: token }),
      collections: single ? [first] : [first, second],
      transport,
    });
    const told: Told[] = [];
    const errors: SyncLayerError[] = [];
    for (const name of DATA_EVENTS)
      sync.events.on(name, (event: SyncEvents[typeof name]) =>
        told.push({ type: name.slice('remote'.length).toLowerCase() as Told['type'], ...event }),
      );
    sync.events.on('error', ({ error }) => void errors.push(error));
    const client: Client = {
      sync,
      faults,
      first: sync.collection<ConformanceRow>(first),
      // biome-ignore lint/style/noNonNullAssertion: asked for only where it was opened
      second: single ? undefined! : sync.collection<ConformanceRow>(second),
      told,
      errors,
      live: () =>
        wait(
          'live, with nothing to send',
          () => sync.status.phase === 'live' && sync.status.pending === 0,
          () => ({ ...sync.inspect(), errors: errors.slice(-3).map(({ code, message }) => `${code}: ${message}`) }),
        ),
      rows: async (collection = first) =>
        new Map((await sync.collection(collection).getAll()).map((row) => [row.id as string, withoutExtras(row)])),
      close: () => sync.close(),
    };
    clients.push(client);
    return client;
  }

  const bench = {
    options,
    backend,
    names: { first, second },
    capabilities: options.capabilities as TransportCapabilities,
    wait,
    open,
    /** A client that is caught up and live. */
    async client(opening?: OpenOptions, setFaults?: (faults: Faults) => void): Promise<Client> {
      const client = await open(opening, setFaults);
      await client.live();
      return client;
    },
    /** What a failure may come from: why subscriptions ended, and the last errors of clients. */
    causes: (): readonly string[] => [
      ...ended,
      ...clients.flatMap(({ errors }) =>
        errors.slice(-3).map(({ code, message }) => `A client reported ${code}: ${message}`),
      ),
    ],
    /** Another client writes a row. Each write counts one more. */
    async put(id: string, { collection = first, ...write }: { collection?: string; age?: number; text?: string } = {}) {
      const { text = `text of ${id}`, age } = write;
      const row = { text, done: false, count: ++count };
      await backend.write(collection, id, row, age === undefined ? {} : { age });
      return row;
    },
    async putMany(ids: readonly string[]): Promise<void> {
      for (let from = 0; from < ids.length; from += 100)
        await Promise.all(ids.slice(from, from + 100).map((id) => bench.put(id)));
    },
    remove: (id: string, collection = first): Promise<void> => backend.delete(collection, id),
    nextRow: (text = 'mine'): ConformanceRow => ({ text, done: false, count: ++count }),
    /** Waits until a client holds exactly what the backend holds. */
    async same(...those: readonly Client[]): Promise<void> {
      for (const client of those)
        for (const collection of client.sync.inspect().collections[second] ? [first, second] : [first]) {
          let unlike: string | undefined;
          const compare = async (): Promise<boolean> => {
            const expected = new Map(
              [...(await backend.read(collection))].map(([id, row]) => [id, withoutExtras(row)]),
            );
            unlike = difference(await client.rows(collection), expected);
            return unlike === undefined;
          };
          await wait(`the client's ${collection} are the backend's`, compare, () => ({
            unlike,
            ...client.sync.inspect(),
            errors: client.errors.slice(-3).map(({ code, message }) => `${code}: ${message}`),
          }));
        }
    },
    /** Whatever happens now, a closed client is told nothing of it. */
    async nothingMore({ told, errors }: Client, action: () => Promise<unknown>): Promise<void> {
      const before = [told.length, errors.length];
      await action();
      equal([told.length, errors.length], before, 'Changes and errors that were told after the close.');
    },
    /** A transport of its own, connected. */
    async bare(): Promise<Bare> {
      const transport = await options.create(backend);
      closers.push(() => transport.close());
      transport.attach?.({
        authToken: async (own) => {
          if (options.auth) return options.auth.valid(backend);
          return typeof own === 'function' ? own() : own;
        },
        log: () => undefined,
        traffic: () => undefined,
        report: () => undefined,
      });
      const { signal } = new AbortController();
      await transport.connect({ signal });
      return {
        transport,
        subscribe(collection) {
          const said: ('live' | 'gap' | 'error' | Change)[] = [];
          const sink: ChangeSink = {
            change: (change) => void said.push(change),
            live: () => void said.push('live'),
            gap: () => void said.push('gap'),
            error(error) {
              said.push('error');
              ended.push(`The subscription to "${collection}" had ended with ${error?.code}: ${error?.message}`);
            },
          };
          return { said, stop: transport.subscribe({ collection }, sink) };
        },
        async pullAll(from = null, limit = 100) {
          const rows = new Map<string, Change>();
          const pages: PullPage[] = [];
          const pull: PullOne = (at, start) => transport.pull({ collection: first, cursor: at, start, limit, signal });
          let cursor: Cursor = from;
          for await (const page of readPages(pull, from, signal)) {
            pages.push(page);
            cursor = page.cursor;
            for (const change of page.changes) rows.set(change.recordId, change);
            if (pages.length > 1000) fail('The pull never came to an empty page.');
          }
          return { rows, pages, cursor };
        },
      };
    },
    /** The end of every scenario: nothing was told twice or went back, nothing is said after the close, nothing is left. */
    async finish(): Promise<void> {
      for (const { told } of clients) {
        const wrong = unwanted(told);
        if (wrong) fail(`An app was told what it must not be: ${wrong}.`);
      }
      await bench.release();
      for (const { sync } of clients) check(sync.status.phase === 'closed', 'A closed client says that it is not.');
      const left = (): string[] => moreThan(openHandles(), before);
      await wait('no timer and no socket is left after the close', () => left().length === 0, left);
    },
    /** Closes all, whatever happened. */
    async release(): Promise<void> {
      for (const { close } of clients) await close();
      for (const close of closers.splice(0)) await close();
    },
  };
  return bench;
}

/** What `now` has beyond `then`, each kind counted. */
function moreThan(now: readonly string[], then: readonly string[]): string[] {
  const left = [...then];
  return now.filter((kind) => {
    const at = left.indexOf(kind);
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
}

export type Bench = Awaited<ReturnType<typeof createBench>>;
