import {
  type AuthToken,
  checkOptions,
  isObject,
  LONGEST_TIMER,
  type OptionRules,
  parseUrl,
  problemsOf,
  withDefaults,
} from '../../src/adapter-kit/kit.js';

/** Makes the errors of this adapter. */
export const problem = problemsOf('hasura');

/**
 * Types whose values need care in JSON. `bigint` and `numeric` are strings in the row. `array` (`text[]` and the like) is needed
 * only where introspection is disabled.
 */
export type ColumnType = 'bigint' | 'numeric' | 'float8' | 'Int' | 'array';

/** Which fields a row has: their names, or by name what column each is in GraphQL. `{}`: the one of the same name. */
export type HasuraFields =
  | readonly string[]
  | { readonly [field: string]: string | { readonly column?: string; readonly type?: ColumnType } };

/** A Standard Schema whose fields can be listed, as zod's and valibot's objects can. */
export type HasuraSchema = { readonly shape: object } | { readonly entries: object };

/** How Hasura names things in the source that holds the tables. */
export type NamingConvention = 'hasura-default' | 'graphql-default';

/** The fields of the roots that are used. */
export type RootField = 'select' | 'stream' | 'aggregate' | 'insert' | 'update' | 'delete';

/** The input types that are used: of `where`, of `objects`, of `_set`. */
export type InputType = 'where' | 'insert' | 'set';

/** How a collection lies in Hasura. All names are those in GraphQL, as the API explorer shows them. */
export interface HasuraCollection {
  /** GraphQL asks for each field by name, so they are needed: here, or by `schema`. `id` need not be among them. */
  readonly fields?: HasuraFields;
  /** Instead of `fields`: the schema of the rows. */
  readonly schema?: HasuraSchema;
  /** The table. Default: the collection's name. */
  readonly table?: string;
  /** Root fields with custom names: `{ select: 'allTodos' }`. Default: as `naming` makes them of `table`. */
  readonly roots?: { readonly [Root in RootField]?: string };
  /** Input types with custom names: `{ where: 'todo_bool_exp' }`. Default: as `naming` makes them of `table`. */
  readonly types?: { readonly [Type in InputType]?: string };
  /** One column, unique. Its text is the record's `id`. Default `id`. */
  readonly id?: string;
  /** timestamptz NOT NULL that a trigger sets at each write. Default `updated_at`, or `updatedAt` with `graphql-default`. */
  readonly updatedAt?: string;
  /** timestamptz: set, the row counts as deleted. Left out: rows are deleted for good. */
  readonly deletedAt?: string;
  /**
   * A text column, nullable, for the ids of the last writes. With it a write whose answer was lost is recognized whatever the
   * database, a trigger or another writer made of the row since, so that `sumNumbers` is right: `op_id`.
   */
  readonly opId?: string;
  /**
   * A timestamptz for when an edit was made. Last write wins compares it; left out, it compares when the other edit was committed:
   * `edited_at`.
   */
  readonly editedAt?: string;
  /** Only these rows, as a Hasura condition: `{ owner: { _eq: 'u1' } }`. */
  readonly where?: object;
  /**
   * `stream` (default): Hasura's streaming subscription gives what is new. `live`: a live query gives all rows at each
   * change, which shows deletes too; for collections of up to a few thousand rows.
   */
  readonly mode?: 'stream' | 'live';
  /** With `stream`, where rows are deleted for good: watch their number. The role needs `allow_aggregations`. Default false. */
  readonly watchCount?: boolean;
}

/** What this transport uses of a client that the app made with `createClient` of graphql-ws. */
export interface GraphqlWsClientLike {
  subscribe(payload: { readonly query: string }, sink: never): () => void;
  on(event: 'message' | 'closed', listener: (value: never) => void): () => void;
  terminate(): void;
}

type HeadersGiven = { readonly [name: string]: string };

/** What `hasuraTransport` takes. Times in ms. */
export interface HasuraTransportOptions {
  /** `https://abc.hasura.app/v1/graphql`: for HTTP, and with `ws` instead of `http` for the socket. */
  readonly url: string;
  /** Left out, the table is the one of the collection's name. Each names its fields. */
  readonly collections: { readonly [collection: string]: HasuraCollection };
  /** The user's JWT, unless the configuration's own `authToken` is set. */
  readonly authToken?: AuthToken;
  /** More headers, for HTTP and the socket: `{ 'x-hasura-role': 'editor' }`. Never the admin secret in an app. */
  readonly headers?: HeadersGiven | (() => HeadersGiven | Promise<HeadersGiven>);
  /** A graphql-ws client of the app's own, whose socket is then used. Reads and writes go by HTTP all the same. */
  readonly client?: GraphqlWsClientLike;
  /** Default `hasura-default`. */
  readonly naming?: NamingConvention;
  /** How far a pull steps back for transactions that commit later than they began. Default 10 000. */
  readonly overlap?: number;
  /** Rows in one batch of a stream. Default 500. */
  readonly batchSize?: number;
  /** How long one HTTP request may take. Default 15 000. */
  readonly requestTimeout?: number;
  /** How long a subscription may take until it is live. Default 20 000. */
  readonly subscribeTimeout?: number;
  /** The server pings every 5 s. Silence for so long: it is asked; for as long again: the link is dead. Default 10 000. */
  readonly heartbeatInterval?: number;
  /** Instead of the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  /** Instead of the platform's. Not together with `client`. */
  readonly WebSocket?: typeof globalThis.WebSocket;
}

const defaults = {
  naming: 'hasura-default',
  overlap: 10_000,
  batchSize: 500,
  requestTimeout: 15_000,
  subscribeTimeout: 20_000,
  heartbeatInterval: 10_000,
} as const satisfies Partial<HasuraTransportOptions>;

/** The options with their defaults. */
export type ParsedOptions = HasuraTransportOptions & Required<Pick<HasuraTransportOptions, keyof typeof defaults>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';
/** It goes into a document as it is. */
const isName = (value: unknown): boolean => typeof value === 'string' && /^[_a-z]\w*$/i.test(value);

const types: readonly unknown[] = [undefined, 'bigint', 'numeric', 'float8', 'Int', 'array'];

const isField = ([field, spec]: [string, unknown]): boolean =>
  isObject(spec)
    ? (spec.column === undefined ? isName(field) : isName(spec.column)) && types.includes(spec.type)
    : isName(spec);

function isSchema(value: unknown): boolean {
  const shape = Object(value).shape ?? Object(value).entries;
  return isObject(shape) && Object.keys(shape).every(isName);
}

const isNames = (value: unknown): boolean => isObject(value) && Object.values(value).every(isName);

function isAddress(value: unknown): boolean {
  const url = parseUrl(value);
  return url !== undefined && /^https?$/.test(url.scheme) && url.user + url.hash + url.query === '';
}

const names: OptionRules[string] = ['an object of GraphQL names', isNames];
const name: OptionRules[string] = ['a GraphQL name', isName];
const called: OptionRules[string] = ['a function or a class', isFunction];
const either = (...words: readonly unknown[]): OptionRules[string] => [
  words.map((word) => `"${word}"`).join(' or '),
  (value) => words.includes(value),
];
const positive: OptionRules[string] = [
  `a number above 0, up to ${LONGEST_TIMER}`,
  // A longer setTimeout fires at once.
  (value) => Number(value) > 0 && Number(value) <= LONGEST_TIMER,
];

export const collectionRules = {
  fields: [
    'a list of GraphQL names, or an object of them or of { column, type: "bigint" | "numeric" | "float8" | "Int" | "array" }',
    (value) => (Array.isArray(value) ? value.every(isName) : isObject(value) && Object.entries(value).every(isField)),
  ],
  schema: ['an object schema of zod or valibot', isSchema],
  table: name,
  roots: names,
  types: names,
  id: name,
  updatedAt: name,
  deletedAt: name,
  opId: name,
  editedAt: name,
  where: ['a condition such as { owner: { _eq: "u1" } }', isObject],
  mode: either('stream', 'live'),
  watchCount: ['a boolean', (value) => typeof value === 'boolean'],
} satisfies OptionRules;

export const rules = {
  url: ['a URL such as "https://x.hasura.app/v1/graphql", no user name, no query', isAddress],
  collections: ['an object, by collection', isObject],
  authToken: ['a string, or a function that returns one', (value) => typeof value === 'string' || isFunction(value)],
  headers: [
    'an object of strings, or a function that returns one',
    (value) => isFunction(value) || (isObject(value) && Object.values(value).every((each) => typeof each === 'string')),
  ],
  client: [
    'a client made by createClient of graphql-ws, not of subscriptions-transport-ws',
    (value) => ['subscribe', 'on', 'terminate'].every((each) => isFunction(Object(value)[each])),
  ],
  naming: either('hasura-default', 'graphql-default'),
  overlap: positive,
  batchSize: positive,
  requestTimeout: positive,
  subscribeTimeout: positive,
  heartbeatInterval: positive,
  fetch: called,
  WebSocket: called,
} satisfies OptionRules;

/** The options, checked. Throws CONFIG_INVALID. */
export function readOptions(input: HasuraTransportOptions): ParsedOptions {
  const { client, collections } = Object(input) as HasuraTransportOptions;
  const alone: OptionRules = client ? { WebSocket: ['left out: client has its own', () => false] } : {};
  checkOptions({ ...rules, ...alone }, input, 'hasuraTransport', ['url', 'collections']);
  for (const [name, options] of Object.entries(collections)) {
    checkOptions(
      collectionRules,
      options,
      `hasuraTransport, collections.${name},`,
      Object(options).schema ? [] : ['fields'],
      { primaryKey: 'id' },
    );
  }
  return withDefaults(defaults, input);
}
