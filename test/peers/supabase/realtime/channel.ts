import type { Claims } from '../tokens.js';
import type { Binding, Subscription } from './subscription.js';

/** What a client asks for in its join. */
export interface JoinConfig {
  readonly bindings: readonly Binding[];
  readonly private: boolean;
  readonly self: boolean;
  readonly ack: boolean;
  readonly replicationReady: boolean;
  readonly replay: { readonly since: number; readonly limit: number } | undefined;
}

/** A topic that a socket has joined. */
export interface Channel {
  readonly topic: string;
  readonly joinRef: string;
  readonly config: JoinConfig;
  claims: Claims;
  /** Empty until the server says `system` ok. */
  subscriptions: readonly Subscription[];
  /** Aborted when it is left, closed, or joined anew. */
  readonly closed: AbortController;
  /** Those of the claims in force: the end of the token, and the subscription to come. */
  timers: AbortController;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function readBinding(value: Readonly<Record<string, unknown>>): Binding {
  const { event, schema, table, filter, select } = value;
  const columns = Array.isArray(select) ? select.filter((each) => typeof each === 'string') : undefined;
  return {
    ...(text(event) === undefined ? {} : { event: String(event) }),
    ...(text(filter) === undefined ? {} : { filter: String(filter) }),
    ...(text(schema) === undefined ? {} : { schema: String(schema) }),
    ...(columns === undefined ? {} : { select: columns }),
    ...(text(table) === undefined ? {} : { table: String(table) }),
  };
}

/** Old clients name their table in the topic. */
function bindingsOfTopic(topic: string): Binding[] {
  const [, schema, table] = topic.split(':');
  return schema === undefined || table === undefined ? [] : [{ schema, table }];
}

/** The parts of a join's payload that the server reads, and its token. */
export function readJoin(topic: string, payload: unknown): { readonly config: JoinConfig; readonly token?: string } {
  const { config: given, access_token: token } = isRecord(payload) ? payload : {};
  const config = isRecord(given) ? given : undefined;
  const broadcast = isRecord(config?.broadcast) ? config.broadcast : {};
  const changes = config?.postgres_changes;
  const bindings = Array.isArray(changes) ? changes.filter(isRecord).map(readBinding) : [];
  const { since, limit } = isRecord(broadcast.replay) ? broadcast.replay : {};
  return {
    config: {
      bindings: config === undefined ? bindingsOfTopic(topic) : bindings,
      private: config?.private === true,
      self: broadcast.self === true,
      ack: broadcast.ack === true,
      replicationReady: broadcast.replication_ready === true,
      replay: typeof since === 'number' ? { since, limit: typeof limit === 'number' ? limit : 25 } : undefined,
    },
    // A key of the new kind is no token: the client's key at the upgrade counts.
    ...(typeof token === 'string' && token !== '' && !token.startsWith('sb_') ? { token } : {}),
  };
}

/** The token of an `access_token` message. */
export const readToken = (payload: unknown): string | undefined =>
  isRecord(payload) ? text(payload.access_token) : undefined;

/** A client's broadcast, which came as text or binary. */
export function readBroadcast(payload: unknown): { readonly event: string; readonly payload: string | Buffer } {
  const { event, payload: body } = isRecord(payload) ? payload : {};
  return { event: text(event) ?? '', payload: Buffer.isBuffer(body) ? body : JSON.stringify(body ?? {}) };
}
