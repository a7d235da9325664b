import { isPlainObject } from '../base/json-fault.js';
import { parseUrl } from '../base/url.js';

type Anything = Readonly<Record<string, unknown>>;
/** `all`: what the value is a part of. */
type Test = (value: unknown, all: Anything) => boolean;
/** A number: a whole one, no smaller. A text: the types that it may have. A list: the values that it may have. */
type Rule = number | string | readonly unknown[] | Test;
type Rules = Readonly<Record<string, Rule>>;

const isObject = (value: unknown): value is Anything =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const has = (value: Anything, methods: string): boolean =>
  methods.split(' ').every((method) => typeof value[method] === 'function');
const keeps = (rule: Rule, value: unknown, all: Anything): boolean =>
  typeof rule === 'function'
    ? rule(value, all)
    : typeof rule === 'number'
      ? Number.isInteger(value) && Number(value) >= rule && Number(value) < 2 ** 31
      : typeof rule === 'string'
        ? value !== '' && rule.includes(typeof value)
        : rule.includes(value);
/** An object that is nothing else, in which each field is known, and keeps its rule if it is set. */
const fits =
  (rules: Rules): Test =>
  (value) =>
    isPlainObject(value) &&
    Object.entries(value).every(
      ([key, inner]) => Object.hasOwn(rules, key) && (inner === undefined || keeps(rules[key] as Rule, inner, value)),
    );
/** The same for an object whose keys the app chose. */
const each =
  (rule: Test): Test =>
  (value) =>
    isPlainObject(value) && Object.values(value).every((inner) => rule(inner, value));
const names: Test = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((name) => keeps('string', name, {}));
const url =
  (scheme: RegExp): Test =>
  (value) =>
    scheme.test(String(value)) && parseUrl(value) !== undefined;

const resolving: Rules = {
  conflictStrategy: (value, { customConflictResolver }) =>
    ['lastWriteWins', 'serverWins', 'clientWins', customConflictResolver && 'custom'].includes(value as string),
  // Beside another strategy it may be one that nobody calls.
  customConflictResolver: (value, { conflictStrategy = 'custom' }) =>
    typeof value === 'function' && conflictStrategy === 'custom',
};
const filter = fits({
  where: isObject,
  since: (value) => Number.isFinite(value) || (typeof value === 'string' && Date.parse(value) >= 0),
  limit: 1,
  fields: names,
  excludeFields: (value, all) => names(value, all) && all.fields === undefined,
});
const collections = each(fits({ ...resolving, schema: (value) => '~standard' in Object(value), filter }));
const type = 'string';
const stores: Readonly<Record<string, Test>> = {
  memory: fits({ type }),
  indexeddb: fits({ type, name: type }),
  sqlite: fits({ type, path: type, synchronous: ['full', 'normal'] }),
};
const config = fits({
  ...resolving,
  // Beside it an address may contradict its own.
  transport: (value, { websocketUrl, baseUrl }) =>
    isObject(value) &&
    (websocketUrl ?? baseUrl) === undefined &&
    (keeps(type, value.type, value) || has(value, 'connect subscribe pull push close')),
  collections: (value, all) => names(value, all) || (names(Object.keys(Object(value)), all) && collections(value, all)),
  store: (value, all) =>
    isObject(value) &&
    (value.type === undefined
      ? has(value, 'open read commit clear close')
      : Object.hasOwn(stores, String(value.type)) &&
        stores[String(value.type)]?.(value, all) === true &&
        (value.type !== 'sqlite' || value.path !== undefined)),
  baseUrl: url(/^https?:/),
  websocketUrl: url(/^wss?:/),
  authToken: 'string function',
  user: 'string function',
  editsBeforeSignIn: ['keep', 'send'],
  syncInterval: 100,
  enableAutoSync: 'boolean',
  maxRetries: 0,
  syncFilters: (value, all) =>
    each(filter)(value, all) &&
    Object.keys(Object(value)).every((name) =>
      Array.isArray(all.collections) ? all.collections.includes(name) : Object.hasOwn(Object(all.collections), name),
    ),
  enableRealtimeSync: 'boolean function',
  websocketReconnectDelay: 0,
  maxReconnectDelay: 0,
  maxWebsocketReconnectAttempts: 0,
  connectTimeout: 1,
  answerTimeout: 1,
  auditInterval: 1000,
  pageSize: 1,
  bufferLimit: 1,
  disconnectInBackground: (value, all) => value === false || keeps(0, value, all),
  logger: fits({
    enabled: 'boolean',
    minLevel: ['debug', 'info', 'warn', 'error'],
    customLogger: 'function',
  }),
});

/**
 * A quick look at a configuration. True: it keeps every rule, so `rules.ts` need not be loaded, which has the words
 * for what is wrong. False says nothing: settings that depend on one another have no test here.
 */
export function isSurelyRight(value: unknown): boolean {
  const all = Object(value) as Anything;
  const { collections, transport, websocketUrl, baseUrl, enableRealtimeSync: live } = all;
  const address = transport ?? (live === true ? websocketUrl : live === false ? baseUrl : (websocketUrl ?? baseUrl));
  return config(value, all) && collections !== undefined && address !== undefined;
}
