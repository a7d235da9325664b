import type { WebSocket } from 'ws';
import type { Database } from '../database.js';
import type { Claims, Tokens } from '../tokens.js';
import { type Authorized, authorize, expiredMessage, refreshMessage, topicRights } from './authorize.js';
import { type Channel, type JoinConfig, readBroadcast, readJoin, readToken } from './channel.js';
import type { Delays } from './delays.js';
import {
  type Broadcast,
  decodeFrame,
  encodeBroadcast,
  encodeFrame,
  type Incoming,
  type ProtocolVersion,
} from './frame.js';
import { bindingId, subscribeAll } from './subscription.js';

export interface ConnectionOptions {
  readonly socket: WebSocket;
  readonly version: ProtocolVersion;
  /** Those of the key at the upgrade. */
  readonly claims: Claims;
  readonly database: Database;
  readonly tokens: Tokens;
  readonly delays: Delays;
  /** Resolves when every commit from now on will be seen. */
  readonly watching: () => Promise<void>;
  /** A client's broadcast, for the other members of its channel. */
  readonly onBroadcast: (from: Connection, channel: Channel, broadcast: Broadcast) => void;
}

/** One client's socket, and the channels that it has joined. */
export interface Connection {
  readonly channels: ReadonlyMap<string, Channel>;
  changes(channel: Channel, data: string, ids: readonly number[]): void;
  broadcast(broadcast: Broadcast): void;
  /** Subscribes a channel anew, which tells the client `system` ok once more, or an error. */
  resubscribe(channel: Channel): Promise<void>;
  /** `crash`: as a killed server does, without a close frame (1006). */
  close(code: number | 'crash'): void;
}

const MAX_TIMER = 2_147_483_647;

/** Calls back after a time, unless one of the signals comes first. */
function after(ms: number, signals: readonly AbortSignal[], then: () => void): void {
  const signal = AbortSignal.any([...signals]);
  if (ms > MAX_TIMER || signal.aborted) return;
  const timer = setTimeout(then, Math.max(0, ms));
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}

export function createConnection(options: ConnectionOptions): Connection {
  const { socket, version, claims, database, tokens, delays, watching, onBroadcast } = options;
  const channels = new Map<string, Channel>();
  const ended = new AbortController();
  /** What waits while a refused join blocks the socket. */
  let held: (string | Buffer)[] | undefined;
  let silence = new AbortController();

  const write = (frame: string | Buffer): void => {
    if (held === undefined) socket.send(frame);
    else held.push(frame);
  };
  const send = (joinRef: string | null, ref: string | null, topic: string, event: string, payload: string): void =>
    write(encodeFrame({ joinRef, ref, topic, event, payload }, version));
  const reply = ({ ref, topic }: Incoming, joinRef: string | null, status: 'ok' | 'error', response = '{}'): void =>
    send(joinRef, ref, topic, 'phx_reply', `{"status":"${status}","response":${response}}`);
  const system = ({ topic, joinRef }: Channel, status: 'ok' | 'error', extension: string, message: string): void => {
    const channel = topic.slice('realtime:'.length);
    send(joinRef, null, topic, 'system', JSON.stringify({ message, status, extension, channel }));
  };

  const end = (channel: Channel): void => {
    channel.closed.abort();
    channel.timers.abort();
    channel.subscriptions = [];
    if (channels.get(channel.topic) === channel) channels.delete(channel.topic);
  };
  const closeChannel = (channel: Channel): void => {
    end(channel);
    send(channel.joinRef, channel.joinRef, channel.topic, 'phx_close', '{}');
  };

  const subscribe = async (channel: Channel): Promise<void> => {
    if (channel.config.bindings.length === 0) return;
    await watching();
    if (channel.closed.signal.aborted) return;
    const result = await subscribeAll(database, channel.config.bindings, channel.claims);
    if (channel.closed.signal.aborted) return;
    if (result.ok) channel.subscriptions = result.subscriptions;
    const message = result.ok ? 'Subscribed to PostgreSQL' : result.message;
    system(channel, result.ok ? 'ok' : 'error', 'postgres_changes', message);
  };
  /** While Postgres is away the client hears nothing, as it was seen, and the server tries on. */
  const subscribeQuietly = (channel: Channel): Promise<void> =>
    subscribe(channel).catch(() => {
      const again = (): void => void subscribeQuietly(channel);
      after(delays.reconnect, [channel.closed.signal, channel.timers.signal], again);
    });

  const expire = (channel: Channel): void => {
    const { exp } = channel.claims;
    if (exp === undefined) return;
    after(exp * 1000 - Date.now(), [channel.timers.signal], () => {
      system(channel, 'error', 'system', expiredMessage(exp));
      closeChannel(channel);
    });
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      after(ms, [ended.signal], resolve);
      ended.signal.addEventListener('abort', () => resolve(), { once: true });
    });

  const replay = async (channel: Channel): Promise<void> => {
    const { replay } = channel.config;
    if (replay === undefined) return;
    const text = `select id, event, payload::text as payload from realtime.messages where topic = $1 and private
      and extension = 'broadcast' and event is not null and inserted_at >= to_timestamp($2::float8 / 1000)
      order by inserted_at desc limit $3`;
    const topic = channel.topic.slice('realtime:'.length);
    const rows = await database.query(text, [topic, replay.since, replay.limit]);
    for (const { id, event, payload } of rows.reverse()) {
      const head = `{"event":${JSON.stringify(event)},"meta":{"id":"${id}","replayed":true}`;
      send(channel.joinRef, null, channel.topic, 'broadcast', `${head},"payload":${payload},"type":"broadcast"}`);
    }
  };

  const decide = async (topic: string, config: JoinConfig, token: string | undefined): Promise<Authorized> => {
    const authorized: Authorized = token === undefined ? { ok: true, claims } : await authorize(tokens, token);
    if (!authorized.ok || !config.private) return authorized;
    const name = topic.slice('realtime:'.length);
    const { read } = await topicRights(database, name, authorized.claims);
    const message = `You do not have permissions to read from this Channel topic: ${name}`;
    return read ? authorized : { ok: false, reason: `Unauthorized: ${message}`, message };
  };

  /** Until a join is answered its socket is blocked: what is for the client waits behind the answer. */
  const join = async (frame: Incoming): Promise<void> => {
    const { topic, joinRef } = frame;
    if (!topic.startsWith('realtime:')) return reply(frame, null, 'error', '{"reason":"unmatched topic"}');
    const { config, token } = readJoin(topic, frame.payload);
    const waiting: (string | Buffer)[] = [];
    held = waiting;
    try {
      const decided = await decide(topic, config, token);
      if (!decided.ok) await pause(delays.refusedJoin);
      held = undefined;
      if (decided.ok) await accept(frame, config, decided.claims);
      else reply(frame, joinRef, 'error', JSON.stringify({ reason: decided.reason }));
    } finally {
      held = undefined;
      for (const each of waiting) write(each);
    }
  };

  const accept = async (frame: Incoming, config: JoinConfig, granted: Claims): Promise<void> => {
    const { topic, ref } = frame;
    const channel: Channel = {
      topic,
      joinRef: frame.joinRef ?? ref ?? '',
      config,
      claims: granted,
      subscriptions: [],
      closed: new AbortController(),
      timers: new AbortController(),
    };
    const former = channels.get(topic);
    channels.set(topic, channel);
    const bindings = config.bindings.map((binding) => ({ id: bindingId(binding), ...binding }));
    reply(frame, channel.joinRef, 'ok', JSON.stringify({ postgres_changes: bindings }));
    if (former !== undefined) closeChannel(former);
    if (config.replicationReady) system(channel, 'ok', 'system', 'Replication connection established');
    await replay(channel);
    expire(channel);
    void subscribeQuietly(channel);
  };

  const leave = (frame: Incoming): void => {
    const channel = channels.get(frame.topic);
    reply(frame, frame.joinRef, 'ok');
    if (channel !== undefined) closeChannel(channel);
  };

  const refresh = async (channel: Channel, token: string | undefined): Promise<void> => {
    if (token === undefined || token.startsWith('sb_')) return;
    const authorized = await authorize(tokens, token);
    if (!authorized.ok) {
      system(channel, 'error', 'system', refreshMessage(authorized.message));
      return closeChannel(channel);
    }
    if (JSON.stringify(authorized.claims) === JSON.stringify(channel.claims)) return;
    channel.claims = authorized.claims;
    channel.timers.abort();
    channel.timers = new AbortController();
    expire(channel);
    after(delays.newClaims, [channel.timers.signal], () => void subscribeQuietly(channel));
  };

  const broadcastFrom = (channel: Channel, frame: Incoming): void => {
    const { event, payload } = readBroadcast(frame.payload);
    const sent: Broadcast = { topic: channel.topic, event, payload };
    if (channel.config.self) connection.broadcast(sent);
    onBroadcast(connection, channel, sent);
    if (channel.config.ack) reply(frame, channel.joinRef, 'ok');
  };

  const handle = async (frame: Incoming): Promise<void> => {
    const { topic, event } = frame;
    if (topic === 'phoenix') return event === 'heartbeat' ? reply(frame, null, 'ok') : undefined;
    if (event === 'phx_join') return join(frame);
    if (event === 'phx_leave') return leave(frame);
    const channel = channels.get(topic);
    if (channel === undefined) return reply(frame, null, 'error', '{"reason":"unmatched topic"}');
    if (event === 'access_token') return refresh(channel, readToken(frame.payload));
    if (event === 'broadcast') return broadcastFrom(channel, frame);
  };

  const listen = (): void => {
    silence.abort();
    silence = new AbortController();
    after(delays.silence, [silence.signal, ended.signal], () => socket.close(1000));
  };

  const connection: Connection = {
    channels,
    changes: (channel, data, ids) =>
      send(null, null, channel.topic, 'postgres_changes', `{"data":${data},"ids":${JSON.stringify(ids)}}`),
    broadcast: (broadcast) => write(encodeBroadcast(broadcast, version)),
    resubscribe: (channel) => {
      channel.subscriptions = [];
      return subscribeQuietly(channel);
    },
    close: (code) => (code === 'crash' ? socket.terminate() : socket.close(code)),
  };

  /** Frames are handled one after the other: that is why a refused join holds up all that follow. */
  let handled = Promise.resolve();
  socket.on('message', (data: Buffer, binary: boolean) => {
    listen();
    const frame = decodeFrame(data, binary);
    // A frame that fails (Postgres is away) gets no answer, and the client times out.
    if (frame !== undefined) handled = handled.then(() => handle(frame)).catch(() => {});
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    ended.abort();
    silence.abort();
    for (const channel of [...channels.values()]) end(channel);
  });
  listen();
  return connection;
}
