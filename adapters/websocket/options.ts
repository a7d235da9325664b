import {
  type AuthToken,
  checkOptions,
  LONGEST_TIMER,
  type OptionRules,
  parseUrl,
  withDefaults,
} from '../../src/adapter-kit/kit.js';

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
  readonly heartbeatInterval?: number;
  /** How long any sign of life may take after a ping before the socket is taken for dead. Default 10 000. */
  readonly heartbeatTimeout?: number;
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

const defaults = {
  authMode: 'message',
  heartbeatInterval: 30_000,
  heartbeatTimeout: 10_000,
  requestTimeout: 15_000,
  maxPayload: 1_048_576,
  overlap: 10_000,
} as const satisfies WebSocketTransportOptions;

/** The options with their defaults. */
export type ParsedOptions = WebSocketTransportOptions &
  Required<Pick<WebSocketTransportOptions, keyof typeof defaults>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';

/** Credentials and queries are refused where they would show up in messages or break paths. */
function isAddress(scheme: string, value: unknown): boolean {
  const url = parseUrl(value);
  if (!url || ![scheme, `${scheme}s`].includes(url.scheme)) return false;
  return url.user + url.hash + (scheme === 'http' ? url.query : '') === '';
}

const address = (scheme: string, more: string): OptionRules[string] => [
  `a URL that begins with ${scheme}:// or ${scheme}s://, without user name${more}`,
  (value) => isAddress(scheme, value),
];
const positive: OptionRules[string] = [
  `a number above 0, up to ${LONGEST_TIMER}`,
  (value) => Number(value) > 0 && Number(value) <= LONGEST_TIMER,
];

/** Without zod: this is loaded with every app, and small. */
export const rules = {
  url: address('ws', '; or left out, with baseUrl for polling only'),
  baseUrl: address('http', ' or query'),
  authToken: ['a string, or a function that returns one', (value) => typeof value === 'string' || isFunction(value)],
  authMode: ['"message" or "query"', (value) => value === 'message' || value === 'query'],
  heartbeatInterval: positive,
  heartbeatTimeout: positive,
  requestTimeout: positive,
  maxPayload: positive,
  overlap: positive,
  WebSocket: ['a WebSocket class', isFunction],
  fetch: ['a fetch function', isFunction],
} satisfies OptionRules;

/** The options, checked. Throws CONFIG_INVALID. */
export function readOptions(input: WebSocketTransportOptions): ParsedOptions {
  checkOptions(rules, input, 'websocketTransport', Object(input).baseUrl ? [] : ['url'], {
    pingInterval: 'heartbeatInterval',
    pongTimeout: 'heartbeatTimeout',
  });
  return withDefaults(defaults, input);
}
