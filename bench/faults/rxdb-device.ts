import {
  createRxDatabase,
  type RxCollection,
  type RxConflictHandler,
  type RxReplicationPullStreamItem,
  type WithDeleted,
} from 'rxdb/plugins/core';
import { type RxReplicationState, replicateRxCollection } from 'rxdb/plugins/replication';
import { replicateWithWebsocketServer } from 'rxdb/plugins/replication-websocket';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { Subject } from 'rxjs';
import { type Backend, type Checkpoint, type Row, toDocument } from './backend.js';
import { CHECK_EVERY, type Device, PAGE, RETRY_AFTER, type Told } from './device.js';
import { openWire, type Wire } from './wire.js';

type Doc = Row & { id: string };
type Collection = RxCollection<Doc>;
type Replication = RxReplicationState<Doc, Checkpoint>;

/**
 * A delete wins, else the newer write. RxDB's own handler drops the device's write at every conflict, also where the device
 * meets an older write of its own.
 */
const conflictHandler: RxConflictHandler<Doc> = {
  isEqual: (a, b) => a.text === b.text && a.count === b.count && a._deleted === b._deleted,
  resolve: async ({ newDocumentState, realMasterState }) =>
    newDocumentState.count > realMasterState.count && !realMasterState._deleted ? newDocumentState : realMasterState,
};

let count = 0;

async function openCollection(): Promise<Collection> {
  count += 1;
  const storage = getRxStorageMemory();
  const database = await createRxDatabase({ name: `bench-${count}`, storage, multiInstance: false });
  const schema = {
    version: 0,
    primaryKey: 'id',
    type: 'object',
    properties: { id: { type: 'string', maxLength: 100 }, text: { type: 'string' }, count: { type: 'number' } },
    required: ['id', 'text', 'count'],
  } as const;
  const { rows } = await database.addCollections({ rows: { schema, conflictHandler } });
  return rows as unknown as Collection;
}

function toDevice(collection: Collection, stop: () => Promise<void>): Device {
  const told: Told[] = [];
  const events = collection.$.subscribe(({ documentId, documentData, operation }) => {
    told.push({ id: documentId, count: operation === 'DELETE' ? null : documentData.count });
  });
  return {
    async rows() {
      const documents = await collection.find().exec();
      return new Map(documents.map(({ id, text, count }) => [id, { text, count }]));
    },
    told,
    async save(id, row) {
      await collection.upsert({ id, ...row });
    },
    async remove(id) {
      await collection.findOne(id).remove();
    },
    async close() {
      events.unsubscribe();
      await stop();
      await collection.database.close();
    },
  };
}

/** "You could run reSync() in an interval", says RxDB's documentation where events cannot be relied on. */
function checkRegularly(replication: Replication): () => void {
  const timer = setInterval(() => replication.reSync(), CHECK_EVERY);
  return () => clearInterval(timer);
}

/**
 * `replicateRxCollection` with handlers of our own, as RxDB's documentation describes them. `events`: the stream hands on
 * documents with their checkpoint. `resync`: each event is only the sign that something has changed, which is what the
 * documentation advises for a backend whose stream is not complete.
 */
export async function rxdbDevice({ url }: Backend, stream: 'events' | 'resync'): Promise<Device> {
  const collection = await openCollection();
  const stream$ = new Subject<RxReplicationPullStreamItem<Doc, Checkpoint>>();
  const stopped = new AbortController();
  let wire: Wire | undefined;

  /** Rejecting makes RxDB ask again after `retryTime`. */
  async function request<T>(method: string, ...params: readonly unknown[]): Promise<T> {
    if (!wire) throw new Error('There is no connection.');
    return wire.request<T>(method, ...params);
  }

  async function stayConnected(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        wire = await openWire(url, ({ record, checkpoint, partial }) => {
          // Documents of the stream must be whole.
          if (stream === 'resync' || partial) stream$.next('RESYNC');
          else stream$.next({ documents: [toDocument(record)], checkpoint });
        });
        await wire.request('subscribe');
        // Each time that the stream begins, also the first, which the documentation's example leaves out.
        stream$.next('RESYNC');
        await wire.closed;
      } catch {
        // Nobody is there.
      }
      wire?.close();
      wire = undefined;
      if (!stopped.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER));
    }
  }

  const replication = replicateRxCollection<Doc, Checkpoint>({
    replicationIdentifier: `bench-${url}`,
    collection,
    retryTime: RETRY_AFTER,
    waitForLeadership: false,
    pull: {
      batchSize: PAGE,
      stream$,
      handler: (checkpoint, limit) =>
        request<{ documents: WithDeleted<Doc>[]; checkpoint: Checkpoint }>(
          'masterChangesSince',
          checkpoint ?? null,
          limit,
        ),
    },
    push: { batchSize: PAGE, handler: (rows) => request<WithDeleted<Doc>[]>('masterWrite', rows) },
  });
  const stopChecks = checkRegularly(replication);
  const connection = stayConnected();
  return toDevice(collection, async () => {
    stopChecks();
    stopped.abort();
    wire?.close();
    await connection;
    await replication.cancel();
  });
}

/** RxDB's own WebSocket replication, against a backend that speaks its protocol. It has no options for its times. */
export async function rxdbWebSocketDevice({ url }: Backend): Promise<Device> {
  const collection = await openCollection();
  const replication = await replicateWithWebsocketServer<Doc, Checkpoint>({
    replicationIdentifier: `bench-${url}`,
    collection,
    url,
    batchSize: PAGE,
    live: true,
  });
  const stopChecks = checkRegularly(replication);
  return toDevice(collection, async () => {
    stopChecks();
    await replication.cancel();
  });
}
