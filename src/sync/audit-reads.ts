import { abortable, throwIfAborted } from '../base/abort.js';
import { SyncLayerError } from '../base/errors.js';
import { readKeys } from '../transport/read.js';
import type { RealtimeTransport, RecordKey, SyncFilter, VersionRange } from '../transport/transport.js';
import type { Remote } from './collection/remote.js';
import { checkKeys } from './duplicate-keys.js';

export interface AuditContext {
  readonly collection: string;
  readonly transport: RealtimeTransport;
  readonly replica: Remote;
  readonly filter: SyncFilter;
  /** Aborted when reading is stopped. */
  readonly signal: AbortSignal;
  /**
   * What two reads by id have left as it was in spite of another version, so that it is not read at each audit. Two, since one may
   * wait for a second look.
   */
  readonly compared: Map<string, { readonly state: string; readonly times: number }>;
  /** How many looks of this collection began with counts. */
  readonly looks: { count: number };
  /** Reads what is new. */
  pull(news?: Set<string>): Promise<unknown>;
  /** Reads the whole collection again, as a snapshot. */
  reread(news?: Set<string>): Promise<unknown>;
}

/** Ids per `fetch`. */
const FETCH_BATCH = 100;

/** Reads rows by id and applies them: they are what the backend holds now. Gives the ids that there are. */
export async function fetchRows(
  { collection, transport, replica, signal }: AuditContext,
  ids: Iterable<string>,
  news?: Set<string>,
): Promise<ReadonlySet<string>> {
  if (!transport.fetch) {
    const message = `${transport.name} gave a part of a row of "${collection}" and has no fetch.`;
    throw new SyncLayerError('PROTOCOL_VIOLATION', message, { adapter: transport.name });
  }
  const unique = [...new Set(ids)];
  const found = new Set<string>();
  for (let index = 0; index < unique.length; index += FETCH_BATCH) {
    const batch = unique.slice(index, index + FETCH_BATCH);
    const touched = replica.track();
    try {
      const current = await abortable(transport.fetch(collection, batch, { signal }), signal);
      // Stopped between the answer and here: it may be another backend's by now.
      throwIfAborted(signal);
      replica.apply(current, undefined, { now: touched.ids, news });
      for (const { recordId } of current) found.add(recordId);
    } finally {
      touched.stop();
    }
  }
  return found;
}

/** Every key of the collection, or of a range of it. A list that hangs is given up with `signal`. */
export async function allKeys(
  { collection, transport, filter, signal }: AuditContext,
  range?: VersionRange,
): Promise<Map<string, RecordKey>> {
  const keys = new Map<string, RecordKey>();
  const list = transport.keys?.(collection, { signal, filter, ...(range && { range }) });
  if (!list) return keys;
  for await (const page of readKeys(list, signal)) {
    checkKeys(collection, page);
    for (const key of page) keys.set(key.recordId, key);
  }
  return keys;
}
