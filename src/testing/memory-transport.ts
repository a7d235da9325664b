import type { Change } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import type {
  AuthToken,
  ChangeSink,
  OutgoingChange,
  PullPage,
  PullRequest,
  PushResult,
  RealtimeTransport,
  RecordKey,
  TransportCapabilities,
  TransportHost,
  VersionRange,
} from '../transport/transport.js';
import { type MemoryBackend, type MemoryRecord, memoryBackend } from './memory-backend.js';

/** What a memory transport does, and what it does wrong on purpose. */
export interface MemoryTransportOptions {
  readonly backend?: MemoryBackend;
  readonly authToken?: AuthToken;
  /** What the pull's cursor counts. Default `sequence`. */
  readonly cursor?: TransportCapabilities['cursor'];
  /** Default `tombstones`. With `none` deletes are hard, and `keys` finds them. */
  readonly deletes?: TransportCapabilities['deletes'];
  /** Default true: the backend knows repeated opIds. */
  readonly idempotent?: boolean;
  /** Largest page, whatever `PullRequest.limit` asks for. */
  readonly pageCap?: number;
  /** True: it counts ranges of versions, as a backend does that charges for each row that it reads. Default false. */
  readonly counts?: boolean;
  /** How far a timestamp cursor steps back at the start of a catch-up, in ms. Default 10 000. */
  readonly overlap?: number;
}

/** The handles of a test on one transport. */
export interface MemoryWire {
  /** False: live events are lost without a word. */
  deliver: boolean;
  /** When a subscription becomes live. `manual`: at `goLive()`. */
  ack: 'at once' | 'manual';
  /** Live updates carry only these fields, marked partial. */
  partialFields: readonly string[] | undefined;
  /** Each live event comes this often. */
  copies: number;
  /** Called before each step (each page of `keys`), which fails with what this throws. `subscribe` cannot wait for it. */
  before: (
    step: 'connect' | 'subscribe' | 'pull' | 'push' | 'fetch' | 'keys' | 'count',
    detail?: PullRequest | readonly OutgoingChange[],
  ) => void | Promise<void>;
  /** Pushes are applied, then their answer is lost. */
  loseAnswers: boolean;
  /** Decides a push instead of the backend. */
  decide: ((change: OutgoingChange) => PushResult | undefined) | undefined;
  /** Ends every subscription. */
  cut(error?: SyncLayerError): void;
  gap(reason?: string): void;
  goLive(): void;
  /** Hands a change to the subscriptions as if the backend had sent it. */
  inject(change: Change): void;
  /** What was called, and how often. */
  readonly calls: Record<'connect' | 'subscribe' | 'pull' | 'push' | 'fetch' | 'keys' | 'count' | 'close', number>;
  readonly subscriptions: number;
}

const lost = (what: string): SyncLayerError =>
  new SyncLayerError('CONNECTION_LOST', `${what} was cut.`, { adapter: 'memory' });

/**
 * A transport to a `memoryBackend`: the reference of how one behaves, and a double for tests of an app.
 *
 * @example
 * const transport = memoryTransport();
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 * transport.backend.write('todos', '1', { text: 'From elsewhere' });
 * transport.wire.cut();
 */
export function memoryTransport(
  options: MemoryTransportOptions = {},
): RealtimeTransport & { readonly backend: MemoryBackend; readonly wire: MemoryWire } {
  const {
    backend = memoryBackend(),
    cursor = 'sequence',
    deletes = 'tombstones',
    overlap = 10_000,
    pageCap = Number.POSITIVE_INFINITY,
  } = options;
  const sinks = new Map<string, ChangeSink>();
  const calls: MemoryWire['calls'] = {
    connect: 0,
    subscribe: 0,
    pull: 0,
    push: 0,
    fetch: 0,
    keys: 0,
    count: 0,
    close: 0,
  };
  let host: TransportHost | undefined;
  let closed = false;

  const wire: MemoryWire = {
    deliver: true,
    ack: 'at once',
    partialFields: undefined,
    copies: 1,
    before() {},
    loseAnswers: false,
    decide: undefined,
    cut(error = lost('The connection')) {
      for (const sink of [...sinks.values()]) sink.error(error);
    },
    gap(reason = 'told by the test') {
      for (const sink of [...sinks.values()]) sink.gap(reason);
    },
    goLive() {
      for (const sink of [...sinks.values()]) sink.live();
    },
    inject: (change) => sinks.get(change.collection)?.change(change),
    calls,
    get subscriptions() {
      return sinks.size;
    },
  };

  const stopListening = backend.listen((change) => {
    if (!wire.deliver) return;
    for (let copy = 0; copy < wire.copies; copy++) sinks.get(change.collection)?.change(asDelivered(change));
  });

  function asDelivered(change: Change): Change {
    const fields = wire.partialFields;
    if (!fields || change.type !== 'update') return change;
    return {
      ...change,
      data: Object.fromEntries(Object.entries(change.data).filter(([field]) => fields.includes(field))),
      partial: true,
    };
  }

  const timesOf = ({ time, editedAt }: MemoryRecord) => ({
    timestamp: time,
    ...(editedAt !== undefined && { editedAt }),
  });

  const toChange = (collection: string, record: MemoryRecord): Change => {
    const { id, data, seq } = record;
    const base = { collection, recordId: id, version: seq, ...timesOf(record) };
    return data ? { type: 'update', ...base, data } : { type: 'delete', ...base };
  };

  async function step(
    name: 'connect' | 'pull' | 'push' | 'fetch',
    detail?: PullRequest | readonly OutgoingChange[],
  ): Promise<void> {
    calls[name] += 1;
    await wire.before(name, detail);
  }

  /** In the order that the cursor counts, and after it. */
  function page({ collection, cursor: from, start, limit }: PullRequest): PullPage {
    const count = Math.min(limit, pageCap);
    const log = backend.log(collection);
    const position = (from ?? {}) as { readonly after?: number; readonly time?: number; readonly id?: string };
    const serverTime = backend.now();
    if (cursor === 'timestamp') {
      const time =
        position.time === undefined ? Number.NEGATIVE_INFINITY : start ? position.time - overlap : position.time;
      const id = start ? '' : (position.id ?? '');
      const visible = log.filter(({ data }) => deletes === 'tombstones' || data);
      const rest = visible
        .sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1))
        .filter((record) => record.time > time || (record.time === time && record.id > id));
      const records = rest.slice(0, count);
      const last = records.at(-1);
      // The cursor never goes back: an overlap that finds nothing must not move it.
      const next = last
        ? { time: last.time, id: last.id }
        : { time: Math.max(position.time ?? 0, 0), id: position.id ?? '' };
      return { changes: records.map((record) => toChange(collection, record)), cursor: next, serverTime };
    }
    const after = cursor === 'snapshot' && start ? 0 : (position.after ?? 0);
    const records = log
      .filter(({ seq, data }) => seq > after && (data || (deletes === 'tombstones' && cursor !== 'snapshot')))
      .slice(0, count);
    const next = { after: records.at(-1)?.seq ?? after };
    return {
      changes: records.map((record) => toChange(collection, record)),
      cursor: next,
      serverTime,
      ...(cursor === 'snapshot' && { snapshot: true as const }),
    };
  }

  /** What the backend holds, in the order of versions. */
  const held = (collection: string, { from, after, before, upTo }: VersionRange = {}): MemoryRecord[] =>
    backend
      .log(collection)
      .filter(
        ({ seq, data }) =>
          (data || deletes === 'tombstones') &&
          seq >= Number(from ?? 0) &&
          seq > Number(after ?? -1) &&
          seq < Number(before ?? Number.POSITIVE_INFINITY) &&
          seq <= Number(upTo ?? Number.POSITIVE_INFINITY),
      );

  function apply(change: OutgoingChange): PushResult {
    const decided = wire.decide?.(change);
    if (decided) return decided;
    const { collection, recordId, opId, type, data, patch, unset, baseVersion, timestamp: editedAt } = change;
    const known = options.idempotent === false ? undefined : backend.operation(opId);
    const current = backend.get(collection, recordId);
    if (known !== undefined) {
      // As it is now: the row can have changed since, or be gone.
      const { seq: version = known, data = null, time: timestamp } = current ?? {};
      return { type: 'applied', version, data, ...(timestamp !== undefined && { timestamp }) };
    }
    if ((current?.data ? current.seq : null) !== baseVersion) {
      return {
        type: 'conflict',
        current: {
          data: current?.data ?? null,
          version: current?.seq ?? 0,
          ...(current && timesOf(current)),
        },
      };
    }
    const gone = new Set(unset);
    const merged =
      type === 'update'
        ? Object.fromEntries(Object.entries({ ...current?.data, ...patch }).filter(([field]) => !gone.has(field)))
        : data;
    const record = merged
      ? backend.write(collection, recordId, merged, { opId, editedAt })
      : backend.delete(collection, recordId, { opId, editedAt, hard: deletes !== 'tombstones' });
    return { type: 'applied', version: record.seq, ...timesOf(record) };
  }

  return {
    name: 'memory',
    backend,
    wire,
    capabilities: {
      push: true,
      deletes,
      cursor,
      reconnect: 'core',
      filters: false,
      idempotent: options.idempotent ?? true,
      editTimes: true,
    },
    attach(given) {
      host = given;
    },
    async connect({ signal }) {
      if (closed)
        throw new SyncLayerError('CLOSED', 'This transport is closed; create a new one.', { adapter: 'memory' });
      signal.throwIfAborted();
      await host?.authToken(options.authToken);
      await step('connect');
    },
    subscribe({ collection }, sink) {
      calls.subscribe += 1;
      void wire.before('subscribe');
      sinks.set(collection, sink);
      if (wire.ack === 'at once') queueMicrotask(() => sinks.get(collection) === sink && sink.live());
      return () => {
        if (sinks.get(collection) === sink) sinks.delete(collection);
      };
    },
    async pull(request) {
      await step('pull', request);
      return page(request);
    },
    async push(changes) {
      await step('push', changes);
      const results = changes.map(apply);
      if (wire.loseAnswers) throw lost('The answer to the push');
      return results;
    },
    async fetch(collection, ids) {
      await step('fetch');
      return ids.flatMap((id) => {
        const record = backend.get(collection, id);
        return record ? [toChange(collection, record)] : [];
      });
    },
    keys:
      // A commit that is older than the overlap shows among the keys alone.
      deletes === 'tombstones' && cursor !== 'timestamp' && !options.counts
        ? undefined
        : async function* keys(collection, { range }): AsyncGenerator<RecordKey[]> {
            calls.keys += 1;
            let from = 0;
            let page: MemoryRecord[];
            do {
              await wire.before('keys');
              page = held(collection, range)
                .filter(({ seq, data }) => (data || range) && seq > from)
                .slice(0, pageCap);
              from = page.at(-1)?.seq ?? from;
              if (range) host?.reads?.(page.length);
              yield page.map(({ id, seq, data }) => ({ recordId: id, version: seq, ...(!data && { deleted: true }) }));
            } while (page.length > 0);
          },
    count: options.counts
      ? async (collection, { range }) => {
          calls.count += 1;
          await wire.before('count');
          const { length } = held(collection, range);
          host?.reads?.(Math.max(1, Math.ceil(length / 1000)));
          return length;
        }
      : undefined,
    async disconnect() {},
    async close() {
      closed = true;
      calls.close += 1;
      sinks.clear();
      stopListening();
    },
  };
}
