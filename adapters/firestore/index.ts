import type { FirebaseApp } from 'firebase/app';
import type { Firestore } from 'firebase/firestore';
import { timedCapabilities } from '../../src/backends/capabilities.js';
import { loadPart } from '../../src/backends/load-part.js';
import { unattached } from '../../src/backends/unattached.js';
import {
  type ChangeSink,
  createLifetime,
  isSyncLayerError,
  type RealtimeTransport,
  reasonOf,
  type SubscribeRequest,
  toSyncLayerError,
  type Unsubscribe,
} from '../../src/kit.js';
import { appLink, loadSdk, ownLink, probe, type Session, signedIn } from './link.js';
import { listen } from './listener.js';
import { type FirestoreTransportOptions, readOptions, TRANSACTION_SIZE } from './options.js';
import { problem } from './problem.js';
import { createPulse } from './pulse.js';
import { conditionsOf, createReads, since } from './reads.js';
import { createTables, type Table } from './table.js';
import { TAGS } from './values.js';

export type {
  FirebaseAppLike,
  FirestoreCollection,
  FirestoreCondition,
  FirestoreLike,
  FirestoreTransportOptions,
} from './options.js';
export type { FieldType } from './values.js';

const can = (all: readonly Table[]) => ({ ...timedCapabilities(all), pushSize: TRANSACTION_SIZE });

/**
 * Cloud Firestore, through the `firebase` SDK: live changes by `onSnapshot`, reads in the order of a server timestamp, writes by
 * transactions. Every writer must set that timestamp, `updatedAt`, to `serverTimestamp()`; the adapter's README has the rules.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * const app = initializeApp(config); // with Firebase Auth, if the rules want a user
 * const transport = firestoreTransport({ app, collections: { todos: { deletedAt: 'deletedAt' } } });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 */
export function firestoreTransport(input: FirestoreTransportOptions): RealtimeTransport {
  const options = readOptions(input);
  const tables = createTables(options);
  const life = createLifetime();
  let attached = unattached;
  const given = options.firestore as Firestore | undefined;
  const plain = given ? appLink(given) : ownLink(options);
  const app = (given?.app ?? options.app) as FirebaseApp | undefined;
  const link = app ? signedIn(plain, app, () => attached) : plain;
  const reads = createReads(link, options, () => attached);
  /** Since when no server is found. */
  let refusedAt: number | undefined;
  function judge(error: unknown): void {
    const refused = isSyncLayerError(error) && error.details.code === 'unavailable';
    refusedAt = refused ? (refusedAt ?? performance.now()) : undefined;
  }

  async function ask(session: Session, ms: number, signal: AbortSignal): Promise<void> {
    await probe(session, ms, signal);
    attached.reads?.(1);
  }

  const pulse = createPulse(
    options.heartbeatInterval,
    async (ms) => {
      if (link.current) await ask(link.current, ms, life.signal);
    },
    (error) => {
      judge(error);
      link.lose(toSyncLayerError(error, 'CONNECTION_LOST', 'A heartbeat failed.', { adapter: 'firestore' }));
    },
  );

  function subscribe({ collection }: SubscribeRequest, sink: ChangeSink): Unsubscribe {
    const table = tables.get(collection);
    const over = new AbortController();
    const session = link.current;
    let stop = (): void => undefined;
    function end(error?: unknown): void {
      if (over.signal.aborted) return;
      over.abort();
      session?.lost.removeEventListener('abort', lose);
      stop();
      if (isSyncLayerError(error)) sink.error(error);
    }
    const lose = (): void => end(session && reasonOf(session.lost));
    async function open(): Promise<void> {
      if (!session) throw problem('CONNECTION_LOST', 'Firestore is not connected.');
      // Where deletes leave their mark, the rest of the collection need not be read again for each listener. Elsewhere only a
      // document that it holds is heard to go. And no condition on the time without need: a `serverTimestamp()` of the app's own
      // is none until the server has it, and its document would leave such a query for as long.
      const from =
        table.deletedAt === undefined
          ? undefined
          : await life.during(over.signal, (signal) => reads.newest(table, signal));
      const conditions = await conditionsOf(session, table);
      if (over.signal.aborted) return;
      const heard = (documents: number): void => {
        pulse.heard();
        attached.reads?.(documents);
      };
      stop = listen(session, table, [...conditions, ...(from ? [since(session, table, from)] : [])], sink, {
        heard,
        doubt: pulse.doubt,
        check: () => link.check?.(),
        failed: end,
      });
    }
    session?.lost.addEventListener('abort', lose);
    // Not before the caller has what it needs to end it.
    void Promise.resolve()
      .then(open)
      .catch((error: unknown) =>
        end(toSyncLayerError(error, 'CONNECTION_LOST', `"${collection}" could not be listened to.`)),
      );
    return () => end();
  }

  /** In a chunk of its own: an app reads whole collections first. */
  const part = () => loadPart(() => import('./on-demand.js'));

  async function disconnect(): Promise<void> {
    pulse.stop();
    await link.drop();
  }

  return {
    name: 'firestore',
    get source() {
      return sourceOf(options);
    },
    mapping: (name) => options.collections[name],
    get capabilities() {
      return can(tables.all());
    },
    capabilitiesOf: (name) => can([tables.get(name)]),
    values: () => ({ nestedLists: false, tags: TAGS }),
    attach(to) {
      attached = to;
    },
    prepare: async () => given ?? loadSdk(),

    async connect({ signal }) {
      if (life.over) throw problem('CLOSED', 'This transport is closed; make a new one.');
      if (signal.aborted) throw problem('CONNECT_FAILED', 'The connection was given up.');
      pulse.stop();
      link.lose(problem('CONNECTION_LOST', 'A new link to Firestore is being made.'));
      try {
        const session = await link.renew(refusedAt);
        await life.during(signal, (signal) => ask(session, options.requestTimeout, signal));
        refusedAt = undefined;
      } catch (error) {
        judge(error);
        throw error;
      }
      pulse.start();
    },
    subscribe,

    pull: (request) =>
      life.during(request.signal, (signal) => reads.pull(tables.get(request.collection), { ...request, signal })),
    push: async (changes, { signal }) =>
      life.during(signal, async (signal) =>
        (await part()).pushChanges({ link, options, tables, reads, host: () => attached }, changes, signal),
      ),
    fetch: async (collection, ids, { signal }) =>
      life.during(signal, async (signal) => (await part()).byIds(reads, tables.get(collection), ids, signal)),
    keys: (collection, { signal }) => life.each(signal, (signal) => reads.keys(tables.get(collection), signal)),

    disconnect,
    async close() {
      life.end();
      pulse.stop();
      await link.close();
    },
  };
}

/** What a Firestore says of itself, by its `toJSON`. */
interface Inside {
  readonly databaseId: { readonly projectId: string; readonly database: string };
  readonly settings: { readonly host: string; readonly isUsingEmulator: boolean };
}

/** The project, the database, and the emulator where it is one: its versions are not Google's. */
function sourceOf({ config, app, firestore, emulator }: FirestoreTransportOptions): string {
  const { databaseId, settings } = Object((firestore as Firestore | undefined)?.toJSON()) as Partial<Inside>;
  const { projectId } = (config ?? app?.options ?? databaseId ?? {}) as Partial<Inside['databaseId']>;
  const host = settings?.isUsingEmulator ? settings.host : emulator;
  return [projectId, databaseId?.database, host].filter((part) => part && part !== '(default)').join('@');
}
