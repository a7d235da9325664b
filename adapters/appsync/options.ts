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
export const problem = problemsOf('appsync');

/** Keys of an AWS identity, as `fetchAuthSession().credentials` has them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** Whose they are; null: a guest's. Left out: not known, and a change of user is not noticed. */
  readonly user?: string | null | undefined;
}

/** How the API lets this client in. `fromAmplify` makes it of Amplify's configuration. */
export type AppsyncAuth =
  | { readonly type: 'apiKey'; readonly apiKey: string }
  /** By `authToken`. */
  | { readonly type: 'userPool' | 'oidc' | 'lambda' }
  /** Asked for at each request and subscription; without credentials it is `needs-auth`. */
  | { readonly type: 'iam'; readonly credentials: () => Promise<AwsCredentials | undefined> };

/** Root fields and types of the schema, where they are not called as Amplify calls them. */
export interface AppsyncNames {
  /** Root fields: `getTodo`, `listTodos`, `syncTodos`, `createTodo` and so on. */
  readonly get?: string;
  readonly list?: string;
  readonly sync?: string;
  readonly create?: string;
  readonly update?: string;
  readonly delete?: string;
  readonly onCreate?: string;
  readonly onUpdate?: string;
  readonly onDelete?: string;
  /** Types: `ID`, `CreateTodoInput`, `ModelTodoConditionInput` and so on. */
  readonly idType?: string;
  readonly createInput?: string;
  readonly updateInput?: string;
  readonly deleteInput?: string;
  readonly condition?: string;
  readonly filter?: string;
  readonly subscriptionFilter?: string;
}

/** How a collection lies in the API. */
export interface AppsyncCollection {
  /** The type: `Todo`. */
  readonly table: string;
  /** For `list<Plural>` and `sync<Plural>`. Default: the name and an `s`. */
  readonly plural?: string;
  /**
   * The fields, without `id`: `['text', 'done', 'address { city }']`. Or a schema that has them: of zod, of valibot, or a JSON
   * Schema.
   */
  readonly fields: readonly string[] | object;
  /** Conflict detection is on: `_version`, `_deleted`, `sync<Plural>`. Default false. */
  readonly versioned?: boolean;
  /** The key. Default `id`. */
  readonly id?: string;
  /** Without conflict detection: the AWSDateTime that the server sets at each write. Default `updatedAt`. */
  readonly updatedAt?: string;
  /**
   * An AWSDateTime of the type for when an edit was made, which every writer sets; it is not in the rows. Last write wins compares
   * it; left out, it compares when the other edit was committed: `editedAt`.
   */
  readonly editedAt?: string;
  /**
   * What an event is good for, since it holds only what its mutation selected. `checked` (default): a row with a null is read.
   * `whole`: every writer selects every field. `ids`: each row is read, whatever the event says.
   */
  readonly events?: 'checked' | 'whole' | 'ids';
  /** Only these rows, as the API's filter has it: `{ owner: { eq: 'me' } }`. For reads and subscriptions. */
  readonly where?: object;
  /** Arguments of the three subscriptions: `{ owner: 'me' }`. Those that are null are left out: they would ask for null. */
  readonly arguments?: { readonly [name: string]: string | number | boolean | null | undefined };
  readonly names?: AppsyncNames;
}

/** What `appsyncTransport` takes. Times in ms. */
export interface AppsyncTransportOptions {
  /**
   * `https://abc.appsync-api.eu-central-1.amazonaws.com/graphql`, or that of a custom domain. Subscriptions find the realtime host by
   * themselves. `…/event` is AppSync Events, which is another service.
   */
  readonly url: string;
  readonly auth: AppsyncAuth;
  /** The user's raw token, without "Bearer", unless the configuration's own `authToken` is set. */
  readonly authToken?: AuthToken | undefined;
  /** For `iam`. Default: what the url's host says. */
  readonly region?: string;
  /** Each names its type and fields. */
  readonly collections: { readonly [collection: string]: AppsyncCollection };
  /** How far a catch-up steps back for changes that were stamped before and stored after the last one. Default 10 000. */
  readonly overlap?: number;
  /** With conflict detection: how long the delta table keeps a change. Default 1 800 000, as AWS has it. */
  readonly deltaTtl?: number;
  /** How long one HTTP request may take. Default 15 000. */
  readonly requestTimeout?: number;
  /** How long a subscription may take until all three of its parts are acknowledged. Default 15 000. */
  readonly subscribeTimeout?: number;
  /** A socket that is silent for so long is dead. Default: what the server says, which is 300 000 on AWS. */
  readonly heartbeatTimeout?: number;
  /** Mutations and reads by id under way at a time. Default 6. */
  readonly concurrency?: number;
  /** Instead of the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  readonly WebSocket?: typeof globalThis.WebSocket;
}

const defaults = {
  overlap: 10_000,
  deltaTtl: 1_800_000,
  requestTimeout: 15_000,
  subscribeTimeout: 15_000,
  concurrency: 6,
} as const satisfies Partial<AppsyncTransportOptions>;

/** The options with their defaults. */
export type ParsedOptions = AppsyncTransportOptions & Required<Pick<AppsyncTransportOptions, keyof typeof defaults>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isName = (value: unknown): boolean => isText(value) && /^[_A-Za-z]\w*$/.test(value);
/** Plain http only to this machine: a token would be readable on the way. `…/event` is another service of AppSync. */
function isAddress(value: unknown): boolean {
  const url = parseUrl(value);
  if (!url) return false;
  const { scheme, host, path, user, query, hash } = url;
  if (/\.appsync-realtime-api\./.test(host) || /\/(event|realtime)\/?$/.test(path)) return false;
  const local = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
  return (scheme === 'https' || (scheme === 'http' && local)) && user + query + hash === '';
}

function isAuth(value: unknown): boolean {
  const { type, apiKey, token, credentials } = Object(value) as Readonly<Record<string, unknown>>;
  // As a header can carry it.
  if (type === 'apiKey') return isText(apiKey) && /^[!-~]+$/.test(apiKey);
  if (type === 'iam') return isFunction(credentials);
  return (type === 'userPool' || type === 'oidc' || type === 'lambda') && token === undefined;
}

const name: OptionRules[string] = ['a name of the schema', isName];
const positive: OptionRules[string] = [
  `a number above 0, up to ${LONGEST_TIMER}`,
  (value) => Number(value) > 0 && Number(value) <= LONGEST_TIMER,
];

/** The fields of a schema of zod, valibot or JSON Schema. */
export function fieldsOf(fields: AppsyncCollection['fields']): readonly string[] {
  if (Array.isArray(fields)) return fields;
  const { shape, entries, properties } = fields as Readonly<Record<string, unknown>>;
  return Object.keys((shape ?? entries ?? properties ?? {}) as object);
}

export const collectionRules = {
  table: name,
  plural: name,
  fields: [
    'names of fields, such as ["text", "address { city }"], or a schema of zod, valibot or JSON Schema',
    (value) => {
      const fields = fieldsOf(Object(value));
      return fields.length > 0 && fields.every((field) => isText(field) && /^[_A-Za-z]\w*\s*(\{.+\})?$/s.test(field));
    },
  ],
  versioned: ['true or false', (value) => typeof value === 'boolean'],
  id: name,
  updatedAt: name,
  editedAt: name,
  events: ['"checked", "whole" or "ids"', (value) => value === 'checked' || value === 'whole' || value === 'ids'],
  where: ['a filter such as { owner: { eq: "me" } }', isObject],
  arguments: [
    'an object of texts, numbers and booleans',
    (value) => isObject(value) && Object.values(value).every((each) => Object(each) !== each),
  ],
  names: [
    'an object of names of the schema',
    (value) => isObject(value) && Object.values(value).every((each) => each === undefined || isName(each)),
  ],
} satisfies OptionRules;

export const rules = {
  url: [
    'the URL of the GraphQL API, https://.../graphql (http:// to this machine): not its realtime host, not .../event (AppSync Events), without user name or query',
    isAddress,
  ],
  auth: [
    '{ type: "apiKey", apiKey }, { type: "userPool" | "oidc" | "lambda" } or { type: "iam", credentials }; its token is called authToken now, beside it',
    isAuth,
  ],
  authToken: ['a text, or a function that returns one', (value) => isText(value) || isFunction(value)],
  region: ['a region such as "eu-central-1"', isText],
  collections: ['an object, by collection', (value) => isObject(value)],
  overlap: positive,
  deltaTtl: positive,
  requestTimeout: positive,
  subscribeTimeout: positive,
  heartbeatTimeout: positive,
  concurrency: positive,
  fetch: ['a fetch function', isFunction],
  WebSocket: ['a WebSocket class', isFunction],
} satisfies OptionRules;

/** The options, checked. Throws CONFIG_INVALID. */
export function readOptions(input: AppsyncTransportOptions): ParsedOptions {
  checkOptions(rules, input, 'appsyncTransport', ['url', 'auth', 'collections'], {
    endpoint: 'url',
    models: 'collections',
    keepAliveTimeout: 'heartbeatTimeout',
  });
  for (const [name, options] of Object.entries(input.collections))
    checkOptions(collectionRules, options, `appsyncTransport, collections.${name},`, ['table', 'fields'], {
      name: 'table',
      filter: 'where',
    });
  return withDefaults(defaults, input);
}
