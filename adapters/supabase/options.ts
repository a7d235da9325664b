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
import { conditionOf } from './table.js';

/** Makes the errors of this adapter. */
export const problem = problemsOf('supabase');

/** Types that JSON numbers, or Realtime's events, carry with loss. */
export type LossyType = 'bigint' | 'numeric' | 'bytea';

/** How a collection lies in the database. Column names, but for `fields`. */
export interface SupabaseCollection {
  /** Default: the client's own, else `public`. */
  readonly schema?: string;
  /** Default: the collection's name. */
  readonly table?: string;
  /** One column, unique. Its text is the record's `id`. Default `id`. */
  readonly id?: string;
  /** timestamptz NOT NULL that a trigger sets at each write. Default `updated_at`. */
  readonly updatedAt?: string;
  /** timestamptz: set, the row counts as deleted. Left out: rows are deleted for good. */
  readonly deletedAt?: string;
  /**
   * A text column, nullable, for the ids of the last writes. With it a write whose answer was lost is known again whatever the
   * database, a trigger or somebody else made of the row since, so that `sumNumbers` is right: `op_id`.
   */
  readonly opId?: string;
  /**
   * A timestamptz for when an edit was made. Last write wins compares it; left out, it compares when the other edit was committed:
   * `edited_at`.
   */
  readonly editedAt?: string;
  /** Fields whose column has another name, or a type that numbers cannot hold: those are strings in the row. */
  readonly fields?: { readonly [field: string]: string | { readonly column?: string; readonly type?: LossyType } };
  /** Only these rows, in Realtime's form: `user_id=eq.42`. */
  readonly where?: string;
  /** The topic that the database broadcasts to, in mode `broadcast`. Default: the collection's name. */
  readonly topic?: string;
}

/** What this transport uses of a client that the app made with supabase-js. */
export interface SupabaseClientLike {
  schema(name: string): object;
  channel(name: string): object;
  readonly realtime: object;
}

/** What `supabaseTransport` takes: `client`, or `url` and `key`. Times in ms. */
export interface SupabaseTransportOptions {
  /** `https://abc.supabase.co`. */
  readonly url?: string;
  /** The publishable (anon) key. Never the service key in an app. */
  readonly key?: string;
  /** A client of the app's own: its session, headers and schema are used, its other channels left alone. */
  readonly client?: SupabaseClientLike;
  /** The user's JWT, unless the configuration's own `authToken` is set. Not together with `client`, which has its own. */
  readonly authToken?: AuthToken;
  /** Left out, a collection is the table of its name. */
  readonly collections?: { readonly [collection: string]: SupabaseCollection };
  /** `postgres_changes` (default), or `broadcast`: what a trigger sends with `realtime.broadcast_changes`. */
  readonly mode?: 'postgres_changes' | 'broadcast';
  /** How far a pull steps back for transactions that commit later than they began. Default 10 000. */
  readonly overlap?: number;
  /** How long one HTTP request may take. Default 15 000. */
  readonly requestTimeout?: number;
  /** How long a subscription may take until it is live. Default 20 000. */
  readonly subscribeTimeout?: number;
  /** Without `client`: how often to ask whether the socket is alive. Silence for as long again ends it. Default 25 000. */
  readonly heartbeatInterval?: number;
  /** Without `client`: instead of the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  readonly WebSocket?: typeof globalThis.WebSocket;
}

const defaults = {
  collections: {},
  mode: 'postgres_changes',
  overlap: 10_000,
  requestTimeout: 15_000,
  subscribeTimeout: 20_000,
  heartbeatInterval: 25_000,
} as const satisfies SupabaseTransportOptions;

/** The options with their defaults. */
export type ParsedOptions = SupabaseTransportOptions & Required<Pick<SupabaseTransportOptions, keyof typeof defaults>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';
// A column with a quote in its name cannot be written in a PostgREST query.
const isName = (value: unknown): boolean => typeof value === 'string' && value !== '' && !value.includes('"');

const types: readonly unknown[] = [undefined, 'bigint', 'numeric', 'bytea'];

function isColumn(value: unknown): boolean {
  if (!isObject(value)) return isName(value);
  const { column, type } = value as { column?: unknown; type?: unknown };
  return (column === undefined || isName(column)) && types.includes(type);
}

function isAddress(value: unknown): boolean {
  const url = parseUrl(value);
  return url !== undefined && /^https?$/.test(url.scheme) && url.user + url.hash + url.query === '';
}

function isClient(value: unknown): boolean {
  const { schema, channel, realtime } = Object(value) as Partial<Record<keyof SupabaseClientLike, unknown>>;
  return isFunction(schema) && isFunction(channel) && isObject(realtime);
}

const name: OptionRules[string] = ['a name, not empty and without "', isName];
const positive: OptionRules[string] = [
  `a number above 0, up to ${LONGEST_TIMER}`,
  (value) => Number(value) > 0 && Number(value) <= LONGEST_TIMER,
];

export const collectionRules = {
  schema: name,
  table: name,
  id: name,
  updatedAt: name,
  deletedAt: name,
  opId: name,
  editedAt: name,
  fields: [
    'an object of column names, or of { column, type: "bigint" | "numeric" | "bytea" }',
    (value) => isObject(value) && Object.values(value).every(isColumn),
  ],
  where: [
    'one condition such as "user_id=eq.42"',
    (value) => typeof value === 'string' && conditionOf(value) !== undefined,
  ],
  topic: name,
} satisfies OptionRules;

export const rules = {
  url: ['a URL that begins with http:// or https://, without user name or query', isAddress],
  key: ['the publishable key', (value) => typeof value === 'string' && value !== ''],
  client: ['a client made by createClient of @supabase/supabase-js', isClient],
  authToken: ['a string, or a function that returns one', (value) => typeof value === 'string' || isFunction(value)],
  collections: ['an object, by collection', isObject],
  mode: ['"postgres_changes" or "broadcast"', (value) => value === 'postgres_changes' || value === 'broadcast'],
  overlap: positive,
  requestTimeout: positive,
  subscribeTimeout: positive,
  heartbeatInterval: positive,
  fetch: ['a fetch function', isFunction],
  WebSocket: ['a WebSocket class', isFunction],
} satisfies OptionRules;

/** What a client of the app's own has already. */
const own = ['url', 'key', 'authToken', 'heartbeatInterval', 'fetch', 'WebSocket'] as const;

/** The options, checked. Throws CONFIG_INVALID. */
export function readOptions(input: SupabaseTransportOptions): ParsedOptions {
  const { client, collections } = Object(input) as SupabaseTransportOptions;
  const alone =
    client && Object.fromEntries(own.map((key) => [key, ['left out: client has its own', () => false] as const]));
  checkOptions({ ...rules, ...alone }, input, 'supabaseTransport', client ? [] : ['url', 'key']);
  const renamed = { primaryKey: 'id', columns: 'fields', filter: 'where' };
  for (const [name, options] of Object.entries(collections ?? {}))
    checkOptions(collectionRules, options, `supabaseTransport, collections.${name},`, [], renamed);
  return withDefaults(defaults, input);
}
