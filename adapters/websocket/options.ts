import * as z from 'zod/mini';
import type { AuthToken } from '../../src/adapter-kit.js';

/** What `websocketTransport` takes. Times in ms, sizes in bytes. */
export interface WebSocketTransportOptions {
  /** `wss://api.example.com/ws`. Left out: no live link, polling of `baseUrl` only. */
  readonly url?: string;
  /** `https://api.example.com`: where `/sync/...` is. Left out: no polling while the socket is down. */
  readonly baseUrl?: string;
  /** Used unless the configuration's own `authToken` is set. */
  readonly authToken?: AuthToken;
  /** `message` (default): the token is the first frame. `query`: it is in the URL, where proxies may log it. */
  readonly authMode?: 'message' | 'query';
  /** Default 30 000; the server drops a client that is silent for 60 000. */
  readonly pingInterval?: number;
  /** How long any sign of life may take after a ping before the socket is taken for dead. Default 10 000. */
  readonly pongTimeout?: number;
  /** How long one answer may take. Default 15 000. */
  readonly requestTimeout?: number;
  /** Largest frame that is sent; a bigger edit is refused. Default 1 048 576, as in the server. */
  readonly maxPayload?: number;
  /** With a server of the original protocol: how far a pull steps back for late commits. Default 10 000. */
  readonly overlap?: number;
  /** Instead of the platform's, e.g. the `ws` package's. */
  readonly WebSocket?: typeof globalThis.WebSocket;
  readonly fetch?: typeof globalThis.fetch;
}

const number = (fallback: number) =>
  z._default(z.number({ error: 'a number' }).check(z.positive({ error: 'a number above 0' })), fallback);
const address = (scheme: 'ws' | 'http') => {
  const error = `a URL that begins with ${scheme}:// or ${scheme}s://`;
  return z.optional(z.string({ error }).check(z.regex(new RegExp(`^${scheme}s?://.`), { error })));
};
const fn = <T>(error: string) => z.custom<T>((value) => typeof value === 'function', { error });

export const optionsSchema = z
  .strictObject({
    url: address('ws'),
    baseUrl: address('http'),
    authToken: z.optional(
      z.union([z.string(), fn<Exclude<AuthToken, string>>('')], { error: 'a string, or a function that returns one' }),
    ),
    authMode: z._default(z.enum(['message', 'query'], { error: '"message" or "query"' }), 'message'),
    pingInterval: number(30_000),
    pongTimeout: number(10_000),
    requestTimeout: number(15_000),
    maxPayload: number(1_048_576),
    overlap: number(10_000),
    WebSocket: z.optional(fn<typeof globalThis.WebSocket>('a WebSocket class')),
    fetch: z.optional(fn<typeof globalThis.fetch>('a fetch function')),
  })
  .check(z.refine(({ url, baseUrl }) => url || baseUrl, { error: 'complete: set url, or baseUrl for polling only' }));

/** The options with their defaults. */
export type ParsedOptions = z.output<typeof optionsSchema>;
