import { abortable, throwIfAborted } from '../abort.js';
import { asyncIterator } from '../async-iterator.js';
import { SyncLayerError } from '../errors.js';
import type { RealtimeTransport, RecordKey, SyncFilter } from '../transport/transport.js';
import type { Replica } from './replica.js';
import { createTimers } from './timers.js';

export interface AuditContext {
  readonly collection: string;
  readonly transport: RealtimeTransport;
  readonly replica: Replica;
  readonly filter: SyncFilter;
  /** Aborted when reading is stopped. */
  readonly signal: AbortSignal;
  /** What a read by id has shown to be the same in spite of another version, so that it is not read at each audit. */
  readonly compared: Map<string, string>;
  /** Reads the whole collection again, as a snapshot. */
  reread(news?: Set<string>): Promise<unknown>;
}

/** Ids per `fetch`. */
const FETCH_BATCH = 100;

/** How long a live event may come after an audit that has found its change already, in ms. */
const LATE = 5000;

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

/** Throws where two rows of one page have one key: as one record they would overwrite each other. */
function checkKeys(collection: string, page: readonly RecordKey[]): void {
  const seen = new Set<string>();
  for (const { recordId } of page) {
    if (seen.has(recordId)) throw twice(collection, recordId);
    seen.add(recordId);
  }
}

/** Every key of the collection. A list that hangs is given up with `signal`. */
async function allKeys({ collection, transport, filter, signal }: AuditContext): Promise<Map<string, RecordKey>> {
  const keys = new Map<string, RecordKey>();
  const list = transport.keys?.(collection, { signal, filter });
  const pages = list?.[asyncIterator]();
  try {
    for (;;) {
      const page = await abortable(Promise.resolve(pages?.next()), signal);
      throwIfAborted(signal);
      if (!page || page.done) return keys;
      checkKeys(collection, page.value);
      for (const key of page.value) keys.set(key.recordId, key);
    }
  } catch (error) {
    // Nobody waits for it: it may hang itself.
    void pages?.return?.().catch(() => undefined);
    throw error;
  }
}

/** Compares what is here with what the backend holds, to find deletes that a pull cannot see and changes that it missed. */
export async function compare(context: AuditContext, news?: Set<string>): Promise<void> {
  const { transport, replica, compared } = context;
  if (!transport.keys) {
    await context.reread(news);
    return;
  }
  const touched = replica.track();
  try {
    const keys = await allKeys(context);
    replica.removeMissing(keys, touched.ids);
    const whole = [...keys.values()].flatMap(({ change }) => change ?? []);
    replica.apply(whole, undefined, { now: touched.ids, news });
    const stateOf = (id: string): string => `${keys.get(id)?.version} ${replica.version(id)}`;
    const outdated = replica
      .outdated(keys)
      .filter((id) => !touched.ids.has(id) && !keys.get(id)?.change && compared.get(id) !== stateOf(id));
    if (outdated.length === 0) return;
    if (transport.fetch) await fetchRows(context, outdated, news);
    // They lie before the cursor.
    else await context.reread(news);
    for (const id of replica.outdated(keys)) if (keys.get(id)?.version !== undefined) compared.set(id, stateOf(id));
  } finally {
    touched.stop();
  }
}

/** Reads what is doubtful by id: of that, what the backend does not give is not there. Without `fetch` an audit tells. */
export async function settleDoubts(context: AuditContext): Promise<void> {
  const { transport, replica } = context;
  const ids = new Set(replica.doubtful);
  replica.doubtful.clear();
  const touched = replica.track();
  try {
    if (!transport.fetch) return await compare(context);
    const found = await fetchRows(context, ids);
    replica.removeMissing({ has: (id) => found.has(id) || !ids.has(id) }, touched.ids);
  } catch (error) {
    for (const id of ids) replica.doubtful.add(id);
    throw error;
  } finally {
    touched.stop();
  }
}

/** Waits for what an audit has found while live: if the live link does not bring any of it even now, it is not live. */
export function listenFor(news: ReadonlySet<string>, onSilence: () => void) {
  const timers = createTimers<'silence'>();
  timers.schedule('silence', LATE, onSilence);
  return {
    heard(id: string): void {
      if (news.has(id)) timers.close();
    },
    stop: timers.close,
  };
}

/** The live link is silent. */
export const silent = (collection: string, count: number): SyncLayerError => {
  const what = `An audit of "${collection}" found ${count} changes that its subscription did not bring.`;
  return new SyncLayerError('CONNECT_TIMEOUT', `${what} It is subscribed again.`, { details: { collection, count } });
};

/** Two rows of one page have one key. */
export const twice = (collection: string, recordId: string): SyncLayerError => {
  const what = `Two rows of "${collection}" have the key ${JSON.stringify(recordId)}. Is its key made of several columns?`;
  const fix = 'Give it one unique column as its id; `npx synclayer doctor` shows which.';
  return new SyncLayerError('PROTOCOL_VIOLATION', `${what} ${fix}`, { details: { collection, recordId } });
};

/** Somebody writes rows without their version. */
export const unstamped = (collection: string, recordId: string): SyncLayerError => {
  const what = `Record ${JSON.stringify(recordId)} of "${collection}" was changed, and its version was not. It was taken all the same.`;
  const fix =
    'Other devices may miss such changes: whoever writes must set the version (`updatedAt`) too. Run `npx synclayer doctor`.';
  return new SyncLayerError('PROTOCOL_VIOLATION', `${what} ${fix}`, { details: { collection, recordId } });
};
