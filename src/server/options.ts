import type { Server as HttpServer, IncomingMessage } from 'node:http';
import * as z from 'zod/mini';
import type { Row } from '../base/change.js';
import { parseOptions, rule } from '../base/options.js';
import type { Log } from '../observe/logger.js';
import { memoryServerStore } from './memory-store.js';
import type { ServerStore } from './store.js';

/** Who is behind a connection or request. `id` goes out with each of the user's changes as `metadata.userId`. */
export interface SyncUser {
  readonly id: string;
  readonly [claim: string]: unknown;
}

/** What `authorize` is asked. `user` is null where no `authenticate` is configured. */
export type AuthorizeRequest = { readonly user: SyncUser | null; readonly collection: string } & (
  | { readonly action: 'subscribe'; readonly recordId?: never; readonly row?: never; readonly previous?: never }
  | { readonly action: 'read'; readonly recordId: string; readonly row: Row; readonly previous?: never }
  | {
      readonly action: 'write';
      readonly recordId: string;
      /** The row as it would be; null for a delete. */
      readonly row: Row | null;
      /** The row as it is; null if there is none. */
      readonly previous: Row | null;
    }
);

export type Authenticate = (
  token: string | undefined,
  request: IncomingMessage,
) => SyncUser | null | Promise<SyncUser | null>;

/** Must answer `read` at once; `subscribe` and `write` may take their time. */
export type Authorize = (request: AuthorizeRequest) => boolean | Promise<boolean>;

export interface RateLimit {
  /** So many messages at once, and on average... */
  readonly messages: number;
  /** ...so many each this long, in ms. */
  readonly perMs: number;
}

/**
 * The options of `createSyncServer`. Durations are milliseconds, sizes are bytes.
 */
export interface SyncServerOptions {
  /** Default 0: any free port, told by `server.url`. Not used with `server`. */
  readonly port?: number;
  /** Default `127.0.0.1`: this machine only. `0.0.0.0` for everybody. Not used with `server`. */
  readonly host?: string;
  /** Path of the WebSocket endpoint. Default `/ws`. */
  readonly path?: string;
  /** Goes before `/sync` and `/health`, e.g. `/api`. Default: nothing. */
  readonly httpPath?: string;
  /**
   * An HTTP server that you run. Its upgrade requests for `path` are taken, everything else is left alone: mount
   * `server.handler` yourself for REST. It is not listened to and not closed.
   */
  readonly server?: HttpServer;
  /** Default `memoryServerStore()`. It is opened here and closed by `close()`. */
  readonly store?: ServerStore;
  /** The collections that exist; others answer COLLECTION_NOT_FOUND. Default: any name. */
  readonly collections?: readonly string[];
  /**
   * Tells who a token belongs to; null or a throw refuses it. A throw of a SyncLayerError that is worth a retry
   * (`STORE_FAILED`) says that it could not be told: the client tries again. Called without a token as well, for who
   * has cookies. Default: everybody is let in.
   */
  readonly authenticate?: Authenticate;
  /** May this user do this? Default: yes. A row that a user may not read never reaches that user. */
  readonly authorize?: Authorize;
  /** Refuses a row for good by throwing or by returning why. Called at each write that would change something. */
  readonly validate?: (collection: string, row: Row) => string | undefined | null | undefined;
  /** Per connection, and per user (or address) for REST. Default: none. */
  readonly rateLimit?: RateLimit;
  /** Longest message or request body, bytes. Default 1 048 576. */
  readonly maxPayload?: number;
  /** Default: no limit. Further ones are answered 503. */
  readonly maxConnections?: number;
  /** Default: no limit. Further ones get RATE_LIMIT_EXCEEDED and are closed with 1013. */
  readonly maxConnectionsPerUser?: number;
  /** A client that says nothing for so long is dropped with 4408, ms. Default 60 000. */
  readonly idleTimeout?: number;
  /** A client has so long to send its `auth` message, ms. Default 10 000. */
  readonly authTimeout?: number;
  /**
   * A socket with more than this unsent gets no further events, bytes; once it has drained it is told `gap` for each
   * collection. Default 4 194 304.
   */
  readonly maxBufferedBytes?: number;
  /** Deletes are remembered for so long, ms. A client that was away for longer gets a snapshot. Default 30 days. */
  readonly tombstoneRetention?: number;
  /** A repeated `opId` is recognised for so long, ms. Default 7 days. */
  readonly opRetention?: number;
  /** Compress messages. Default false: it costs more memory and time than it saves on small events. */
  readonly perMessageDeflate?: boolean;
  /** Origins whose pages may use REST; `true` is all of them, `false` none. Default true. */
  readonly cors?: boolean | readonly string[];
  /** Most records in one page, and how many a request gets that names no limit. Default 1000. */
  readonly pageSize?: number;
  /** Default: errors go to the console. Never given a token. */
  readonly log?: Log;
  /** The clock, ms since 1970; for tests. Default `Date.now`. */
  readonly now?: () => number;
}

/** The options with their defaults; what has no default stays optional. */
export type Settings = Required<
  Omit<SyncServerOptions, 'server' | 'collections' | 'authenticate' | 'authorize' | 'validate' | 'rateLimit'>
> &
  Pick<SyncServerOptions, 'server' | 'collections' | 'authenticate' | 'authorize' | 'validate' | 'rateLimit'>;

const DAY = 24 * 60 * 60 * 1000;

const isFunction = (value: unknown): boolean => typeof value === 'function';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const optional = (expected: string, test: (value: unknown) => boolean) => z.optional(rule(expected, test));
const isWhole = (value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): boolean =>
  Number.isSafeInteger(value) && isNumber(value) && value >= least && value <= most;

const fn = (call: string) => optional(`a function ${call}`, isFunction);
const flag = optional('true or false', isFlag);
const whole = (what: string) => optional(`a whole number of ${what}, 1 or more`, (value) => isWhole(value, 1));
const isDuration = (value: unknown): boolean => Number.isFinite(value) && (value as number) > 0;
const duration = optional('a number of milliseconds above 0', isDuration);

const schema = z.strictObject(
  {
    port: optional('a whole number, 0 to 65535', (value) => isWhole(value, 0, 65_535)),
    host: optional('an address, such as "0.0.0.0"', isText),
    path: optional('a path that begins with "/"', (value) => isText(value) && /^\/\S*$/.test(value)),
    httpPath: optional('a path that begins with "/", or empty', (value) => isText(value) && /^(\/\S*)?$/.test(value)),
    server: optional('an http.Server', (value) => isFunction((value as HttpServer | null)?.on)),
    store: optional('memoryServerStore(), sqliteServerStore({ path }) or another server store', (value) =>
      isFunction((value as ServerStore | null)?.transaction),
    ),
    collections: optional('an array of names', isTexts),
    authenticate: fn('(token, request) => user'),
    authorize: fn('({ action, user, collection }) => boolean'),
    validate: fn('(collection, row) => why it is refused'),
    rateLimit: z.optional(
      z.strictObject(
        {
          messages: rule('a whole number of messages, 1 or more', (value) => isWhole(value, 1)),
          perMs: rule('a number of milliseconds above 0', isDuration),
        },
        { error: 'an object { messages, perMs }' },
      ),
    ),
    maxPayload: whole('bytes'),
    maxConnections: whole('connections'),
    maxConnectionsPerUser: whole('connections'),
    idleTimeout: duration,
    authTimeout: duration,
    maxBufferedBytes: whole('bytes'),
    tombstoneRetention: duration,
    opRetention: duration,
    perMessageDeflate: flag,
    cors: optional('true, false or an array of origins', (value) => isFlag(value) || isTexts(value)),
    pageSize: whole('records'),
    log: fn('(level, message, details) => void'),
    now: fn('() => ms since 1970'),
  },
  { error: 'an object' },
);

const onlyErrors: Log = (level, message, details) => {
  // biome-ignore lint/suspicious/noConsole: a server that fails in silence cannot be mended; `log` replaces this.
  if (level === 'error') console.error(`[synclayer] ${message}`, ...(details ? [details] : []));
};

/** Checks the options and fills in the defaults. Throws CONFIG_INVALID that names each wrong option. */
export function readOptions(options: SyncServerOptions): Settings {
  parseOptions(schema, options, 'createSyncServer');
  return {
    port: 0,
    host: '127.0.0.1',
    path: '/ws',
    httpPath: '',
    maxPayload: 1_048_576,
    maxConnections: Number.POSITIVE_INFINITY,
    maxConnectionsPerUser: Number.POSITIVE_INFINITY,
    idleTimeout: 60_000,
    authTimeout: 10_000,
    maxBufferedBytes: 4_194_304,
    tombstoneRetention: 30 * DAY,
    opRetention: 7 * DAY,
    perMessageDeflate: false,
    cors: true,
    pageSize: 1000,
    log: onlyErrors,
    now: Date.now,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    store: options.store ?? memoryServerStore(),
  };
}
