import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { suggest } from '../base/problems.js';
import type { RealtimeTransport } from './transport.js';

/** Makes a transport from its options: everything of the configuration's `transport` entry but `type`. */
export type TransportFactory<Options = never> = (options: Options) => RealtimeTransport | Promise<RealtimeTransport>;

/** The transports that come with SyncLayer. Each is loaded only when a configuration names it, with its SDK. */
const builtIn = {
  websocket: async () => (await import('../../adapters/websocket/index.js')).websocketTransport,
  supabase: async () => (await import('../../adapters/supabase/index.js')).supabaseTransport,
  firestore: async () => (await import('../../adapters/firestore/index.js')).firestoreTransport,
  appsync: async () => (await import('../../adapters/appsync/index.js')).appsyncTransport,
  hasura: async () => (await import('../../adapters/hasura/index.js')).hasuraTransport,
};

/** By name, the options of the transports that come with SyncLayer. */
export type BuiltInTransports = {
  readonly [Name in keyof typeof builtIn]: Parameters<Awaited<ReturnType<(typeof builtIn)[Name]>>>[0];
};

declare global {
  /**
   * By name, the options of transports that the app adds with `registerTransport`. An entry here lets a configuration name the
   * transport, and checks its options; without one TypeScript takes the name for a misspelt one.
   *
   * @example
   * declare global {
   *   interface SyncLayerTransports {
   *     mqtt: MqttOptions;
   *   }
   * }
   * registerTransport('mqtt', (options) => mqttTransport(options));
   * const sync = await createSyncLayer({ transport: { type: 'mqtt', url }, collections: ['todos'] });
   */
  // Global, since each build of the package (ESM, CommonJS) would have its own, and an entry in one would not be seen in the other.
  interface SyncLayerTransports {}
}

const registered = new Map<string, TransportFactory>();

/**
 * Makes a transport of your own available by name, so that a configuration file or the environment can choose it.
 *
 * @returns a function that takes it out again.
 * @throws SyncLayerError CONFIG_INVALID if the name is taken.
 * @example
 * // declare global { interface SyncLayerTransports { mqtt: MqttOptions } }
 * registerTransport('mqtt', (options) => mqttTransport(options));
 * const sync = await createSyncLayer({ transport: { type: 'mqtt', url }, collections: ['todos'] });
 */
export function registerTransport<Name extends keyof SyncLayerTransports>(
  name: Name,
  factory: TransportFactory<SyncLayerTransports[Name]>,
): () => void;
export function registerTransport<Options>(name: string, factory: TransportFactory<Options>): () => void;
export function registerTransport(name: string, factory: TransportFactory): () => void {
  if (name in builtIn || registered.has(name)) {
    throw new SyncLayerError(
      'CONFIG_INVALID',
      `A transport named "${name}" is registered already; choose another name.`,
    );
  }
  registered.set(name, factory);
  return () => void registered.delete(name);
}

/** The transports that a configuration can name. */
export const transportNames = (): string[] => [...Object.keys(builtIn), ...registered.keys()];

/** Loads and makes the transport that `type` names. Throws CONFIG_INVALID, or CONNECT_FAILED where its code is out of reach. */
export async function resolveTransport({ type, ...options }: { readonly type: string }): Promise<RealtimeTransport> {
  const factory = registered.get(type) ?? (Object.hasOwn(builtIn, type) ? await load(type) : undefined);
  if (!factory) {
    const fix = suggest(type, transportNames());
    const message = `There is no transport "${type}" (one of your own needs registerTransport() first); ${fix}`;
    throw new SyncLayerError('CONFIG_INVALID', message);
  }
  return factory(options as never);
}

async function load(type: string): Promise<TransportFactory | undefined> {
  try {
    return await (builtIn as Record<string, () => Promise<TransportFactory>>)[type]?.();
  } catch (error) {
    // No adapter imports its SDK at once, so that this is a chunk out of reach.
    const message = `The ${type} transport could not be loaded. Is the network up?`;
    throw toSyncLayerError(error, 'CONNECT_FAILED', message, { adapter: type });
  }
}
