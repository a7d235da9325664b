import * as z from 'zod/mini';
import { type AuthToken, rule } from '../../src/adapter-kit.js';

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

const isFunction = (value: unknown): boolean => typeof value === 'function';
/** Longest setTimeout: what is longer fires at once. */
const LONGEST = 2 ** 31 - 1;

const positive = (fallback: number) =>
  z._default(
    rule<number>(`a number above 0, up to ${LONGEST}`, (value) => Number(value) > 0 && Number(value) <= LONGEST),
    fallback,
  );

/** Credentials and queries are refused where they would show up in messages or break paths. */
function isAddress(scheme: 'ws' | 'http', value: unknown): boolean {
  if (typeof value !== 'string' || !new RegExp(`^${scheme}s?://`, 'i').test(value) || !URL.canParse(value))
    return false;
  const { username, password, hash, search } = new URL(value);
  return username + password + hash + (scheme === 'http' ? search : '') === '';
}

const address = (scheme: 'ws' | 'http') =>
  z.optional(
    rule<string>(
      `a URL that begins with ${scheme}:// or ${scheme}s://, without user name${scheme === 'http' ? ' or query' : ''}`,
      (value) => isAddress(scheme, value),
    ),
  );

export const optionsSchema = z
  .strictObject({
    url: address('ws'),
    baseUrl: address('http'),
    authToken: z.optional(
      rule<AuthToken>(
        'a string, or a function that returns one',
        (value) => typeof value === 'string' || isFunction(value),
      ),
    ),
    authMode: z._default(
      rule<'message' | 'query'>('"message" or "query"', (value) => value === 'message' || value === 'query'),
      'message',
    ),
    pingInterval: positive(30_000),
    pongTimeout: positive(10_000),
    requestTimeout: positive(15_000),
    maxPayload: positive(1_048_576),
    overlap: positive(10_000),
    WebSocket: z.optional(rule<typeof globalThis.WebSocket>('a WebSocket class', isFunction)),
    fetch: z.optional(rule<typeof globalThis.fetch>('a fetch function', isFunction)),
  })
  .check(z.refine(({ url, baseUrl }) => url || baseUrl, { path: ['url'], error: 'set, or baseUrl for polling only' }));

/** The options with their defaults. */
export type ParsedOptions = z.output<typeof optionsSchema>;
