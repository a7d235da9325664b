import type { SupabaseClient } from '@supabase/supabase-js';
import { headerToken } from '../../src/adapter-kit/header-token.js';
import {
  notLoaded,
  OUTSIDE_LIMIT,
  reasonOf,
  type SyncLayerError,
  subjectOf,
  type TransportHost,
  toSyncLayerError,
  within,
} from '../../src/adapter-kit/kit.js';
import { renewalDelay } from '../../src/adapter-kit/renewal.js';
import { type ParsedOptions, problem } from './options.js';

/** The client, and its socket. */
export interface Link {
  /** For a request; with a token that was just asked for, where the client does not see to that itself. */
  request(): Promise<{ readonly client: SupabaseClient; readonly token?: string | undefined }>;
  /** What a channel ended with, seen in the light of the token that the socket had. */
  asRefusal(error: SyncLayerError): SyncLayerError;
  /** Once it was connected. */
  readonly current: SupabaseClient | undefined;
  connect(signal: AbortSignal): Promise<void>;
  disconnect(): Promise<void>;
  close?(): void;
}

/** What is used of the phoenix socket below supabase-js; it is not in its types. */
interface PhoenixSocket {
  onOpen(callback: () => void): string;
  onError(callback: () => void): string;
  onClose(callback: () => void): string;
  off(refs: readonly string[]): void;
  makeRef(): string;
  disconnect(callback: () => void): void;
  clearHeartbeats(): void;
  readonly reconnectTimer: { scheduleTimeout: () => void };
}

const socketOf = ({ realtime }: SupabaseClient): PhoenixSocket =>
  (realtime as unknown as { socketAdapter: { getSocket(): PhoenixSocket } }).socketAdapter.getSocket();

/** Waits until the socket is open. supabase-js connects as if there were no failures, and goes on trying by itself. */
function opened(client: SupabaseClient, signal: AbortSignal): Promise<void> {
  if (client.realtime.isConnected()) return Promise.resolve();
  const socket = socketOf(client);
  return new Promise((resolve, reject) => {
    const onAbort = (): void =>
      end(
        toSyncLayerError(reasonOf(signal), 'CONNECT_FAILED', 'The connection was given up.', { adapter: 'supabase' }),
      );
    const onFailure = (): void =>
      end(problem('CONNECT_FAILED', 'Realtime could not be reached. Is the server up, and the url right?'));
    const refs = [socket.onOpen(() => end()), socket.onError(onFailure), socket.onClose(onFailure)];
    function end(error?: SyncLayerError): void {
      socket.off(refs);
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    }
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else client.realtime.connect();
  });
}

/** What is used of supabase-js that is not in its types: the option `accessToken`, with which `auth` throws. */
type Tokens = { readonly accessToken?: () => Promise<string | null> };

/** The session of a client of the app's. */
interface AppSession {
  /** The token that a request is to carry; undefined: nobody is signed in. Throws what `TransportHost.user` throws. */
  token(): Promise<string | undefined>;
  close(): void;
}

/**
 * Asks a client of the app's for its session. Without one supabase-js sends the anon key without a word, and fewer rows look as if
 * the others had been deleted: so each request is given the token that core was told of.
 */
function createAppSession(client: SupabaseClient, host: () => TransportHost): AppSession {
  const own = (client as unknown as Tokens).accessToken?.bind(client);
  const subjectIn = (token: string | null | undefined): string | null | undefined => (token ? subjectOf(token) : null);

  async function ask(): Promise<string | undefined> {
    if (own) return (await own()) ?? undefined;
    const { data, error } = await client.auth.getSession();
    // It could not be renewed: that is no word about who is signed in.
    if (error && !data.session) throw error;
    return data.session?.access_token;
  }

  const subscription = own
    ? undefined
    : client.auth.onAuthStateChange((_, session) => {
        const user = subjectIn(session?.access_token);
        host().sessionChanged?.(user);
      }).data.subscription;

  return {
    async token() {
      let token: string | undefined;
      try {
        const late = () => problem('CONNECT_FAILED', `The client's session was not there within ${OUTSIDE_LIMIT} ms.`);
        token = headerToken(await within(ask(), { ms: OUTSIDE_LIMIT, late }), problem);
      } catch (cause) {
        throw toSyncLayerError(
          cause,
          'CONNECT_FAILED',
          "The client's session could not be had; it is asked for again.",
          {
            adapter: 'supabase',
          },
        );
      }
      const user = subjectIn(token);
      if (user !== undefined) host().user?.(user);
      return token;
    },
    close: () => subscription?.unsubscribe(),
  };
}

/** A client of the app's: its session and its socket are its own business. */
export function appLink(client: SupabaseClient, host: () => TransportHost): Link {
  let session: AppSession | undefined;
  function token(): Promise<string | undefined> {
    session ??= createAppSession(client, host);
    return session.token();
  }
  return {
    request: async () => ({ client, token: await token() }),
    asRefusal: (error) => error,
    current: client,
    async connect(signal) {
      await token();
      // Without this the first join goes out before the session is there, as anon.
      const late = (): SyncLayerError =>
        problem(
          'CONNECT_FAILED',
          `The client's session was not there within ${OUTSIDE_LIMIT} ms; it is asked for again.`,
        );
      await within(client.realtime.setAuth(), { ms: OUTSIDE_LIMIT, late, signal });
      await opened(client, signal);
    },
    disconnect: async () => undefined,
    close() {
      session?.close();
      session = undefined;
    },
  };
}

/** Throws PEER_MISSING. */
export async function loadSdk(): Promise<typeof import('@supabase/supabase-js')> {
  try {
    const sdk = await import('@supabase/supabase-js');
    // Next.js with webpack gives an empty module for an optional peer that is not installed.
    if (!('createClient' in sdk)) throw new Error('Cannot find module');
    return sdk;
  } catch (cause) {
    throw notLoaded('@supabase/supabase-js', cause, { adapter: 'supabase' });
  }
}

/** A client of our own, made when it is first needed. */
export function ownLink(options: ParsedOptions, host: () => TransportHost): Link {
  const { url = '', key = '', fetch, WebSocket, heartbeatInterval } = options;
  let current: SupabaseClient | undefined;
  /** The socket's. Requests ask for their own: told of each new one, Realtime would subscribe anew each time. */
  let token: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function make(): Promise<SupabaseClient> {
    const { createClient } = await loadSdk();
    if (current) return current;
    const client = createClient(url, key, {
      accessToken: async () => token ?? null,
      ...(fetch && { global: { fetch } }),
      realtime: { heartbeatIntervalMs: heartbeatInterval, ...(WebSocket && { transport: WebSocket }) },
    });
    // Core connects again. An attempt of supabase-js' own, once on its way, would outlive a close.
    socketOf(client).reconnectTimer.scheduleTimeout = () => undefined;
    // Never joined. Without any channel supabase-js would drop the socket, after a timer that outlives it.
    client.channel('synclayer');
    current = client;
    return client;
  }

  async function request(): Promise<{ client: SupabaseClient; token: string | undefined }> {
    const fresh = headerToken(await host().authToken(options.authToken), problem);
    return { client: current ?? (await make()), token: fresh };
  }

  /** Tells the channels. supabase-js' own setAuth would leave a timer for each, since nobody answers. */
  async function renew(): Promise<void> {
    const { client, token: fresh } = await request();
    if (fresh === token) return;
    token = fresh;
    const { realtime } = client;
    realtime.accessTokenValue = fresh ?? key;
    for (const { topic, state, joinPush } of realtime.getChannels()) {
      if (state !== 'joined') continue;
      const join_ref = (joinPush as unknown as { ref: string }).ref;
      const payload = { access_token: realtime.accessTokenValue };
      realtime.push({ topic, event: 'access_token', payload, ref: socketOf(client).makeRef(), join_ref });
    }
  }

  /** Asks for a new token while the old one is good for a little longer, again and again until there is one. */
  function renewInTime(): void {
    clearTimeout(timer);
    const delay = renewalDelay(token);
    if (delay === undefined) return;
    const again = (): void => void renew().catch(host().report).then(renewInTime);
    timer = setTimeout(again, delay);
  }

  /** supabase-js' own disconnect leaves a timer of 10 s behind, and a heartbeat under way would connect again. */
  function hangUp(client: SupabaseClient): Promise<void> {
    const socket = socketOf(client);
    return new Promise((resolve) => {
      socket.disconnect(() => {
        socket.clearHeartbeats();
        resolve();
      });
    });
  }

  return {
    request,
    asRefusal: (error) => host().refused?.(token, error) ?? error,
    get current() {
      return current;
    },
    async connect(signal) {
      const { client: ready, token: fresh } = await request();
      token = fresh;
      // With the token already there when the first channel joins: supabase-js would join as anon, without a word.
      await ready.realtime.setAuth();
      if (!ready.realtime.isConnected()) await hangUp(ready);
      if (signal.aborted) throw problem('CONNECT_FAILED', 'The connection was given up.');
      await opened(ready, signal);
      renewInTime();
    },
    async disconnect() {
      clearTimeout(timer);
      timer = undefined;
      if (current) await hangUp(current);
    },
  };
}
