import type { FirebaseApp } from 'firebase/app';
import type { Firestore } from 'firebase/firestore';
import { timedCapabilities } from '../../src/adapter-kit/capabilities.js';
import { createLifetime, type RealtimeTransport } from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { unattached } from '../../src/adapter-kit/unattached.js';
import { createUploads } from '../../src/adapter-kit/uploads.js';
import { appLink, loadSdk, ownLink, signedIn } from './link.js';
import type { Live } from './live.js';
import { TAGS } from './normalize.js';
import { type FirestoreTransportOptions, problem, readOptions, TRANSACTION_SIZE } from './options.js';
import { createReads } from './reads.js';
import { createTables, type Table } from './table.js';

export type { FieldType } from './normalize.js';
export type {
  FirebaseAppLike,
  FirestoreCollection,
  FirestoreCondition,
  FirestoreLike,
  FirestoreTransportOptions,
} from './options.js';

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
  const uploads = createUploads();
  const reads = createReads(
    link,
    options,
    () => attached,
    () => live?.heard(),
  );
  let live: Live | undefined;

  // In chunks of their own: an app reads whole collections first.
  const onDemand = () => loadPart(() => import('./on-demand.js'));
  const writes = () => loadPart(() => import('./writes.js'));

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
      // In a chunk of its own: what is only polled does not listen.
      const { createLive } = await loadPart(() => import('./live.js'));
      live ??= createLive({ link, options, reads, life, host: () => attached });
      await live.connect(signal);
    },
    subscribe({ collection }, sink) {
      if (!live) throw problem('CONNECTION_LOST', 'Firestore is not connected.');
      return live.subscribe(tables.get(collection), sink);
    },

    pull: (request) =>
      life.during(request.signal, (signal) => reads.pull(tables.get(request.collection), { ...request, signal })),
    push: async (changes, { signal }) =>
      life.during(signal, async (signal) =>
        (await writes()).pushChanges({ link, options, tables, reads, uploads, host: () => attached }, changes, signal),
      ),
    fetch: async (collection, ids, { signal }) =>
      life.during(signal, async (signal) => (await onDemand()).inSight(reads, tables.get(collection), ids, signal)),
    keys: (collection, { signal, range }) =>
      life.each(signal, async function* keys(signal) {
        yield* (await onDemand()).keysOf(reads, tables.get(collection), range, signal);
      }),
    count: (collection, { signal, range }) =>
      life.during(signal, async (signal) =>
        (await onDemand()).countRange(reads, tables.get(collection), range, signal),
      ),

    async disconnect() {
      live?.stop();
      await link.drop();
    },
    async close() {
      life.end();
      live?.stop();
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
