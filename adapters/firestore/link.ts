import type { FirebaseApp, FirebaseOptions } from 'firebase/app';
import type { Firestore } from 'firebase/firestore';
import {
  abort,
  type ErrorCode,
  isSyncLayerError,
  joined,
  newId,
  notLoaded,
  OUTSIDE_LIMIT,
  type SyncLayerError,
  type TransportHost,
  within,
} from '../../src/adapter-kit/kit.js';
import { type ParsedOptions, problem } from './options.js';

export type Sdk = typeof import('firebase/firestore');

/** The SDK, and one instance of its client. */
export interface Client {
  readonly sdk: Sdk;
  readonly db: Firestore;
  /** It is the app's own: what the app has ended stays ended. */
  readonly given?: true;
}

/** A client, from one connect to the loss that follows. */
export interface Session extends Client {
  /** Aborts at the loss, with the SyncLayerError that is its reason; with none: it was wanted. */
  readonly lost: AbortSignal;
  /** The client does not answer. */
  drop(reason: SyncLayerError): void;
}

/** How to get a client. */
export interface Link {
  /** For a read or a write: made if there is none. */
  session(): Promise<Session>;
  readonly current: Session | undefined;
  /** A client for the next attempt. `refusedAt`: since when no server could be reached with the one that there is. */
  renew(refusedAt: number | undefined): Promise<Session>;
  /** Ends the session, but not the client: it may be as good as the next one. */
  lose(reason: SyncLayerError): void;
  /** Ends the client too, if it is ours. */
  drop(reason?: SyncLayerError): Promise<void>;
  close(): Promise<void>;
  /** Before an answer is handed on: throws where the session has changed since it was asked for. */
  check?(): void;
}

/** What the parts of the SDK use of Firebase Auth: the component `auth-internal` of an app. */
interface AuthInternal {
  getUid(): string | null;
  addAuthTokenListener(listener: (token: string | null) => void): void;
  removeAuthTokenListener(listener: (token: string | null) => void): void;
}

interface Container {
  getProvider(name: 'auth-internal'): { onInit(callback: (auth: AuthInternal) => void): () => void };
}

/** Who is signed in with the Firebase Auth of an app. */
interface Auth {
  /** Resolves once Auth knows whether a session is stored. Throws what `TransportHost.user` throws. */
  ready(): Promise<void>;
  /** Throws what `TransportHost.user` throws. */
  check(): void;
  close(): void;
}

/**
 * Firestore goes on without a session, and takes what the rules hide from its listeners for removed. So core is told who is signed in
 * before each request, and at each change. An app without Auth tells of nobody.
 */
function watchAuth(app: FirebaseApp, host: () => TransportHost): Auth {
  const { container } = app as unknown as { readonly container?: Container };
  let uid: string | null | undefined;
  let first: Promise<void> | undefined;
  let stop = (): void => undefined;
  const off = container?.getProvider('auth-internal').onInit((auth) => {
    first = new Promise((resolve) => {
      const listener = (): void => {
        uid = auth.getUid();
        resolve();
        host().sessionChanged?.(uid);
      };
      auth.addAuthTokenListener(listener);
      stop = () => auth.removeAuthTokenListener(listener);
    });
  });

  function check(): void {
    if (uid !== undefined) host().user?.(uid);
  }
  return {
    check,
    async ready() {
      const late = () =>
        problem('CONNECT_FAILED', `Firebase Auth did not say within ${OUTSIDE_LIMIT} ms who is signed in.`);
      if (first !== undefined) await within(first, { ms: OUTSIDE_LIMIT, late });
      check();
    },
    close() {
      off?.();
      stop();
    },
  };
}

/** A link of an app that may have Firebase Auth: see `watchAuth`. */
export function signedIn(link: Link, app: FirebaseApp, host: () => TransportHost): Link {
  let auth: Auth | undefined;
  function ready(): Promise<void> {
    auth ??= watchAuth(app, host);
    return auth.ready();
  }
  const { current: _, ...others } = link;
  return {
    get current() {
      return link.current;
    },
    ...others,
    async session() {
      await ready();
      return link.session();
    },
    async renew(refusedAt) {
      await ready();
      return link.renew(refusedAt);
    },
    check: () => auth?.check(),
    async close() {
      auth?.close();
      await link.close();
    },
  };
}

const missing = (cause: unknown): SyncLayerError => notLoaded('firebase', cause, { adapter: 'firestore' });

/** The SDK of Firestore. */
export async function loadSdk(): Promise<Sdk> {
  try {
    return await import('firebase/firestore');
  } catch (cause) {
    throw missing(cause);
  }
}

async function loadFirebase(): Promise<typeof import('firebase/app')> {
  try {
    return await import('firebase/app');
  } catch (cause) {
    throw missing(cause);
  }
}

/** Gives a client a session at a time. */
function createLife(drop: (reason: SyncLayerError) => void) {
  let life = new AbortController();
  return {
    of: (client: Client): Session => ({ ...client, lost: life.signal, drop }),
    end(reason?: SyncLayerError): void {
      const was = life;
      life = new AbortController();
      abort(was, reason);
    },
  };
}

/** A Firestore of the app's own. It reconnects by itself, in its own time. */
export function appLink(db: Firestore): Link {
  let client: Client | undefined;
  const life = createLife((reason) => life.end(reason));
  const session = async (): Promise<Session> => {
    client ??= { sdk: await loadSdk(), db, given: true };
    return life.of(client);
  };
  return {
    session,
    get current() {
      return client && life.of(client);
    },
    renew: session,
    lose: life.end,
    drop: async (reason) => life.end(reason),
    close: async () => life.end(),
  };
}

/**
 * How long a client is kept that meets no server, ms. grpc-js 1.9 lets one that is ended meanwhile connect once more, and nobody
 * closes that socket. It waits longer each time, up to 6 s by then; a new client begins anew.
 */
const PATIENCE = 15_000;
/** How long the end of a client may take, ms. One whose own code failed never ends, and nobody may wait for it. */
const ENDING = 5000;

/** Ends a client; it settles whatever becomes of it. */
async function terminate({ sdk, db }: Client): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ENDING);
  });
  // Async: a client that has failed throws at once.
  const end = (async () => sdk.terminate(db))().catch(() => undefined);
  await Promise.race([end, late]);
  clearTimeout(timer);
}

/** A Firestore of our own. In Node one that lost its server can take 90 s to notice; a new one takes 0.3 s. */
export function ownLink({ app: given, config, emulator }: ParsedOptions): Link {
  let app: FirebaseApp | undefined;
  let current: Promise<Client> | undefined;
  let ready: Client | undefined;
  let ended: Promise<void> = Promise.resolve();
  /** It was not connected yet: a pull came first. */
  let fresh = false;
  let closed = false;
  const life = createLife((reason) => void drop(reason));

  async function make(): Promise<Client> {
    // Not the end of this one, which may be wanted while it is being made.
    const before = ended;
    const [firebase, sdk] = await Promise.all([loadFirebase(), loadSdk()]);
    // A second client on the same host would take over the dead connection of the first.
    await before;
    app ??=
      (given as FirebaseApp | undefined) ?? firebase.initializeApp(config as FirebaseOptions, `synclayer-${newId()}`);
    let db: Firestore;
    try {
      db = sdk.initializeFirestore(app, { localCache: sdk.memoryLocalCache() });
    } catch (cause) {
      const fix = 'The app has a Firestore already; give it to firestoreTransport as "firestore" instead of "app".';
      throw problem('CONFIG_INVALID', fix, { cause });
    }
    if (emulator !== undefined) {
      const at = emulator.lastIndexOf(':');
      sdk.connectFirestoreEmulator(db, emulator.slice(0, at), Number(emulator.slice(at + 1)));
    }
    ready = { sdk, db };
    return ready;
  }

  async function session(): Promise<Session> {
    // A pull or a push that was held up until now.
    if (closed) throw problem('CLOSED', 'This transport is closed; make a new one.');
    if (!current) {
      fresh = true;
      const made = make();
      current = made;
      made.catch(() => {
        if (current === made) current = undefined;
      });
    }
    return life.of(await current);
  }

  function drop(reason?: SyncLayerError): Promise<void> {
    const was = current;
    current = undefined;
    ready = undefined;
    // Before the client ends: each of its listeners would fail by itself.
    life.end(reason);
    if (was) ended = was.then(terminate, () => undefined);
    return ended;
  }

  return {
    session,
    get current() {
      return ready && life.of(ready);
    },
    async renew(refusedAt) {
      const kept = ready;
      if (kept && refusedAt !== undefined && performance.now() - refusedAt < PATIENCE) {
        // It would wait before it tries again.
        await kept.sdk.disableNetwork(kept.db);
        await kept.sdk.enableNetwork(kept.db);
        return life.of(kept);
      }
      if (!fresh) await drop(problem('CONNECTION_LOST', 'A new link to Firestore is being made.'));
      const made = await session();
      fresh = false;
      return made;
    },
    lose: life.end,
    drop,
    async close() {
      closed = true;
      await drop();
      if (!app || app === given) return;
      const { deleteApp } = await loadFirebase();
      await deleteApp(app);
      app = undefined;
    },
  };
}

/**
 * The SDK's promises may never end: it waits for a link that it takes for alive, and can cancel nothing.
 *
 * @throws SyncLayerError CLOSED when the signal aborts, CONNECTION_LOST (or `code`) when it took too long, with which the client
 * is dropped: others would wait as long.
 */
export async function answered<T>(
  { lost, drop }: Session,
  work: Promise<T>,
  what: string,
  ms: number,
  signal?: AbortSignal,
  code: ErrorCode = 'CONNECTION_LOST',
): Promise<T> {
  const late = (): SyncLayerError => {
    const error = problem(code, `${what} got no answer within ${ms} ms; a new link to Firestore is made.`);
    drop(error);
    return error;
  };
  try {
    return await joined(signal ? [signal, lost] : [lost], () => work, ms, late);
  } catch (cause) {
    const left = (lost.aborted || signal?.aborted) && !isSyncLayerError(cause);
    throw left ? problem('CLOSED', `${what} was given up.`) : cause;
  }
}
