import type { ServerStore, StoredOp, StoredRecord } from './store.js';

interface Shelf {
  readonly byId: Map<string, StoredRecord>;
  /** In commit order. Entries that a newer version replaced stay until they outnumber the others. */
  log: StoredRecord[];
  live: number;
  seq: number;
  oldestSeq: number;
}

/** The first index of a log whose version is above `after`. */
function firstAfter(log: readonly StoredRecord[], after: number): number {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log[middle] as StoredRecord).version > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Keeps the server's records in memory: for development and tests. Sequence numbers begin at the time of the start
 * in ms, so that a restarted server continues above what its clients have seen, and sends them a snapshot.
 *
 * @example
 * const server = await createSyncServer({ store: memoryServerStore() });
 */
export function memoryServerStore(): ServerStore {
  const shelves = new Map<string, Shelf>();
  const ops = new Map<string, StoredOp>();
  let origin: number | undefined;

  const opKey = (...parts: string[]) => JSON.stringify(parts);
  const compact = (shelf: Shelf) => {
    shelf.log = shelf.log.filter((record) => shelf.byId.get(record.id) === record);
  };

  return {
    open(now) {
      origin ??= now();
    },
    close() {},
    transaction: (run) => run(),
    seq: (collection) => shelves.get(collection)?.seq ?? origin ?? 0,
    oldestSeq: (collection) => shelves.get(collection)?.oldestSeq ?? origin ?? 0,
    count: (collection) => shelves.get(collection)?.live ?? 0,
    get: (collection, id) => shelves.get(collection)?.byId.get(id),
    *page(collection, { after, limit, changedFrom = Number.NEGATIVE_INFINITY }) {
      const shelf = shelves.get(collection);
      if (!shelf) return;
      let left = limit;
      for (let i = firstAfter(shelf.log, after); i < shelf.log.length && left > 0; i++) {
        const record = shelf.log[i] as StoredRecord;
        if (shelf.byId.get(record.id) !== record || record.updatedAt < changedFrom) continue;
        left--;
        yield record;
      }
    },
    put(collection, record) {
      let shelf = shelves.get(collection);
      if (!shelf) {
        const start = origin ?? 0;
        shelf = { byId: new Map(), log: [], live: 0, seq: start, oldestSeq: start };
        shelves.set(collection, shelf);
      }
      const previous = shelf.byId.get(record.id);
      shelf.live += (record.data ? 1 : 0) - (previous?.data ? 1 : 0);
      shelf.byId.set(record.id, record);
      shelf.log.push(record);
      shelf.seq = record.version;
      if (shelf.log.length > 2 * shelf.byId.size + 64) compact(shelf);
    },
    op: (collection, id, opId) => ops.get(opKey(collection, id, opId)),
    putOp(collection, id, opId, op) {
      ops.set(opKey(collection, id, opId), op);
    },
    purge(before) {
      for (const shelf of shelves.values()) {
        for (const record of shelf.byId.values()) {
          if (record.data || record.updatedAt >= before.tombstones) continue;
          shelf.byId.delete(record.id);
          shelf.oldestSeq = Math.max(shelf.oldestSeq, record.version);
        }
        compact(shelf);
      }
      for (const [key, op] of ops) if (op.at < before.ops) ops.delete(key);
    },
  };
}
