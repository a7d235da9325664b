import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { RowEvent } from '../../postgres/pgoutput.js';
import { type Replication, startReplication } from '../../postgres/replication.js';
import type { Database } from '../database.js';
import type { Tokens } from '../tokens.js';
import { authorize } from './authorize.js';
import { deliveriesOf } from './changes.js';
import type { Channel } from './channel.js';
import { type Connection, createConnection } from './connection.js';
import type { Delays } from './delays.js';
import type { Broadcast } from './frame.js';
import { createRateLimiter, type RateLimit } from './rate.js';
import { PUBLICATION } from './subscription.js';

export interface RealtimeOptions {
  readonly database: Database;
  readonly tokens: Tokens;
  readonly delays: Delays;
  readonly rateLimit: RateLimit | undefined;
}

/** The Realtime server. Stopped, it answers upgrades as a gateway does whose server is away. */
export interface Realtime {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** What a broadcast over HTTP is for the members of its topic. */
  broadcast(broadcast: Broadcast, isPrivate: boolean): void;
  readonly connections: number;
  /** Ends every socket: `crash` as a lost network does (1006), else with this close code. It goes on serving. */
  cut(code: number | 'crash'): void;
  /** Ends every socket and serves nobody: `kill` as a crash (1006), else as a restart (1012). */
  stop(how: 'kill' | 'restart'): Promise<void>;
  /** Serves again, cold. */
  start(): void;
  /** Subscribes every live channel anew: `system` ok a second time, or an error. */
  resubscribe(): Promise<void>;
  /** Resolves when all that was committed before has been sent, if the WAL is watched at all. */
  delivered(): Promise<void>;
}

/** Broadcasts above this many bytes are dropped without a word to the client. */
const MAX_BROADCAST_BYTES = 3_000_000;
const BROADCAST_POLL = 5;
/** The published tables where there are none. */
const NOTHING = '[]';

interface Watch {
  readonly replication: Promise<Replication>;
  readonly cancel: () => void;
}

export function createRealtime({ database, tokens, delays, rateLimit }: RealtimeOptions): Realtime {
  const server = new WebSocketServer({ noServer: true });
  const connections = new Map<object, Connection>();
  const mayPass = createRateLimiter(rateLimit);
  let serving = true;
  /** Undefined while nothing is published: the WAL is not watched. */
  let changes: Watch | undefined;
  let messages: Watch | undefined;
  /** Undefined until they were looked at once. */
  let published: string | undefined;
  let rechecks: NodeJS.Timeout | undefined;
  let firstLook: Promise<void> | undefined;
  /** Watching the WAL begins again, and subscriptions are told `ok` before it does. */
  let isResuming = false;

  const channels = (): { readonly connection: Connection; readonly channel: Channel }[] =>
    [...connections.values()].flatMap((connection) =>
      [...connection.channels.values()].map((channel) => ({ connection, channel })),
    );

  const onChanges = async (events: readonly RowEvent[]): Promise<void> => {
    const subscribers = channels().flatMap(({ connection, channel }) =>
      channel.subscriptions.map((subscription) => ({ target: { connection, channel }, subscription })),
    );
    const byChannel = new Map(subscribers.map(({ target }) => [target.channel, target]));
    const shared = subscribers.map(({ target, subscription }) => ({
      target: byChannel.get(target.channel) ?? target,
      subscription,
    }));
    const deliveries = await deliveriesOf(database, events, shared);
    if (!mayPass(deliveries.length)) return;
    for (const { target, data, ids } of deliveries)
      if (!target.channel.closed.signal.aborted) target.connection.changes(target.channel, data, ids);
  };

  const broadcast = (message: Broadcast, isPrivate: boolean, except?: Connection): void => {
    if (Buffer.byteLength(message.payload) > MAX_BROADCAST_BYTES) return;
    for (const { connection, channel } of channels())
      if (channel.topic === message.topic && channel.config.private === isPrivate && connection !== except)
        connection.broadcast(message);
  };

  const onMessages = async (events: readonly RowEvent[]): Promise<void> => {
    for (const event of events) {
      if (event.type !== 'INSERT' || event.row.get('extension') !== 'broadcast') continue;
      const { row } = event;
      const [topic, name, json, hex] = ['topic', 'event', 'payload', 'binary_payload'].map((column) => row.get(column));
      const payload = json ?? (typeof hex === 'string' ? Buffer.from(hex.slice(2), 'hex') : undefined);
      if (typeof name !== 'string' || payload === undefined) continue;
      const meta = JSON.stringify({ id: row.get('id') });
      broadcast({ topic: `realtime:${topic}`, event: name, payload, meta }, row.get('private') === 't');
    }
  };

  const watch = (
    publication: string,
    coldStart: number,
    poll: number,
    onEvents: (events: readonly RowEvent[]) => Promise<void>,
  ): Watch => {
    let timer: NodeJS.Timeout | undefined;
    let warm = (): void => {};
    const started = new Promise<void>((resolve) => {
      warm = resolve;
      timer = setTimeout(resolve, coldStart);
    });
    const replication = started.then(() =>
      startReplication({
        connect: () => database.connect(),
        publication,
        slot: `realtime_${randomBytes(8).toString('hex')}`,
        pollMs: poll,
        reconnectMs: delays.reconnect,
        onEvents,
      }),
    );
    const cancel = (): void => {
      clearTimeout(timer);
      warm();
    };
    return { replication, cancel };
  };

  const resubscribe = async (): Promise<void> => {
    const live = channels().filter(({ channel }) => channel.subscriptions.length > 0);
    await Promise.all(live.map(({ connection, channel }) => connection.resubscribe(channel)));
  };

  const publishedTables = async (): Promise<string> => {
    const text = 'select schemaname, tablename from pg_publication_tables where pubname = $1 order by 1, 2';
    return JSON.stringify(await database.query(text, [PUBLICATION]));
  };
  const begin = (isFirst: boolean): void => {
    const begun = watch(PUBLICATION, isFirst ? delays.coldStart : delays.resume, delays.poll, onChanges);
    changes = begun;
    isResuming = !isFirst;
    void begun.replication
      .then((replication) => replication.ready())
      .then(() => {
        if (changes === begun) isResuming = false;
      });
  };
  const end = async (): Promise<void> => {
    const ended = changes;
    changes = undefined;
    ended?.cancel();
    await (await ended?.replication)?.close();
  };
  /** What is published now, and with that whether the WAL is watched. */
  const recheck = async (): Promise<void> => {
    const looking = rechecks;
    const known = published;
    const now = await publishedTables().catch(() => known);
    // The server was stopped meanwhile.
    if (rechecks !== looking) return;
    published = now;
    if (now === NOTHING) await end();
    else if (changes === undefined) begin(known === undefined);
    if (known !== undefined && now !== known) await resubscribe();
  };

  const watching = async (): Promise<void> => {
    if (rechecks === undefined) {
      published = undefined;
      rechecks = setInterval(() => void recheck(), delays.publication);
      firstLook = recheck();
    }
    await firstLook;
    if (!isResuming) await (await changes?.replication)?.ready();
  };

  const cut = (code: number | 'crash'): void => {
    for (const connection of connections.values()) connection.close(code);
  };

  const refuse = (socket: Duplex, status: string, body: string): void => {
    const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close`;
    socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };

  return {
    upgrade: async (request, socket, head) => {
      socket.on('error', () => {});
      if (!serving) return refuse(socket, '502 Bad Gateway', '');
      const url = new URL(request.url ?? '/', 'http://localhost');
      const header = request.headers['x-api-key'];
      const key = url.searchParams.get('apikey') ?? (typeof header === 'string' ? header : null);
      const authorized =
        key === null ? { ok: false as const, message: 'API key is missing' } : await authorize(tokens, key);
      if (!authorized.ok) {
        const error = authorized.message.startsWith('Token has expired') ? 'Token has expired' : authorized.message;
        const timer = setTimeout(
          () => refuse(socket, '401 Unauthorized', JSON.stringify({ error })),
          delays.refusedKey,
        );
        socket.once('close', () => clearTimeout(timer));
        return;
      }
      server.handleUpgrade(request, socket, head, (client) => {
        const connection = createConnection({
          socket: client,
          version: url.searchParams.get('vsn') === '2.0.0' ? '2.0.0' : '1.0.0',
          claims: authorized.claims,
          database,
          tokens,
          delays,
          watching,
          onBroadcast: (from, channel, message) => broadcast(message, channel.config.private, from),
        });
        connections.set(client, connection);
        client.on('close', () => connections.delete(client));
        messages ??= watch('supabase_realtime_messages', 0, BROADCAST_POLL, onMessages);
      });
    },
    broadcast,
    get connections() {
      return connections.size;
    },
    cut,
    stop: async (how) => {
      serving = false;
      cut(how === 'kill' ? 'crash' : 1012);
      clearInterval(rechecks);
      rechecks = undefined;
      isResuming = false;
      const ended = messages;
      messages = undefined;
      ended?.cancel();
      await Promise.all([end(), ended?.replication.then((replication) => replication.close())]);
    },
    start: () => {
      serving = true;
    },
    resubscribe,
    delivered: async () => void (await (await changes?.replication)?.delivered()),
  };
}
