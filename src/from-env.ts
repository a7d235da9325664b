import type { StoreConfig, SyncLayerConfig } from './config.js';
import { SyncLayerError } from './errors.js';

type Env = Readonly<Record<string, string | undefined>>;

const camel = (name: string): string =>
  name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** `SYNCLAYER_BASE_URL` and its like: the setting's name and how its text is read. */
const settings = {
  baseUrl: String,
  websocketUrl: String,
  authToken: String,
  syncInterval: Number,
  maxRetries: Number,
  websocketReconnectDelay: Number,
  maxReconnectDelay: Number,
  maxWebsocketReconnectAttempts: Number,
  connectTimeout: Number,
  auditInterval: Number,
  pageSize: Number,
  enableAutoSync: toBoolean,
  enableRealtimeSync: toBoolean,
  conflictStrategy: String,
  collections: (text: string) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
};

function toBoolean(text: string): boolean {
  if (/^(true|1|on|yes)$/i.test(text)) return true;
  if (/^(false|0|off|no)$/i.test(text)) return false;
  throw new SyncLayerError('CONFIG_INVALID', 'A SYNCLAYER_ENABLE_... variable must be true or false.');
}

/**
 * A configuration from environment variables, so that development and production differ in nothing else. Each setting is
 * `SYNCLAYER_` and its name: `SYNCLAYER_BASE_URL`, `SYNCLAYER_SYNC_INTERVAL`, `SYNCLAYER_COLLECTIONS=todos,users`.
 * `SYNCLAYER_TRANSPORT=supabase` names the backend, `SYNCLAYER_SUPABASE_URL` and its like are that one's options;
 * `SYNCLAYER_STORE=sqlite` with `SYNCLAYER_STORE_PATH`, or `SYNCLAYER_STORE_NAME`.
 *
 * @param env default `process.env`; in a browser pass what your bundler has, e.g. `import.meta.env`.
 * @throws SyncLayerError CONFIG_INVALID for a SYNCLAYER_ variable that is not known.
 * @example
 * const sync = await createSyncLayer({ collections: { todos: { schema: Todo } }, ...fromEnv() });
 */
export function fromEnv(
  env: Env = (globalThis as { process?: { env: Env } }).process?.env ?? {},
): Partial<SyncLayerConfig<readonly string[]>> {
  const config: Record<string, unknown> = {};
  const options: Record<string, string> = {};
  const store: Record<string, string> = {};
  const transport = env.SYNCLAYER_TRANSPORT;
  const prefix = transport && `${transport.toUpperCase().replaceAll('-', '_')}_`;
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('SYNCLAYER_') || text === undefined || text === '') continue;
    const name = variable.slice('SYNCLAYER_'.length);
    const setting = camel(name);
    if (name === 'TRANSPORT') continue;
    if (name === 'STORE') store.type = text;
    else if (name.startsWith('STORE_')) store[camel(name.slice('STORE_'.length))] = text;
    // The transport's own name first: SYNCLAYER_WEBSOCKET_URL is the websocket transport's `url`, if that was named.
    else if (prefix && name.startsWith(prefix)) options[camel(name.slice(prefix.length))] = text;
    else if (Object.hasOwn(settings, setting)) config[setting] = settings[setting as keyof typeof settings](text);
    else {
      const message = `${variable} is not a SyncLayer setting. Known are SYNCLAYER_TRANSPORT, SYNCLAYER_STORE and the keys of docs/configuration.md${transport ? `; options of the ${transport} transport begin with SYNCLAYER_${prefix}` : ''}.`;
      throw new SyncLayerError('CONFIG_INVALID', message);
    }
  }
  if (transport) config.transport = { type: transport, ...options };
  if (store.type) config.store = store as unknown as StoreConfig;
  return config as Partial<SyncLayerConfig<readonly string[]>>;
}
