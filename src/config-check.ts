import { isPlainObject } from './json-fault.js';
import { parseUrl } from './url.js';

type Anything = Readonly<Record<string, unknown>>;
/** `all`: what the value is a part of. */
type Test = (value: unknown, all: Anything) => boolean;

const isFlag: Test = (value) => typeof value === 'boolean';
const isFunction: Test = (value) => typeof value === 'function';
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTextOrFunction: Test = (value) => isText(value) || typeof value === 'function';
const isNames: Test = (value) => Array.isArray(value) && value.length > 0 && value.every(isText);
const isObject = (value: unknown): value is Anything =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const whole =
  (least: number): Test =>
  (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) < 2 ** 31;
const oneOf =
  (values: string): Test =>
  (value) =>
    isText(value) && values.split(' ').includes(value);
const url =
  (scheme: string): Test =>
  (value) =>
    isText(value) && (value.startsWith(`${scheme}://`) || value.startsWith(`${scheme}s://`)) && !!parseUrl(value);
const has = (value: Anything, methods: string): boolean =>
  methods.split(' ').every((method) => typeof value[method] === 'function');
/** An object that is nothing else, in which each field that is set has a test, and passes it. `test`: of all its fields. */
const fits =
  (tests: Readonly<Record<string, Test>> | Test): Test =>
  (value) =>
    isPlainObject(value) &&
    Object.entries(value).every(([key, inner]) => {
      if (typeof tests === 'function') return tests(inner, value);
      return Object.hasOwn(tests, key) && (inner === undefined || tests[key]?.(inner, value));
    });

const resolving: Readonly<Record<string, Test>> = {
  conflictStrategy: (value, { customConflictResolver }) =>
    oneOf('lastWriteWins serverWins clientWins')(value, {}) ||
    (value === 'custom' && typeof customConflictResolver === 'function'),
  // Beside another strategy it may be one that nobody calls.
  customConflictResolver: (value, { conflictStrategy = 'custom' }) =>
    typeof value === 'function' && conflictStrategy === 'custom',
};
const filter = fits({
  where: isObject,
  since: (value) => Number.isFinite(value) || (isText(value) && !Number.isNaN(Date.parse(value))),
  limit: whole(1),
  fields: isNames,
  excludeFields: (value, { fields }) => isNames(value, {}) && fields === undefined,
});
const collection = fits({ ...resolving, schema: (value) => '~standard' in Object(value), filter });
const stores: Readonly<Record<string, Test>> = {
  memory: fits({ type: isText }),
  indexeddb: fits({ type: isText, name: isText }),
  sqlite: (value, all) =>
    isObject(value) &&
    value.path !== undefined &&
    fits({ type: isText, path: isText, synchronous: oneOf('full normal') })(value, all),
};
const config = fits({
  ...resolving,
  // Beside it an address may contradict its own.
  transport: (value, { websocketUrl, baseUrl }) =>
    isObject(value) &&
    (websocketUrl ?? baseUrl) === undefined &&
    (isText(value.type) || has(value, 'connect subscribe pull push close')),
  collections: (value, all) =>
    isNames(value, all) || (isNames(Object.keys(Object(value)), all) && fits(collection)(value, all)),
  store: (value, all) =>
    isObject(value) &&
    (value.type === undefined
      ? has(value, 'open read commit clear close')
      : Object.hasOwn(stores, String(value.type)) && stores[String(value.type)]?.(value, all) === true),
  baseUrl: url('http'),
  websocketUrl: url('ws'),
  authToken: isTextOrFunction,
  user: isTextOrFunction,
  editsBeforeSignIn: oneOf('keep send'),
  syncInterval: whole(100),
  enableAutoSync: isFlag,
  maxRetries: whole(0),
  syncFilters: (value, all) =>
    fits(filter)(value, all) &&
    Object.keys(Object(value)).every((name) =>
      Array.isArray(all.collections) ? all.collections.includes(name) : Object.hasOwn(Object(all.collections), name),
    ),
  enableRealtimeSync: (value) => typeof value === 'boolean' || typeof value === 'function',
  websocketReconnectDelay: whole(0),
  maxReconnectDelay: whole(0),
  maxWebsocketReconnectAttempts: whole(0),
  connectTimeout: whole(1),
  answerTimeout: whole(1),
  auditInterval: whole(1000),
  pageSize: whole(1),
  bufferLimit: whole(1),
  disconnectInBackground: (value, all) => value === false || whole(0)(value, all),
  logger: fits({ enabled: isFlag, minLevel: oneOf('debug info warn error'), customLogger: isFunction }),
});

/**
 * A quick look at a configuration. True: it keeps every rule, so `config-rules.ts` need not be loaded, which has the words
 * for what is wrong. False says nothing: settings that depend on one another have no test here.
 */
export function isSurelyRight(value: unknown): boolean {
  const all = Object(value) as Anything;
  const { collections, transport, websocketUrl, baseUrl, enableRealtimeSync: live } = all;
  const address = transport ?? (live === true ? websocketUrl : live === false ? baseUrl : (websocketUrl ?? baseUrl));
  return config(value, all) && collections !== undefined && address !== undefined;
}
