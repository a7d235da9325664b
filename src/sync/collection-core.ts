import type { Row } from '../change.js';
import { newId } from '../id.js';
import type { Delta } from '../query/types.js';
import type { Journal } from '../store/journal.js';
import type { LocalStore } from '../store/store.js';
import type { RealtimeTransport, SyncFilter } from '../transport/transport.js';
import type { Announcer } from './announcer.js';
import type { Clock } from './clock.js';
import type { ConflictResolver } from './merge.js';
import { createReplica, type Replica } from './replica.js';
import { createSession, type Session, type SessionHooks } from './session.js';

/** A collection's settings, resolved. */
export interface CollectionSettings {
  readonly filter: SyncFilter;
  /** The row as the schema wants it; throws VALIDATION_FAILED. */
  readonly parse: (row: Row) => Row;
  readonly resolve: ConflictResolver;
  /** `resolve` is the app's own, or a prebuilt one: it may have to count what both sides did alike. */
  readonly customResolver: boolean;
}

export interface CollectionCoreOptions {
  readonly name: string;
  readonly settings: CollectionSettings;
  readonly transport: RealtimeTransport;
  readonly store: LocalStore;
  readonly journal: Journal;
  readonly announcer: Announcer;
  readonly clock: Clock;
  /** The stored data came from another backend. */
  readonly fresh: boolean;
  readonly maxRetries: number;
  readonly pageSize: number;
  readonly bufferLimit: number;
  readonly nextOrder: () => number;
  readonly hooks: Pick<SessionHooks, 'phase' | 'lost' | 'failed'> & { readonly caughtUp: () => void };
}

/** One collection: its rows, what keeps them equal to the backend, and who is told. */
export interface CollectionCore {
  readonly replica: Replica;
  readonly session: Session;
  /** False until the first catch-up of a collection that has never been read from this backend. */
  readonly ready: () => boolean;
  readonly notify: (deltas: readonly Delta[]) => void;
  onChange(listener: (deltas: readonly Delta[]) => void): () => void;
}

/** One stored value; undefined if there is none. */
export async function readMeta(store: LocalStore, collection: string, name: string): Promise<unknown> {
  for await (const page of store.read('meta', collection))
    for (const { id, value } of page) if (id === name) return value;
  return undefined;
}

/** Reads a collection back from the store and wires its parts. */
export async function openCollection(options: CollectionCoreOptions): Promise<CollectionCore> {
  const { name, settings, transport, store, journal, announcer, clock, fresh, hooks } = options;
  const listeners = new Set<(deltas: readonly Delta[]) => void>();
  const queue: (readonly Delta[])[] = [];
  /** A listener that edits makes a batch inside a batch: every listener still gets the first one first. */
  const notify = (deltas: readonly Delta[]): void => {
    if (queue.push(deltas) > 1) return;
    for (const batch of queue) for (const listener of [...listeners]) listener(batch);
    queue.length = 0;
  };
  const replica = createReplica({
    collection: name,
    filter: settings.filter,
    parse: settings.parse,
    resolve: settings.resolve,
    sameCounts: () => settings.customResolver && transport.capabilities.idempotent === true,
    maxRetries: options.maxRetries,
    clockOffset: clock.offset,
    nextOrder: options.nextOrder,
    newId,
    hooks: {
      write: journal.append,
      changed: notify,
      remote: (delta) => announcer.remote(name, delta),
      conflict: announcer.conflict,
      operation: announcer.operation,
      invalid: (error) => announcer.invalid(error, name),
    },
  });

  const filter = JSON.stringify(settings.filter);
  const stored = await readMeta(store, name, 'filter');
  const rewind = fresh || (stored !== undefined && stored !== filter);
  await replica.load(store, { fresh, rewind });
  if (rewind) journal.append([{ table: 'meta', key: [name, 'cursor'], value: undefined }]);
  if (stored !== filter) journal.append([{ table: 'meta', key: [name, 'filter'], value: filter }]);

  let caughtUp = replica.cursor !== null;
  const session = createSession({
    collection: name,
    transport,
    replica,
    filter: settings.filter,
    pageSize: options.pageSize,
    bufferLimit: options.bufferLimit,
    hooks: {
      ...hooks,
      clock: clock.measure,
      received: ({ timestamp }) => {
        if (timestamp !== undefined) announcer.metrics.latency(Date.now() + clock.offset() - timestamp);
      },
      caughtUp: (records) => {
        const first = !caughtUp;
        caughtUp = true;
        if (first) notify([]);
        announcer.events.emit('realtimeSync', { collection: name, records });
        hooks.caughtUp();
      },
    },
  });

  return {
    replica,
    session,
    notify,
    ready: () => caughtUp,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
