import * as z from 'zod/mini';
import { parseOptions, rule } from '../base/options.js';
import { suggest } from '../base/problems.js';
import { LONGEST_TIMER } from '../base/timers.js';
import { parseUrl } from '../base/url.js';
import type { SyncLayerConfig } from './types.js';

type Anything = Readonly<Record<string, unknown>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';
const isString = (value: unknown): value is string => typeof value === 'string';
const isText = (value: unknown): value is string => isString(value) && value !== '';
const isObject = (value: unknown): value is Anything =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isWhole = (least: number, value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= least;
const has = (value: unknown, methods: string): boolean =>
  isObject(value) && methods.split(' ').every((method) => isFunction(value[method]));
const of = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);

const optional = (expected: string, test: (value: unknown) => boolean) => z.optional(rule(expected, test));
const must = (condition: unknown, expected: string, test: (value: unknown) => boolean) =>
  condition ? rule(expected, test) : optional(expected, test);
const object = (shape: Record<string, z.ZodMiniType>) => z.strictObject(shape, { error: 'an object' });
/** An object whose keys the app chose. */
const named = (names: readonly string[], make: (name: string) => z.ZodMiniType) =>
  object(Object.fromEntries(names.map((name) => [name, make(name)])));

const count = (what: string, least = 0) =>
  optional(`a whole number of ${what}, ${least} or more`, (value) => isWhole(least, value));
const isMs = (least: number, value: unknown): boolean => isWhole(least, value) && (value as number) <= LONGEST_TIMER;
const ms = (least = 0) =>
  optional(`a whole number of milliseconds, ${least} to ${LONGEST_TIMER}`, (value) => isMs(least, value));
const flag = optional('true or false', (value) => typeof value === 'boolean');
const oneOf = (...values: readonly string[]) => {
  const expected = `one of ${values.map((value) => `"${value}"`).join(', ')}`;
  const error = ({ input }: { readonly input?: unknown }): string => {
    const fix = isText(input) ? suggest(input, values) : '';
    return fix.startsWith('did') ? `${expected}; ${fix}` : expected;
  };
  return z.optional(z.custom((value) => isString(value) && values.includes(value), { error }));
};
const url = (condition: unknown, ...schemes: readonly string[]) =>
  must(
    condition,
    `a URL that begins with ${schemes.join(' or ')}`,
    (value) => parseUrl(value) !== undefined && schemes.some((scheme) => String(value).startsWith(scheme)),
  );

const fieldNames = [
  'an array of field names',
  (value: unknown) => Array.isArray(value) && value.every(isString),
] as const;
const filter = (value: unknown) =>
  z.optional(
    object({
      where: optional('an object of fields and their values', isObject),
      since: optional(
        'ms since 1970, or an ISO date',
        (since) => Number.isFinite(since) || (isString(since) && !Number.isNaN(Date.parse(since))),
      ),
      limit: count('rows', 1),
      fields: optional(...fieldNames),
      excludeFields: of(value, 'fields')
        ? optional('left out where "fields" is given', () => false)
        : optional(...fieldNames),
    }),
  );

const strategies: readonly string[] = ['lastWriteWins', 'serverWins', 'clientWins'];
const conflictStrategy = oneOf(...strategies, 'custom');
/** `used`: a collection may take it without the setting that stands beside it. */
function customConflictResolver(strategy: unknown, given: boolean, used: boolean) {
  if (strategy === 'custom' && !given)
    return rule('a function (conflict) => row, since conflictStrategy is "custom"', isFunction);
  if (strategies.includes(strategy as string) && !used)
    return optional('left out: it is called only if conflictStrategy is "custom", or left out too', () => false);
  return optional('a function (conflict) => row', isFunction);
}

const stores: Record<string, Record<string, z.ZodMiniType>> = {
  memory: {},
  indexeddb: { name: optional('a name', isText) },
  sqlite: { path: rule('the path of a file', isText), synchronous: oneOf('full', 'normal') },
};

/** The rules for this configuration: what one setting must be depends on the others. */
export function schemaFor(config: Anything) {
  const { collections, store, syncFilters, transport, customConflictResolver: resolver } = config;
  const list = Array.isArray(collections) ? collections.filter(isText) : [];
  const names: readonly string[] = isObject(collections) ? Object.keys(collections) : list;
  const collection = (name: string) => {
    const value = of(collections, name);
    return object({
      schema: optional('a Standard Schema, such as z.object({ ... })', (schema) => '~standard' in Object(schema)),
      filter: filter(of(value, 'filter')),
      conflictStrategy,
      customConflictResolver: customConflictResolver(of(value, 'conflictStrategy'), Boolean(resolver), false),
    });
  };
  /** One of the general addresses, which a transport may have as an option of its own. */
  const address = (key: string, option: string, needed: boolean, ...schemes: readonly string[]) => {
    if (key === 'websocketUrl' && transport && of(transport, 'type') !== 'websocket')
      return optional('left out: the transport is another one, and would not use it', () => false);
    const own = of(transport, option);
    if (own !== undefined && own !== config[key])
      return optional(`left out, or the same as transport.${option}`, () => false);
    return url(needed && !transport, ...schemes);
  };
  const storeType = String(of(store, 'type'));
  // A variable of the environment that is not set: the setting that was meant is the one to name.
  const unset = (key: string): boolean =>
    !transport && (config.websocketUrl ?? config.baseUrl) === undefined && Object.hasOwn(config, key);
  return object({
    transport: must(
      (config.websocketUrl ?? config.baseUrl) === undefined && !unset('websocketUrl') && !unset('baseUrl'),
      '{ type: "websocket", url } or another transport, unless websocketUrl or baseUrl is set',
      (value) => (isObject(value) && isText(value.type)) || has(value, 'connect subscribe pull push close'),
    ),
    collections:
      isObject(collections) && names.length > 0
        ? named(names, collection)
        : rule(
            'an array of names or an object { name: { schema } }, with at least one',
            () => list.length > 0 && list.length === (collections as unknown[]).length,
          ),
    store: Object.hasOwn(stores, storeType)
      ? object({ type: optional('', isString), ...stores[storeType] })
      : optional(
          '{ type: "memory" }, { type: "indexeddb", name }, { type: "sqlite", path }, or a LocalStore',
          (value) => has(value, 'open read commit clear close'),
        ),
    // Without a live link there is nothing but HTTP.
    baseUrl: address(
      'baseUrl',
      'baseUrl',
      config.enableRealtimeSync === false || unset('baseUrl'),
      'http://',
      'https://',
    ),
    websocketUrl: address(
      'websocketUrl',
      'url',
      config.enableRealtimeSync === true || unset('websocketUrl'),
      'ws://',
      'wss://',
    ),
    authToken: optional('a string, or a function that returns one', (value) => isString(value) || isFunction(value)),
    user: optional('a user id, or a function that returns one', (value) => isText(value) || isFunction(value)),
    editsBeforeSignIn: oneOf('keep', 'send'),
    syncInterval: ms(100),
    enableAutoSync: flag,
    maxRetries: count('retries'),
    syncFilters: z.optional(named(names, (name) => filter(of(syncFilters, name)))),
    conflictStrategy,
    customConflictResolver: customConflictResolver(
      config.conflictStrategy,
      false,
      names.some((name) => of(of(collections, name), 'conflictStrategy') === 'custom'),
    ),
    enableRealtimeSync: optional(
      'true, false, or a function that returns one',
      (value) => typeof value === 'boolean' || isFunction(value),
    ),
    websocketReconnectDelay: ms(),
    maxReconnectDelay: ms(),
    maxWebsocketReconnectAttempts: count('attempts'),
    connectTimeout: ms(1),
    answerTimeout: ms(1),
    auditInterval: ms(1000),
    pageSize: count('rows', 1),
    bufferLimit: count('changes', 1),
    disconnectInBackground: optional(
      `a whole number of milliseconds, 0 to ${LONGEST_TIMER}, or false`,
      (value) => value === false || isMs(0, value),
    ),
    logger: z.optional(
      object({
        enabled: flag,
        minLevel: oneOf('debug', 'info', 'warn', 'error'),
        customLogger: optional('a function (level, message, details) => void', isFunction),
      }),
    ),
  });
}

/** Throws CONFIG_INVALID with every problem of the configuration, its key and the fix. */
export function checkConfig(config: SyncLayerConfig): void {
  parseOptions(schemaFor(Object(config)), config, 'createSyncLayer');
}
