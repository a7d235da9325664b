import {
  type AuthToken,
  type Change,
  type ChangeSink,
  isSyncLayerError,
  type PushResult,
  type RealtimeTransport,
  type SyncLayerError,
  type TransportHost,
} from 'synclayer/adapter-kit';
import { type Link, openLink, problem } from './mqtt-link.js';
import { type Answers, type PushAnswer, type Request, topics, type WireRecord } from './protocol.js';

export interface MqttTransportOptions {
  /** `mqtt://host:1883`, `mqtts://host`, or `wss://host/mqtt` in a browser. Without user name and password. */
  readonly url: string;
  /** What every topic begins with. Default `synclayer`. */
  readonly prefix?: string;
  /** Default `synclayer`. */
  readonly username?: string;
  /** Sent as the MQTT password, unless the configuration has its own `authToken`. */
  readonly authToken?: AuthToken;
  /** A broker that is silent for one and a half times as long is taken for dead. In ms, default 30 000. */
  readonly keepalive?: number;
  /** How long an answer may take, in ms. Default 10 000. */
  readonly requestTimeout?: number;
}

/** A record of the backend as a change. Core tells inserts from updates by what it has. */
function toChange(collection: string, { id, seq, time, data, opId }: WireRecord): Change {
  const base = { collection, recordId: id, version: seq, timestamp: time, ...(opId && { metadata: { opId } }) };
  return data === null ? { type: 'delete', ...base } : { type: 'update', ...base, data };
}

function toResult(answer: PushAnswer): PushResult {
  switch (answer.type) {
    case 'applied':
      return { type: 'applied', version: answer.seq, timestamp: answer.time };
    case 'conflict': {
      const { seq, time, data } = answer.current;
      return { type: 'conflict', current: { data, version: seq, timestamp: time } };
    }
    case 'rejected':
      return { type: 'rejected', error: problem('PUSH_REJECTED', answer.message) };
  }
}

declare global {
  /** Lets a configuration name this transport: `{ type: 'mqtt', url }`. */
  interface SyncLayerTransports {
    mqtt: MqttTransportOptions;
  }
}

/**
 * A backend behind an MQTT 3.1.1 broker, such as `mqtt-backend.ts`.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * registerTransport('mqtt', (options: MqttTransportOptions) => mqttTransport(options));
 * const sync = await createSyncLayer({ transport: { type: 'mqtt', url: 'mqtt://localhost' }, collections: ['todos'] });
 */
export function mqttTransport(options: MqttTransportOptions): RealtimeTransport {
  const { url, prefix = 'synclayer', username, authToken, keepalive = 30_000, requestTimeout = 10_000 } = options;
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address?.username !== '' || address.password !== '')
    throw problem('CONFIG_INVALID', 'mqttTransport: url must be one like mqtt://host:1883, without user name.');
  const { changes } = topics(prefix);
  const lifetime = new AbortController();
  const subscriptions = new Map<string, ChangeSink>();
  let host: TransportHost | undefined;
  let link: Link | undefined;
  let opening: Promise<unknown> | undefined;

  const notConnected = (): SyncLayerError => problem('CONNECTION_LOST', 'There is no connection to the broker.');

  async function request<R extends Request>(request: R, signal: AbortSignal): Promise<Answers[R['method']]> {
    if (!link) throw notConnected();
    return link.request(request, signal);
  }

  /** Each subscription tells it; that is how core learns of it. */
  function onLost(error: SyncLayerError): void {
    const sinks = [...subscriptions.values()];
    link = undefined;
    subscriptions.clear();
    for (const sink of sinks) sink.error(error);
  }

  async function disconnect(): Promise<void> {
    const old = link;
    link = undefined;
    subscriptions.clear();
    await Promise.allSettled([opening, old?.close()]);
  }

  return {
    name: 'mqtt',
    source: `${address.host}/${prefix}`,
    capabilities: {
      push: true,
      deletes: 'tombstones',
      cursor: 'sequence',
      reconnect: 'core',
      filters: false,
      idempotent: true,
    },
    attach(given) {
      host = given;
    },

    async connect({ signal }) {
      await disconnect();
      const password = await host?.authToken(authToken);
      const stop = AbortSignal.any([signal, lifetime.signal]);
      stop.throwIfAborted();
      const attempt = openLink({ url, prefix, username, password, keepalive, requestTimeout, host, onLost }, stop);
      opening = attempt;
      link = await attempt;
    },

    subscribe({ collection }, sink) {
      const topic = changes(collection);
      const isCurrent = (): boolean => subscriptions.get(topic) === sink;
      let last: number | undefined;
      function onMessage(message: unknown): void {
        const record = message as WireRecord | undefined;
        if (typeof record?.id !== 'string' || !Number.isInteger(record.seq) || typeof record.data !== 'object') {
          host?.report(problem('PROTOCOL_VIOLATION', `A change of "${collection}" cannot be read; core pulls it.`));
          sink.gap('a change that cannot be read');
          return;
        }
        sink.change(toChange(collection, record));
        // A broker drops messages for a client that is slow, without a word.
        if (last !== undefined && record.seq > last + 1) sink.gap('a change is missing');
        last = Math.max(last ?? 0, record.seq);
      }
      subscriptions.set(topic, sink);
      const granted = link ? link.subscribe(topic, onMessage) : Promise.reject(notConnected());
      granted.then(
        // The broker has said SUBACK: whatever is published from now on comes here.
        () => isCurrent() && sink.live(),
        (error: unknown) => {
          if (!isCurrent()) return;
          subscriptions.delete(topic);
          const refused = `The broker does not let this user read "${collection}".`;
          sink.error(isSyncLayerError(error) ? error : problem('SUBSCRIBE_REJECTED', refused, error));
        },
      );
      return () => {
        if (!isCurrent()) return;
        subscriptions.delete(topic);
        link?.unsubscribe(topic);
      };
    },

    async pull({ collection, cursor, limit, signal }) {
      const since = typeof cursor === 'number' ? cursor : 0;
      const { records, time } = await request({ method: 'pull', collection, since, limit }, signal);
      const changes = records.map((record) => toChange(collection, record));
      return { changes, cursor: records.at(-1)?.seq ?? since, serverTime: time };
    },

    async push(changes, { signal }) {
      const { results } = await request({ method: 'push', changes }, signal);
      return results.map(toResult);
    },

    async fetch(collection, ids, { signal }) {
      const { records } = await request({ method: 'fetch', collection, ids }, signal);
      return records.map((record) => toChange(collection, record));
    },

    async *keys(collection, { signal }) {
      for (let after = ''; ; ) {
        const { keys } = await request({ method: 'keys', collection, after }, signal);
        yield keys.map(({ id, seq }) => ({ recordId: id, version: seq }));
        const end = keys.at(-1);
        if (!end) return;
        after = end.id;
      }
    },

    disconnect,
    async close() {
      lifetime.abort(problem('CLOSED', 'This transport is closed; make a new one.'));
      await disconnect();
    },
  };
}
