import { isPlainObject } from './json-fault.js';
import { parseUrl } from './url.js';

type Anything = Readonly<Record<string, unknown>>;
/** `all`: what the value is a part of. */
type Test = (value: unknown, all?: Anything) => boolean;
type Tests = Readonly<Record<string, Test>>;

const isFlag: Test = (value) => typeof value === 'boolean';
const isFunction: Test = (value) => typeof value === 'function';
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isNames: Test = (value) => Array.isArray(value) && value.length > 0 && value.every(isText);
const isObject = (value: unknown): value is Anything =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount: Test = (value) => Number.isInteger(value) && Number(value) > 0 && Number(value) < 2 ** 31;
const isInterval: Test = (value) => isCount(value) && Number(value) >= 1000;
const isUrl =
  (scheme: RegExp): Test =>
  (value) =>
    isText(value) && scheme.test(value) && parseUrl(value) !== undefined;
const has =
  (...methods: readonly string[]): Test =>
  (value) =>
    isObject(value) && methods.every((method) => isFunction(value[method]));
/** An object that is nothing else, in which each field that is set has a test, and passes it. */
const fits =
  (tests: Tests): Test =>
  (value) =>
    isPlainObject(value) &&
    Object.entries(value).every(
      ([key, inner]) => Object.hasOwn(tests, key) && (inner === undefined || tests[key]?.(inner, value)),
    );

const resolving: Tests = {
  conflictStrategy: (value) => value === 'lastWriteWins' || value === 'serverWins' || value === 'clientWins',
  // Beside a strategy it may be one that nobody calls.
  customConflictResolver: (value, all) => isFunction(value) && !all?.conflictStrategy,
};
const isCollection = fits({
  ...resolving,
  schema: (value) => '~standard' in Object(value),
  filter: fits({ where: isObject, limit: isCount, fields: isNames }),
});
const isConfig = fits({
  ...resolving,
  // Beside it an address may contradict its own.
  transport: (value, all) =>
    isObject(value) &&
    !(all?.websocketUrl ?? all?.baseUrl) &&
    (isText(value.type) || has('connect', 'subscribe', 'pull', 'push', 'close')(value)),
  collections: (value) =>
    isNames(value) ||
    (isPlainObject(value) && isNames(Object.keys(value)) && Object.values(value).every((one) => isCollection(one))),
  store: (value) =>
    isObject(value) && value.type === undefined
      ? has('open', 'read', 'commit', 'clear', 'close')(value)
      : fits({ type: (type) => type === 'indexeddb', name: isText })(value),
  baseUrl: isUrl(/^https?:\/\//),
  websocketUrl: isUrl(/^wss?:\/\//),
  authToken: (value) => isText(value) || isFunction(value),
  user: (value) => isText(value) || isFunction(value),
  syncInterval: isInterval,
  enableAutoSync: isFlag,
  maxRetries: isCount,
  enableRealtimeSync: (value) => isFlag(value) || isFunction(value),
  websocketReconnectDelay: isCount,
  maxReconnectDelay: isCount,
  maxWebsocketReconnectAttempts: isCount,
  connectTimeout: isCount,
  answerTimeout: isCount,
  auditInterval: isInterval,
  pageSize: isCount,
  bufferLimit: isCount,
  disconnectInBackground: isCount,
});

/**
 * A quick look at a configuration. True: it keeps every rule, so `config-rules.ts` need not be loaded, which has the words
 * for what is wrong. False says nothing: rare settings have no test here.
 */
export function isSurelyRight(config: unknown): boolean {
  const { collections, transport, websocketUrl, baseUrl, enableRealtimeSync: live } = Object(config) as Anything;
  const address = transport ?? (live === true ? websocketUrl : live === false ? baseUrl : (websocketUrl ?? baseUrl));
  return isConfig(config) && collections !== undefined && address !== undefined;
}
