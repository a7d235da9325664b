import type { Change, ChangeSink, PushResult } from '../../src/adapter-kit/index.js';
import { createSyncLayer, type RealtimeTransport, SyncLayerError } from '../../src/index.js';
import type { Backend, BackendOptions, BackendRecord, Checkpoint, Edit, Row } from './backend.js';
import { CHECK_EVERY, type Device, PAGE, RETRY_AFTER, type Told } from './device.js';
import { openWire, type Wire } from './wire.js';

/** How far a checkpoint of time steps back, in ms: the default of SyncLayer's transports. */
const OVERLAP = 10_000;

const lost = (cause: unknown): SyncLayerError =>
  new SyncLayerError('CONNECTION_LOST', 'The connection to the backend is lost.', { cause });

function toChange({ id, row, seq, time }: BackendRecord): Change {
  const base = { collection: 'rows', recordId: id, version: seq, timestamp: time };
  return row ? { type: 'update', ...base, data: { ...row } } : { type: 'delete', ...base };
}

/** A transport as `docs/custom-transport.md` shows it. */
function benchTransport(url: string, { cursor, deletes }: BackendOptions): RealtimeTransport {
  let wire: Wire | undefined;
  let sink: ChangeSink | undefined;

  async function request<T>(method: string, ...params: readonly unknown[]): Promise<T> {
    if (!wire) throw lost(undefined);
    return wire.request<T>(method, ...params).catch((error: unknown) => Promise.reject(lost(error)));
  }
  async function disconnect(): Promise<void> {
    const old = wire;
    wire = undefined;
    old?.close();
    await old?.closed;
  }
  return {
    name: 'bench',
    capabilities: { push: true, deletes, cursor, reconnect: 'core', filters: false, idempotent: true },
    async connect() {
      await disconnect();
      const opened = await openWire(url, ({ record, partial }) => {
        const change = toChange(record);
        sink?.change(partial && change.type === 'update' ? { ...change, partial } : change);
      }).catch((error: unknown) => Promise.reject(lost(error)));
      wire = opened;
      void opened.closed.then(() => {
        if (wire !== opened) return;
        wire = undefined;
        sink?.error(lost(undefined));
      });
    },
    subscribe(_request, given) {
      sink = given;
      const end = (error: SyncLayerError): void => {
        if (sink === given) given.error(error);
      };
      request('subscribe').then(() => sink === given && given.live(), end);
      return () => {
        if (sink === given) sink = undefined;
      };
    },
    async pull({ cursor: from, start, limit }) {
      const checkpoint = from as Checkpoint | null;
      const back =
        checkpoint && 'time' in checkpoint && start ? { time: checkpoint.time - OVERLAP, id: '' } : checkpoint;
      const page = await request<{ records: BackendRecord[]; checkpoint: Checkpoint }>('pull', back, limit);
      return { changes: page.records.map(toChange), cursor: page.records.length > 0 ? { ...page.checkpoint } : from };
    },
    async push(changes) {
      const edits = changes.map(
        ({ recordId: id, data, opId, baseVersion }): Edit => ({
          id,
          row: data && { text: String(data.text), count: Number(data.count) },
          opId,
          base: baseVersion as number | null,
        }),
      );
      const answers = await request<{ applied?: BackendRecord; conflict?: BackendRecord }[]>('push', edits);
      return answers.map(({ applied, conflict }): PushResult => {
        if (applied) return { type: 'applied', version: applied.seq, timestamp: applied.time };
        return {
          type: 'conflict',
          current: { data: conflict?.row ? { ...conflict.row } : null, version: conflict?.seq ?? 0 },
        };
      });
    },
    async fetch(_collection, ids) {
      return (await request<BackendRecord[]>('fetch', ids)).map(toChange);
    },
    async *keys() {
      const keys = await request<{ id: string; seq: number }[]>('keys');
      yield keys.map(({ id, seq }) => ({ recordId: id, version: seq }));
    },
    disconnect,
    close: disconnect,
  };
}

/** SyncLayer with its store in memory. */
export async function syncLayerDevice({ url }: Backend, options: BackendOptions): Promise<Device> {
  const sync = await createSyncLayer({
    transport: benchTransport(url, options),
    collections: ['rows'],
    websocketReconnectDelay: RETRY_AFTER,
    maxReconnectDelay: RETRY_AFTER,
    auditInterval: CHECK_EVERY,
    syncInterval: CHECK_EVERY,
    pageSize: PAGE,
  });
  const told: Told[] = [];
  const rows = sync.collection<Row & { id: string }>('rows');
  for (const name of ['remoteInsert', 'remoteUpdate'] as const)
    sync.events.on(name, ({ recordId, data }) => told.push({ id: recordId, count: Number(data.count) }));
  sync.events.on('remoteDelete', ({ recordId }) => told.push({ id: recordId, count: null }));
  return {
    rows: async () => new Map((await rows.getAll()).map(({ id, text, count }) => [id, { text, count }])),
    told,
    async save(id, row) {
      told.push({ id, count: row.count });
      await rows.save({ ...row, id });
    },
    async remove(id) {
      told.push({ id, count: null });
      await rows.delete(id);
    },
    close: () => sync.close(),
  };
}
