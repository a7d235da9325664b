import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Row } from '../base/change.js';
import type { LoggerOptions } from '../observe/logger.js';
import type { LocalStore } from '../store/store.js';
import type { Conflict } from '../sync/conflict/merge.js';
import type { ConflictStrategy } from '../sync/conflict/resolvers.js';
import type { BuiltInTransports } from '../transport/registry.js';
import type { ConfiguredUser } from '../transport/token.js';
import type { AuthToken, RealtimeTransport, SyncFilter } from '../transport/transport.js';

/** Written as a method, so that a `ConflictResolver<Todo>` fits: parameters of methods are compared both ways. */
type FittingResolver = { resolve(conflict: Conflict): Row | null }['resolve'];

/** One collection's settings. */
export interface CollectionConfig<S extends StandardSchemaV1 | undefined = StandardSchemaV1 | undefined> {
  /**
   * Any Standard Schema (zod, valibot, arktype ...), synchronous. Checks and types what is saved and what arrives. What it
   * gives out must pass it again, as with defaults: a row is checked each time that it changes.
   */
  readonly schema?: S | undefined;
  /** Which rows this device keeps. */
  readonly filter?: SyncFilter | undefined;
  /** For this collection instead of the general one. */
  readonly conflictStrategy?: ConflictStrategy | undefined;
  /** Must answer at once. */
  readonly customConflictResolver?: FittingResolver | undefined;
}

/** Names, or names with settings. */
export type CollectionsConfig = readonly string[] | { readonly [name: string]: CollectionConfig };

/** Where local data is kept. `name` and `path` keep users apart: name them per user, and no row crosses accounts. */
export type StoreConfig =
  | { readonly type: 'memory' }
  | { readonly type: 'indexeddb'; readonly name?: string }
  | { readonly type: 'sqlite'; readonly path: string; readonly synchronous?: 'full' | 'normal' }
  | LocalStore;

type Named<Transports> = {
  [Name in keyof Transports & string]: { readonly type: Name } & Transports[Name];
}[keyof Transports & string];

/** A transport by name with its options: one that comes with SyncLayer, or one of `SyncLayerTransports`. */
export type TransportConfig = Named<BuiltInTransports> | Named<SyncLayerTransports>;

/** `docs/configuration.md` has the whole table. All times are in milliseconds. */
export interface SyncLayerConfig<C extends CollectionsConfig = CollectionsConfig> {
  /** The backend: by name with its options, or an instance. Left out, `websocketUrl` and `baseUrl` make it. */
  readonly transport?: RealtimeTransport | TransportConfig | undefined;
  readonly collections: C;
  /** Default `{ type: 'memory' }`: nothing outlives the process. */
  readonly store?: StoreConfig | undefined;
  /** HTTP address of a SyncLayer backend, for polling: `https://api.example.com`. */
  readonly baseUrl?: string | undefined;
  /** WebSocket address of a SyncLayer backend: `wss://api.example.com/ws`. */
  readonly websocketUrl?: string | undefined;
  readonly authToken?: AuthToken | undefined;
  /**
   * The user who is signed in: edits are sent only as the user who made them. A function is asked at each edit and with each token;
   * undefined: nobody. Default: the `sub` of the token, where that is a JWT, or whom the transport's SDK tells.
   */
  readonly user?: ConfiguredUser | undefined;
  /** What becomes of edits that were made before anybody signed in: `send` gives them to the first who does. Default `keep`. */
  readonly editsBeforeSignIn?: 'keep' | 'send' | undefined;
  /** How often to read while there is no live link. Default 60 000. */
  readonly syncInterval?: number | undefined;
  /** False: nothing is pulled or pushed but by `syncNow()` and live events. Default true. */
  readonly enableAutoSync?: boolean | undefined;
  /** How often a single edit that the backend answers with "not now" is sent again before it is kept aside. Default 3. */
  readonly maxRetries?: number | undefined;
  /** Filters by collection, as an alternative to `collections.x.filter`. */
  readonly syncFilters?: { readonly [collection: string]: SyncFilter } | undefined;
  /** Who wins a field that both sides changed. Default `lastWriteWins`. */
  readonly conflictStrategy?: ConflictStrategy | undefined;
  readonly customConflictResolver?: FittingResolver | undefined;
  /** False: polling only. A function is asked again at each poll. Default: true, if there is a live address. */
  readonly enableRealtimeSync?: boolean | (() => boolean | Promise<boolean>) | undefined;
  /** Upper bound of the first wait after a loss; it doubles with each attempt. Default 1000. */
  readonly websocketReconnectDelay?: number | undefined;
  /** Upper bound of any wait. Default 30 000. */
  readonly maxReconnectDelay?: number | undefined;
  /** Attempts in a row before `failed`; polling goes on. Default: without end. */
  readonly maxWebsocketReconnectAttempts?: number | undefined;
  /** Longest attempt to connect. Default 10 000. */
  readonly connectTimeout?: number | undefined;
  /**
   * How long, in ms, nothing may come of an answer that is waited for before it is given up, with an error, and asked for again. Parts of it
   * that arrive start the time anew, heartbeats do not. A last resort: the transports' own limits are shorter. Default 300 000.
   */
  readonly answerTimeout?: number | undefined;
  /** How often a live collection is compared with the backend all the same. Default 300 000. */
  readonly auditInterval?: number | undefined;
  /** Rows per pull. Default 500. */
  readonly pageSize?: number | undefined;
  /** Live changes held in memory during a catch-up; more are dropped and pulled again. Default 10 000. */
  readonly bufferLimit?: number | undefined;
  /** How long after the page was hidden the link is dropped; false: never. Default false. */
  readonly disconnectInBackground?: number | false | undefined;
  readonly logger?: LoggerOptions | undefined;
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

/**
 * What `createSyncLayer` takes for `collections`: names, or names with settings, each with the schema that its settings have.
 * It infers `Schemas` from them, and so refuses a setting that does not exist.
 */
export type CollectionsInput<Names extends string, Schemas> =
  | readonly Names[]
  | { readonly [Name in keyof Schemas]: CollectionConfig<Schemas[Name] & (StandardSchemaV1 | undefined)> };

/** The same as the type of a SyncLayer's collections. */
export type CollectionsOf<Names extends string, Schemas> = [Names] extends [never]
  ? {
      readonly [Name in keyof Schemas]: CollectionConfig<
        Schemas[Name] extends StandardSchemaV1 ? Schemas[Name] : undefined
      >;
    }
  : readonly Names[];

type Untyped = Row;
type SchemaOf<C, N> = C extends readonly string[]
  ? undefined
  : N extends keyof C
    ? C[N] extends CollectionConfig<infer S>
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
