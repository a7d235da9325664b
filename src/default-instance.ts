import type { Collection } from './collection.js';
import type { CollectionsConfig, SyncLayerConfig } from './config.js';
import { SyncLayerError } from './errors.js';
import type { SyncLayerInstance } from './instance.js';
import type { LoggerOptions } from './logger.js';
import type { MetricsSnapshot } from './metrics.js';
import { createSyncLayer } from './sync-layer.js';

let instance: SyncLayerInstance | undefined;
let logger: LoggerOptions | undefined;

function current(): SyncLayerInstance {
  if (instance) return instance;
  throw new SyncLayerError('CONFIG_INVALID', 'SyncLayer is not initialised; await SyncLayer.init(config) first.');
}

/**
 * One SyncLayer for the whole app, in the words of the Flutter package.
 *
 * @example
 * await SyncLayer.init({ websocketUrl, collections: ['todos'] });
 * await SyncLayer.collection('todos').save({ text: 'Buy milk' });
 */
export const SyncLayer = {
  async init<const C extends CollectionsConfig>(config: SyncLayerConfig<C>): Promise<SyncLayerInstance<C>> {
    if (instance)
      throw new SyncLayerError('CONFIG_INVALID', 'SyncLayer is initialised already; await SyncLayer.dispose() first.');
    const created = await createSyncLayer<C>(logger ? { logger, ...config } : config);
    instance = created as unknown as SyncLayerInstance;
    return created;
  },
  get instance(): SyncLayerInstance {
    return current();
  },
  collection: <T extends object>(name: string): Collection<T> => current().collection<T>(name),
  syncNow: (): Promise<void> => current().syncNow(),
  getMetrics: (): MetricsSnapshot => current().metrics(),
  /** May be called before `init`. */
  configureLogger(options: LoggerOptions): void {
    logger = { enabled: true, ...options };
    instance?.configureLogger(options);
  },
  async dispose(): Promise<void> {
    const closing = instance;
    instance = undefined;
    await closing?.close();
  },
};
