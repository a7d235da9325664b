import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as z from 'zod/mini';
import type { Row } from './change.js';
import type { LoggerOptions } from './logger.js';
import { parseOptions } from './options.js';
import type { LocalStore } from './store/store.js';
import type { ConflictResolver } from './sync/merge.js';
import type { ConflictStrategy } from './sync/resolvers.js';
import type { AuthToken, RealtimeTransport, SyncFilter } from './transport/transport.js';

/** One collection's settings. */
export interface CollectionConfig<S extends StandardSchemaV1 | undefined = StandardSchemaV1 | undefined> {
  /** Any Standard Schema (zod, valibot, arktype ...), synchronous. Checks and types what is saved and what arrives. */
  readonly schema?: S;
  /** Which rows this device keeps. */
  readonly filter?: SyncFilter;
  /** For this collection instead of the general one. */
  readonly conflictStrategy?: ConflictStrategy;
  readonly customConflictResolver?: ConflictResolver;
}

/** Names, or names with settings. */
export type CollectionsConfig = readonly string[] | { readonly [name: string]: CollectionConfig };

/** Where local data is kept. `name` and `path` keep users apart: name them per user, and no row crosses accounts. */
export type StoreConfig =
  | { readonly type: 'memory' }
  | { readonly type: 'indexeddb'; readonly name?: string }
  | { readonly type: 'sqlite'; readonly path: string; readonly synchronous?: 'full' | 'normal' }
  | LocalStore;

/** `docs/configuration.md` has the whole table. All times are in milliseconds. */
export interface SyncLayerConfig<C extends CollectionsConfig = CollectionsConfig> {
  /** The backend: by name with its options, or an instance. Left out, `websocketUrl` and `baseUrl` make it. */
  readonly transport?: RealtimeTransport | { readonly type: string; readonly [option: string]: unknown };
  readonly collections: C;
  /** Default `{ type: 'memory' }`: nothing outlives the process. */
  readonly store?: StoreConfig;
  /** HTTP address of a SyncLayer backend, for polling: `https://api.example.com`. */
  readonly baseUrl?: string;
  /** WebSocket address of a SyncLayer backend: `wss://api.example.com/ws`. */
  readonly websocketUrl?: string;
  readonly authToken?: AuthToken;
  /** How often to read while there is no live link. Default 60 000. */
  readonly syncInterval?: number;
  /** False: nothing is pulled or pushed but by `syncNow()` and live events. Default true. */
  readonly enableAutoSync?: boolean;
  /** How often a single edit that the backend answers with "not now" is sent again before it is kept aside. Default 3. */
  readonly maxRetries?: number;
  /** Filters by collection, as an alternative to `collections.x.filter`. */
  readonly syncFilters?: { readonly [collection: string]: SyncFilter };
  /** Who wins a field that both sides changed. Default `lastWriteWins`. */
  readonly conflictStrategy?: ConflictStrategy;
  readonly customConflictResolver?: ConflictResolver;
  /** False: polling only. A function is asked again at each poll. Default: true, if there is a live address. */
  readonly enableRealtimeSync?: boolean | (() => boolean | Promise<boolean>);
  /** Upper bound of the first wait after a loss; it doubles with each attempt. Default 1000. */
  readonly websocketReconnectDelay?: number;
  /** Upper bound of any wait. Default 30 000. */
  readonly maxReconnectDelay?: number;
  /** Attempts in a row before `failed`; polling goes on. Default: without end. */
  readonly maxWebsocketReconnectAttempts?: number;
  /** Longest attempt to connect. Default 10 000. */
  readonly connectTimeout?: number;
  /** How often a live collection is compared with the backend all the same. Default 300 000. */
  readonly auditInterval?: number;
  /** Rows per pull. Default 500. */
  readonly pageSize?: number;
  /** Live changes held in memory during a catch-up; more are dropped and pulled again. Default 10 000. */
  readonly bufferLimit?: number;
  /** How long after the page was hidden the link is dropped; false: never. Default false. */
  readonly disconnectInBackground?: number | false;
  readonly logger?: LoggerOptions;
}

const error = (expected: string) => ({ error: expected });
const isFunction = (value: unknown): boolean => typeof value === 'function';
const has = (value: unknown, method: string): boolean =>
  typeof value === 'object' && value !== null && isFunction((value as Record<string, unknown>)[method]);

const whole = (what: string, least = 0) => {
  const text = error(`${what}, a whole number of at least ${least}`);
  return z.optional(z.number(text).check(z.int(text), z.minimum(least, text)));
};
const ms = (least = 0) => whole('milliseconds', least);
const flag = z.optional(z.boolean(error('true or false')));
const fn = (expected: string) => z.custom<never>(isFunction, error(expected));
const url = (schemes: readonly string[]) => {
  const text = error(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
  return z.optional(
    z
      .string(text)
      .check(z.refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)), text)),
  );
};

const strings = z.optional(z.array(z.string(error('a field name')), error('an array of field names')));
const filter = z
  .strictObject(
    {
      where: z.optional(z.record(z.string(), z.unknown(), error('an object of fields and their values'))),
      since: z.optional(z.union([z.number(), z.string()], error('ms since 1970 or an ISO date'))),
      limit: whole('rows', 1),
      fields: strings,
      excludeFields: strings,
    },
    error('an object'),
  )
  .check(
    z.refine(
      ({ fields, excludeFields }) => !fields || !excludeFields,
      error('without either fields or excludeFields: they exclude each other'),
    ),
  );

const strategy = z.optional(
  z.enum(
    ['lastWriteWins', 'serverWins', 'clientWins', 'custom'],
    error('"lastWriteWins", "serverWins", "clientWins" or "custom"'),
  ),
);
const resolver = z.optional(fn('a function (conflict) => row'));

const collection = z.strictObject(
  {
    schema: z.optional(
      z.custom(
        (value) => (typeof value === 'object' || isFunction(value) ? '~standard' in (value as object) : false),
        error('a Standard Schema, such as z.object({ ... })'),
      ),
    ),
    filter: z.optional(filter),
    conflictStrategy: strategy,
    customConflictResolver: resolver,
  },
  error('an object such as { schema }'),
);

const names = error('an array of names, or an object { name: { schema? } }');
const configSchema = z
  .strictObject(
    {
      transport: z.optional(
        z.union(
          [z.custom((value) => has(value, 'subscribe') && has(value, 'pull')), z.looseObject({ type: z.string() })],
          error('{ type: "websocket", ... }, or a transport instance'),
        ),
      ),
      collections: z.union([z.array(z.string()).check(z.minLength(1)), z.record(z.string(), collection)], names),
      store: z.optional(
        z.union(
          [
            z.strictObject({ type: z.literal('memory') }),
            z.strictObject({ type: z.literal('indexeddb'), name: z.optional(z.string()) }),
            z.strictObject({
              type: z.literal('sqlite'),
              path: z.string(),
              synchronous: z.optional(z.enum(['full', 'normal'])),
            }),
            z.custom((value) => has(value, 'commit')),
          ],
          error('{ type: "memory" }, { type: "indexeddb", name }, { type: "sqlite", path }, or a LocalStore'),
        ),
      ),
      baseUrl: url(['http', 'https']),
      websocketUrl: url(['ws', 'wss']),
      authToken: z.optional(z.union([z.string(), fn('')], error('a string, or a function that returns one'))),
      syncInterval: ms(100),
      enableAutoSync: flag,
      maxRetries: whole('retries'),
      syncFilters: z.optional(z.record(z.string(), filter)),
      conflictStrategy: strategy,
      customConflictResolver: resolver,
      enableRealtimeSync: z.optional(
        z.union([z.boolean(), fn('')], error('true, false, or a function that returns one')),
      ),
      websocketReconnectDelay: ms(),
      maxReconnectDelay: ms(),
      maxWebsocketReconnectAttempts: whole('attempts'),
      connectTimeout: ms(1),
      auditInterval: ms(1000),
      pageSize: whole('rows', 1),
      bufferLimit: whole('changes', 1),
      disconnectInBackground: z.optional(z.union([z.literal(false), z.number()], error('milliseconds, or false'))),
      logger: z.optional(
        z.strictObject(
          {
            enabled: flag,
            minLevel: z.optional(
              z.enum(['debug', 'info', 'warn', 'error'], error('"debug", "info", "warn" or "error"')),
            ),
            customLogger: z.optional(fn('a function (level, message, details) => void')),
          },
          error('an object'),
        ),
      ),
    },
    error('an object'),
  )
  .check(
    z.refine(
      (config) => config.conflictStrategy !== 'custom' || config.customConflictResolver,
      error('complete: conflictStrategy "custom" needs customConflictResolver'),
    ),
    z.refine(
      (config) => config.transport || config.websocketUrl || config.baseUrl,
      error('complete: it needs a backend. Set transport, or websocketUrl, or baseUrl'),
    ),
    z.refine(
      (config) => !(config.enableRealtimeSync === true && !config.transport && !config.websocketUrl),
      error('complete: enableRealtimeSync needs websocketUrl'),
    ),
  );

/**
 * The configuration, checked. Throws CONFIG_INVALID with every problem, its key and the fix.
 */
export function parseConfig(input: SyncLayerConfig): SyncLayerConfig {
  parseOptions(configSchema, input, 'createSyncLayer');
  return input;
}

/** Each collection's settings by name, whichever way they were written. */
export function collectionsOf({ collections, syncFilters }: SyncLayerConfig): Map<string, CollectionConfig> {
  const named: [string, CollectionConfig][] = Array.isArray(collections)
    ? collections.map((name: string) => [name, {}])
    : Object.entries(collections as { readonly [name: string]: CollectionConfig });
  return new Map(
    named.map(([name, config]) => [name, { ...config, filter: config.filter ?? syncFilters?.[name] ?? {} }]),
  );
}

type Untyped = Row;
type SchemaOf<C, N> = C extends readonly string[]
  ? undefined
  : N extends keyof C
    ? C[N] extends { readonly schema: infer S }
      ? S
      : undefined
    : undefined;

/** The names that a configuration has. */
export type CollectionName<C extends CollectionsConfig> = C extends readonly (infer N extends string)[]
  ? N
  : keyof C & string;
/** What a collection gives out. */
export type OutputOf<C extends CollectionsConfig, N> =
  SchemaOf<C, N> extends StandardSchemaV1<infer _, infer Out extends object> ? Out : Untyped;
/** What a collection takes in. */
export type InputOf<C extends CollectionsConfig, N> =
  SchemaOf<C, N> extends StandardSchemaV1<infer In extends object> ? In : Untyped;
