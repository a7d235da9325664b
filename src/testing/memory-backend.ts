import type { Change, Row } from '../base/change.js';

/** A record of a memory backend. `data: null` is a tombstone. */
export interface MemoryRecord {
  readonly id: string;
  readonly data: Row | null;
  /** Its place in the commit order. */
  readonly seq: number;
  /** When its transaction began, in ms: commits can be later than this, and out of its order. */
  readonly time: number;
  /** When its newest edit was made, in ms, where its writer said so. */
  readonly editedAt?: number;
}

/** Somebody who is told of commits; the fault settings of the transport decide what reaches a client. */
type Listener = (change: Change) => void;

/**
 * A backend in memory, shared by any number of `memoryTransport`s, and a second hand on its data for tests. `now` is its
 * clock, in ms since 1970: the default is this device's.
 *
 * @example
 * const backend = memoryBackend();
 * backend.write('todos', '1', { text: 'Milk' });
 * const sync = await createSyncLayer({ transport: memoryTransport({ backend }), collections: ['todos'] });
 */
export function memoryBackend({ now = Date.now }: { readonly now?: () => number } = {}) {
  const collections = new Map<string, Map<string, MemoryRecord>>();
  const listeners = new Set<Listener>();
  /** Which push made which version: a repeated one is not applied twice. */
  const operations = new Map<string, number>();
  let seq = 0;

  const records = (collection: string): Map<string, MemoryRecord> => {
    const found = collections.get(collection) ?? new Map<string, MemoryRecord>();
    collections.set(collection, found);
    return found;
  };

  function commit(
    collection: string,
    id: string,
    data: Row | null,
    options: { time?: number; opId?: string; hard?: boolean; editedAt?: number } = {},
  ): MemoryRecord {
    const table = records(collection);
    const before = table.get(id);
    const time = options.time ?? now();
    // A clock that is ahead must not win over edits that are still to come.
    const edited = options.editedAt !== undefined && { editedAt: Math.min(options.editedAt, time) };
    const record: MemoryRecord = { id, data: data && { ...data, id }, seq: ++seq, time, ...edited };
    if (data === null && options.hard) table.delete(id);
    else table.set(id, record);
    if (options.opId !== undefined) operations.set(options.opId, record.seq);
    const base = {
      collection,
      recordId: id,
      version: record.seq,
      timestamp: record.time,
      ...edited,
      ...(options.opId !== undefined && { metadata: { opId: options.opId } }),
    };
    const change: Change =
      record.data === null
        ? { type: 'delete', ...base }
        : { type: before?.data ? 'update' : 'insert', ...base, data: record.data };
    for (const listener of [...listeners]) listener(change);
    return record;
  }

  return {
    /** Writes a whole row. `time`: an older one makes a late commit. `editedAt`: when it was edited, before that. */
    write: (
      collection: string,
      id: string,
      data: Row,
      options?: { readonly time?: number; readonly opId?: string; readonly editedAt?: number },
    ): MemoryRecord => commit(collection, id, data, options),
    /** `hard`: without a tombstone. */
    delete: (
      collection: string,
      id: string,
      options?: { readonly hard?: boolean; readonly opId?: string; readonly time?: number; readonly editedAt?: number },
    ): MemoryRecord => commit(collection, id, null, options),
    get: (collection: string, id: string): MemoryRecord | undefined => records(collection).get(id),
    /** The live rows by id. */
    rows: (collection: string): Map<string, Row> =>
      new Map([...records(collection)].flatMap(([id, { data }]) => (data ? [[id, data] as const] : []))),
    /** All records and tombstones, in commit order. */
    log: (collection: string): MemoryRecord[] => [...records(collection).values()].sort((a, b) => a.seq - b.seq),
    operation: (opId: string): number | undefined => operations.get(opId),
    get seq(): number {
      return seq;
    },
    now,
    listen(listener: Listener): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

export type MemoryBackend = ReturnType<typeof memoryBackend>;
