import type { Row } from '../../base/change.js';
import type { SyncLayerError } from '../../base/errors.js';
import { newId } from '../../base/id.js';
import type { Settings } from '../../config/defaults.js';
import type { Delta } from '../../query/types.js';
import type { Journal } from '../../store/journal.js';
import type { LocalStore, StoreWrite } from '../../store/store.js';
import { capabilitiesOf } from '../../transport/capabilities.js';
import type { User } from '../../transport/identity.js';
import type { RealtimeTransport, SyncFilter } from '../../transport/transport.js';
import type { Announcer } from '../announcer.js';
import type { Clock } from '../clock.js';
import type { ConflictResolver } from '../conflict/merge.js';
import type { EditRules } from '../edits.js';
import { loadCollection, type Origin } from '../load.js';
import { createLedger } from './ledger.js';
import { createListeners } from './listeners.js';
import type { createRemote, Remote } from './remote.js';
import type { remoteRules } from './remote-rules.js';
import { createReplica, type Replica } from './replica.js';
import { restore } from './restore.js';
import type { createSession, Session, SessionHooks } from './session.js';
import { createSource } from './source.js';

/** So many rows are counted for the price of one. */
const COUNTED = 1000;

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
  readonly own: CollectionSettings;
  readonly settings: Settings;
  readonly transport: RealtimeTransport;
  readonly store: LocalStore;
  readonly journal: Journal;
  readonly announcer: Announcer;
  readonly clock: Clock;
  /** Which backend this is: stored versions and cursors of another one mean nothing here. */
  readonly source: string;
  /** Who is signed in. */
  readonly user: () => User;
  readonly nextOrder: () => number;
  readonly hooks: Pick<SessionHooks, 'phase' | 'lost' | 'failed'> & {
    readonly caughtUp: () => void;
    /** There is one edit more, or less. */
    readonly settled: () => void;
  };
}

/** What works with the backend: see `work.ts`. */
export interface CollectionParts {
  readonly createRemote: typeof createRemote;
  readonly remoteRules: typeof remoteRules;
  readonly createSession: typeof createSession;
}

/** One collection: its rows, what keeps them equal to the backend, and who is told. */
export interface CollectionCore {
  readonly replica: Replica;
  /** What the backend does to it; undefined until that is loaded. */
  readonly remote: Remote | undefined;
  /** What pulls; undefined until that is loaded. */
  readonly session: Session | undefined;
  /** What works with the backend is loaded. */
  begin(parts: CollectionParts): void;
  /** False until the first catch-up of a collection that has never been read from this backend. */
  readonly ready: () => boolean;
  /** False while the rows are another backend's: what this one's are must be known before edits can be compared. */
  readonly mayPush: () => boolean;
  /** How many rows the backend reads for a comparison of everything, as far as is known. */
  readonly price: () => number;
  readonly notify: (deltas: readonly Delta[]) => void;
  onChange(listener: (deltas: readonly Delta[]) => void): () => void;
  /** Forgets everything in memory; the store is cleared by the caller, which then notes whose data comes. */
  clear(): void;
  noteOrigin(): void;
  /** All that the store should hold of it, in the order in which it is to be written. */
  stored(): StoreWrite[];
  /** Who has read what is here, and made the edits that are not held. */
  readonly user: () => User;
  /** This user is signed in now. What was another one's is read again. */
  switchUser(next: User): void;
  /** The user has signed out: the rows go, and the edits are held for their author. */
  leave(): void;
  /** Another backend answers from now on: see `TransportHost.moved`. */
  moveTo(source: string): void;
}

/** Reads a collection back from the store and wires its parts. */
export async function openCollection(options: CollectionCoreOptions): Promise<CollectionCore> {
  const { name, own, settings, transport, store, journal, announcer, clock, hooks } = options;
  const { filter } = own;
  const { notify, onChange } = createListeners();
  const origin: Origin = { source: options.source, filter: JSON.stringify(filter) };
  const counted = transport.count && { tombstones: capabilitiesOf(transport, name).deletes === 'tombstones' };
  const loaded = await loadCollection(store, name, origin, counted);
  journal.append(loaded.writes);
  const invalid = (error: SyncLayerError): void => announcer.invalid(error, name);
  const edits: EditRules = { collection: name, nextOrder: options.nextOrder, newId, user: options.user };
  let remote: Remote | undefined;
  let session: Session | undefined;
  const ledger = createLedger({
    collection: name,
    limit: filter.limit,
    hooks: {
      write: journal.append,
      changed: notify,
      remote: (delta) => announcer.remote(name, delta),
      conflict: announcer.conflict,
      operation: (what, entry) => {
        announcer.operation(what, entry);
        hooks.settled();
      },
      invalid,
      doubt: () => session?.look(),
    },
  });
  restore(ledger, loaded);
  const replica = createReplica(ledger, edits);
  const source = createSource({
    ...{ name, replica, journal, origin, loaded },
    adopt: settings.editsBeforeSignIn === 'send',
    forget: () => session?.forget(),
  });
  const sessionHooks: SessionHooks = {
    ...hooks,
    clock: clock.measure,
    log: (what, details) => announcer.log('debug', what, () => ({ collection: name, ...details() })),
    received: ({ timestamp }) => {
      if (timestamp !== undefined) announcer.metrics.latency(Date.now() + clock.offset() - timestamp);
    },
    caughtUp: (records) => {
      if (source.wasRead()) notify([]);
      announcer.events.emit('realtimeSync', { collection: name, records });
      hooks.caughtUp();
    },
  };

  return {
    get session() {
      return session;
    },
    get remote() {
      return remote;
    },
    ...source,
    replica,
    notify,
    onChange,
    begin(parts) {
      const rules = parts.remoteRules({
        ...{ name, own, edits, transport, invalid },
        clockOffset: clock.offset,
        maxRetries: settings.maxRetries,
        report: (error) => announcer.report(error, name),
      });
      remote = parts.createRemote(ledger, rules);
      const reading = { collection: name, transport, replica: remote, filter, settings };
      session = parts.createSession({ ...reading, hooks: sessionHooks });
    },
    price: () => (transport.count ? Math.ceil(replica.rows.size / COUNTED) + 2 : replica.rows.size),
    stored: () => [...replica.stored(), ...source.stored()],
  };
}
