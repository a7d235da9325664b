import { SyncLayerError } from '../base/errors.js';
import { suggest } from '../base/problems.js';
import { transportNames } from '../transport/registry.js';
import type { SyncLayerConfig } from './types.js';

/** How the text of a variable is read; undefined says that it is something else. */
const kinds = {
  text: (text: string): unknown => text,
  'a number': (text: string): unknown => (Number.isNaN(Number(text)) ? undefined : Number(text)),
  'true or false': (text: string): unknown =>
    /^(true|1|on|yes)$/i.test(text) ? true : /^(false|0|off|no)$/i.test(text) ? false : undefined,
  'a number or false': (text: string): unknown => (text === 'false' ? false : kinds['a number'](text)),
  'a list': (text: string): unknown => text.split(/[\s,]+/).filter(Boolean),
  JSON: (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  },
  /** Only the transport knows what it is. A run of digits that no number can hold is an id. */
  anything: (text: string): unknown => {
    const value = kinds.JSON(text);
    return value === undefined || (typeof value === 'number' && String(value) !== text) ? text : value;
  },
};

const settings: Readonly<Record<string, keyof typeof kinds>> = {
  'transport.type': 'text',
  collections: 'a list',
  'store.type': 'text',
  'store.path': 'text',
  'store.name': 'text',
  'store.synchronous': 'text',
  baseUrl: 'text',
  websocketUrl: 'text',
  authToken: 'text',
  user: 'text',
  editsBeforeSignIn: 'text',
  syncInterval: 'a number',
  enableAutoSync: 'true or false',
  maxRetries: 'a number',
  syncFilters: 'JSON',
  conflictStrategy: 'text',
  enableRealtimeSync: 'true or false',
  websocketReconnectDelay: 'a number',
  maxReconnectDelay: 'a number',
  maxWebsocketReconnectAttempts: 'a number',
  connectTimeout: 'a number',
  answerTimeout: 'a number',
  auditInterval: 'a number',
  pageSize: 'a number',
  bufferLimit: 'a number',
  disconnectInBackground: 'a number or false',
  'logger.enabled': 'true or false',
  'logger.minLevel': 'text',
};

const PREFIX = 'SYNCLAYER_';

const constantCase = (name: string): string => name.replace(/[A-Z]/g, '_$&').replace(/\W/g, '_').toUpperCase();
const camelCase = (name: string): string =>
  name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/**
 * A configuration from environment variables, so that development and production differ in nothing else. Each setting is
 * `SYNCLAYER_` and its name: `SYNCLAYER_BASE_URL`, `SYNCLAYER_SYNC_INTERVAL` (ms), `SYNCLAYER_COLLECTIONS=todos,users`,
 * `SYNCLAYER_LOGGER_MIN_LEVEL=debug`; `SYNCLAYER_STORE=sqlite` with `SYNCLAYER_STORE_PATH`, or `SYNCLAYER_STORE_NAME`.
 * `SYNCLAYER_TRANSPORT=supabase` names the backend, `SYNCLAYER_SUPABASE_URL` and its like are that one's options: numbers,
 * `true`, `false` and JSON are read as such, anything else is text, and `"123"` in quotes stays text. Empty variables are
 * left out, and so are the options of transports that are not the one named.
 *
 * @param env default `process.env`; in a browser pass what your bundler has, e.g. `import.meta.env`.
 * @throws SyncLayerError CONFIG_INVALID for a SYNCLAYER_ variable that is not known, or that cannot be read.
 * @example
 * const sync = await createSyncLayer({ ...fromEnv(), collections: { todos: { schema: Todo } } });
 */
export function fromEnv(
  env: Readonly<Record<string, unknown>> = (globalThis as { process?: { env: Record<string, unknown> } }).process
    ?.env ?? {},
): Partial<SyncLayerConfig<readonly string[]>> {
  const known = new Map(Object.keys(settings).map((key) => [constantCase(key.replace('.type', '')), key]));
  const transport = env[`${PREFIX}TRANSPORT`];
  const options = transport ? `${constantCase(String(transport))}_` : undefined;
  const config: Record<string, unknown> = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || typeof text !== 'string' || text === '') continue;
    const name = variable.slice(PREFIX.length);
    const belongsTo = transportNames().find((each) => name.startsWith(`${constantCase(each)}_`));
    // One file may hold the options of several backends, of which SYNCLAYER_TRANSPORT chooses one.
    if (transport && belongsTo && belongsTo !== transport && (!known.has(name) || name === 'WEBSOCKET_URL')) continue;
    // Settings first: SYNCLAYER_WEBSOCKET_RECONNECT_DELAY is one, though the websocket transport's options begin so too.
    const setting =
      known.get(name) ??
      (options && name.startsWith(options) ? `transport.${camelCase(name.slice(options.length))}` : undefined);
    if (!setting) {
      const fix = belongsTo
        ? `it belongs to ${PREFIX}TRANSPORT=${belongsTo}, which is not set`
        : suggest(name, [...known.keys(), ...(options ? [`${options}...`] : [])], PREFIX);
      throw new SyncLayerError('CONFIG_INVALID', `${variable} is not a setting; ${fix}`);
    }
    const kind = settings[setting] ?? 'anything';
    const value = kinds[kind](text);
    if (value === undefined) throw new SyncLayerError('CONFIG_INVALID', `${variable} must be ${kind}.`);
    const [key = '', inner] = setting.split('.');
    config[key] = inner ? { ...(config[key] as object | undefined), [inner]: value } : value;
  }
  return config as Partial<SyncLayerConfig<readonly string[]>>;
}
