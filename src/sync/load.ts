import type { LocalStore, StoreWrite } from '../store/store.js';
import type { User } from '../transport/identity.js';
import type { Cursor } from '../transport/transport.js';
import { isSent } from './authors.js';
import { isHeld, type OutboxEntry, type ServerState, type StoredRow, settledState, UNKNOWN } from './replica-state.js';

/** How long the version of a deleted record is remembered, in ms: a late older event must not bring it back. */
const TOMBSTONE_RETENTION = 7 * 24 * 3_600_000;

/** What stored rows, versions and cursor belong to. */
export interface Origin {
  readonly source: string;
  readonly filter: string;
  /** Who read them. */
  readonly user?: User;
}

/** A collection as it was stored. */
export interface Loaded {
  readonly server: ReadonlyMap<string, ServerState>;
  /** Unacknowledged edits, oldest first. */
  readonly entries: readonly OutboxEntry[];
  readonly failed: readonly OutboxEntry[];
  /** Edits of other users than the one whose rows these are. */
  readonly held: readonly OutboxEntry[];
  /** Who has read the rows. */
  readonly user: User;
  readonly cursor: Cursor | null;
  /** The rows are another backend's: they and the unsent edits are compared with this one's as they come. */
  readonly fresh: boolean;
  /** The stored cursor stands for other rows (another backend's, another filter's): all is read anew. */
  readonly reread: boolean;
  /** To be stored before anything else of this collection. */
  readonly writes: readonly StoreWrite[];
}

/** The note of whose data a collection holds. */
export const originWrite = (collection: string, value: Origin): StoreWrite => ({
  table: 'meta',
  key: [collection, 'origin'],
  value,
});

/** What is stored when a collection begins to be read from another place, before any row of it. */
export const departure = (collection: string, source: string, user: User): StoreWrite[] => [
  // Until all is read the collection holds rows of both: should we not get there, neither origin may trust them.
  originWrite(collection, { source, filter: '', ...(user !== undefined && { user }) }),
  { table: 'meta', key: [collection, 'cursor'], value: undefined },
];

/** Reads a collection back. `counted`: what the backend counts, rows alone or tombstones too; undefined: it does not. */
export async function loadCollection(
  store: LocalStore,
  collection: string,
  origin: Origin,
  counted?: { readonly tombstones: boolean },
): Promise<Loaded> {
  const meta = new Map<string, unknown>();
  for await (const page of store.read('meta', collection)) for (const { id, value } of page) meta.set(id, value);
  const stored = meta.get('origin') as Origin | undefined;
  const fresh = stored !== undefined && stored.source !== origin.source;
  const reread = fresh || (stored !== undefined && stored.filter !== origin.filter);
  const user = stored?.user;
  const writes: StoreWrite[] = [];
  if (reread) writes.push(...departure(collection, fresh ? '' : origin.source, user));
  else if (!stored) writes.push(originWrite(collection, origin));

  const outbox: OutboxEntry[] = [];
  for await (const page of store.read('outbox', collection))
    for (const { value } of page) outbox.push(value as OutboxEntry);
  outbox.sort((a, b) => a.order - b.order);
  const edited = new Set(outbox.flatMap(({ recordId, failed }) => (failed ? [] : [recordId])));

  const server = new Map<string, ServerState>();
  for await (const page of store.read('rows', collection)) {
    for (const { id, value } of page) {
      const state = value as StoredRow;
      // What the backend counts must be known here, or it is read again.
      const held = counted !== undefined && isHeld(state, counted.tombstones);
      const expired = !state.row && !held && Date.now() - (state.at ?? 0) > TOMBSTONE_RETENTION;
      if (expired || (fresh && !state.row)) writes.push({ table: 'rows', key: [collection, id], value: undefined });
      else if (fresh) server.set(id, { row: state.row, version: UNKNOWN });
      else server.set(id, edited.has(id) ? state : settledState(state));
    }
  }
  // Where nobody knows who is signed in, that is found out before anything is sent.
  const mayGo = (entry: OutboxEntry): boolean => user === undefined || isSent(entry, user);
  // Each may have been sent by the process that is gone: it can have been pushed while the disk failed, or a power loss can
  // have taken the note of it back. So it is repeated as it is, and never another edit under its opId. At another backend it
  // never was; one that waits was turned away.
  const unfailed = outbox.flatMap((entry) =>
    entry.failed ? [] : { ...entry, sent: entry.sent || !(fresh || entry.waiting) },
  );
  return {
    server,
    entries: unfailed.filter(mayGo),
    failed: outbox.filter(({ failed }) => failed),
    held: unfailed.filter((entry) => !mayGo(entry)),
    user,
    cursor: reread ? null : ((meta.get('cursor') as Cursor | undefined) ?? null),
    fresh,
    reread,
    writes,
  };
}
