import { connect } from 'mqtt';
import { type ErrorCode, SyncLayerError, type TransportHost } from 'synclayer/adapter-kit';
import { type Answers, type Reply, type Request, topics } from './protocol.js';

/** One connection to the broker. It ends once, and is never used again. */
export interface Link {
  /** Resolves when the broker has granted it. `onMessage` gets parsed JSON; undefined: it was none. */
  subscribe(topic: string, onMessage: (message: unknown) => void): Promise<void>;
  unsubscribe(topic: string): void;
  /** Rejects if the link ends, the answer is late, or `signal` aborts. */
  request<R extends Request>(request: R, signal: AbortSignal): Promise<Answers[R['method']]>;
  /** Resolves when the socket is gone. `onLost` is not called. */
  close(): Promise<void>;
}

export interface LinkOptions {
  readonly url: string;
  readonly prefix: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly keepalive: number;
  readonly requestTimeout: number;
  readonly host: TransportHost | undefined;
  /** The link ended by itself after it was open. */
  readonly onLost: (error: SyncLayerError) => void;
}

export const problem = (code: ErrorCode, message: string, cause?: unknown): SyncLayerError =>
  new SyncLayerError(code, message, { adapter: 'mqtt', cause });

/** What MQTT.js reports. Codes 4 and 5 of a CONNACK are about the user. */
function toError(error: Error & { readonly code?: unknown }): SyncLayerError {
  if (error.code === 4 || error.code === 5)
    return problem('AUTH_REQUIRED', 'The broker refused the token. Give sync.setAuthToken() another.', error);
  if (error.message === 'Keepalive timeout')
    return problem('HEARTBEAT_TIMEOUT', 'The broker is silent: no answer to a ping.', error);
  return problem('CONNECTION_LOST', 'The broker cannot be reached. Is it running, and the url right?', error);
}

/** Connects, and makes ready to ask. Rejects when that fails or `signal` aborts; no socket is left then. */
export async function openLink(options: LinkOptions, signal: AbortSignal): Promise<Link> {
  const { url, username, password, host, requestTimeout } = options;
  const clientId = crypto.randomUUID();
  const { requests, answers } = topics(options.prefix);
  const listeners = new Map<string, (message: unknown) => void>([[answers(clientId), onReply]]);
  const waiting = new Map<string, (reply: Reply) => void>();
  const over = new AbortController();
  let isOpen = false;

  const client = connect(url, {
    clientId,
    ...(password !== undefined && { username: username ?? 'synclayer', password }),
    keepalive: Math.ceil(options.keepalive / 1000),
    // Core connects again, with its backoff and a fresh token. MQTT.js must neither do so, nor keep messages until then.
    reconnectPeriod: 0,
    queueQoSZero: false,
  });
  const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));

  /** Whatever comes first. By force: a polite end waits for a peer that may be gone. */
  function end(error: SyncLayerError): void {
    if (over.signal.aborted) return;
    over.abort(error);
    client.end(true);
    if (isOpen) options.onLost(error);
  }

  // The `error` comes before the `close` and tells more. Node throws one that nobody hears, so this listener stays.
  client.on('error', (error) => end(toError(error)));
  client.once('close', () => end(problem('CONNECTION_LOST', 'The broker closed the connection.')));
  client.on('message', (topic, payload) => {
    host?.traffic('in', payload.length);
    listeners.get(topic)?.(parse(payload.toString()));
  });

  function parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      host?.report(problem('PROTOCOL_VIOLATION', 'The backend sent what is not JSON; it was skipped.', error));
      return undefined;
    }
  }

  function onReply(message: unknown): void {
    const reply = message as Reply | undefined;
    waiting.get(reply?.id ?? '')?.(reply as Reply);
  }

  async function request<R extends Request>(request: R, given: AbortSignal): Promise<Answers[R['method']]> {
    const id = crypto.randomUUID();
    const late = new AbortController();
    const message = `The backend has not answered for ${requestTimeout} ms. Is it running, beside the broker?`;
    const timer = setTimeout(() => late.abort(problem('CONNECTION_LOST', message)), requestTimeout);
    const stop = AbortSignal.any([given, late.signal, over.signal]);
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        stop.throwIfAborted();
        stop.addEventListener('abort', () => reject(stop.reason));
        waiting.set(id, resolve);
        const text = JSON.stringify({ id, ...request });
        host?.traffic('out', text.length);
        // QoS 0: the answer is the acknowledgement.
        client.publish(requests(clientId), text);
      });
      if ('answer' in reply) return reply.answer as Answers[R['method']];
      if ('forbidden' in reply) throw problem('SUBSCRIBE_REJECTED', reply.forbidden);
      throw problem('CONNECTION_LOST', `The backend could not answer: ${reply.error}`);
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  }

  const giveUp = (): void => end(signal.reason);
  try {
    await new Promise<unknown>((resolve, reject) => {
      over.signal.addEventListener('abort', () => reject(over.signal.reason));
      signal.addEventListener('abort', giveUp);
      client.once('connect', () => resolve(client.subscribeAsync(answers(clientId))));
    });
    over.signal.throwIfAborted();
  } catch (error) {
    await gone;
    throw over.signal.reason ?? error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  isOpen = true;

  return {
    async subscribe(topic, onMessage) {
      over.signal.throwIfAborted();
      listeners.set(topic, onMessage);
      await client.subscribeAsync(topic);
    },
    unsubscribe(topic) {
      listeners.delete(topic);
      if (!over.signal.aborted) client.unsubscribe(topic);
    },
    request,
    async close() {
      isOpen = false;
      end(problem('CLOSED', 'The connection was closed.'));
      await gone;
    },
  };
}
