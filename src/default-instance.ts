import type { Row } from './base/change.js';
import { SyncLayerError } from './base/errors.js';
import type { Collection } from './collection.js';
import type { CollectionsInput, CollectionsOf, SyncLayerConfig } from './config/types.js';
import type { SyncLayerInstance } from './instance.js';
import type { LoggerOptions } from './observe/logger.js';
import type { MetricsSnapshot } from './observe/metrics.js';
import { createSyncLayer } from './sync-layer.js';

let instance: SyncLayerInstance | undefined;
/** From `init` to `dispose`: two calls of `init` in one turn must not open the store twice. */
let starting: Promise<SyncLayerInstance> | undefined;
/** The end of the one before. */
let disposing: Promise<void> = Promise.resolve();
let logger: LoggerOptions | undefined;

function current(): SyncLayerInstance {
  if (instance) return instance;
  throw new SyncLayerError('INVALID_STATE', 'SyncLayer is not initialised; await SyncLayer.init(config) first.');
}

/**
 * One SyncLayer for the whole app, in the words of the Flutter package.
 *
 * @example
 * await SyncLayer.init({ websocketUrl, collections: ['todos'] });
 * await SyncLayer.collection('todos').save({ text: 'Buy milk' });
 */
export const SyncLayer = {
  /** Throws what `createSyncLayer` throws, and CONFIG_INVALID if it was called before. After a failure it may be again. */
  async init<const Names extends string = never, Schemas extends Row = Row>(
    config: SyncLayerConfig<CollectionsInput<Names, Schemas>>,
  ): Promise<SyncLayerInstance<CollectionsOf<Names, Schemas>>> {
    if (starting)
      throw new SyncLayerError('INVALID_STATE', 'SyncLayer is initialised already; await SyncLayer.dispose() first.');
    // An effect that is run, cleaned up and run again begins while the end of the first one is under way.
    const creating = disposing.then(() => createSyncLayer(logger ? { logger, ...config } : config));
    const mine = creating as unknown as Promise<SyncLayerInstance>;
    starting = mine;
    try {
      const created = await creating;
      if (starting === mine) instance = await mine;
      return created;
    } catch (error) {
      if (starting === mine) starting = undefined;
      throw error;
    }
  },
  /** Throws CONFIG_INVALID before `init`, as all below do, but for `configureLogger` and `dispose`. */
  get instance(): SyncLayerInstance {
    return current();
  },
  collection: <T extends object = Row>(name: string): Collection<T> => current().collection<T>(name),
  syncNow: async (): Promise<void> => current().syncNow(),
  getMetrics: (): MetricsSnapshot => current().metrics(),
  /** May be called before `init`. */
  configureLogger(options: LoggerOptions): void {
    logger = { ...logger, enabled: true, ...options };
    instance?.configureLogger(options);
  },
  /** Closes it. Afterwards `init` may be called again. */
  async dispose(): Promise<void> {
    const created = starting?.catch(() => undefined);
    instance = undefined;
    starting = undefined;
    const closing = (async () => (await created)?.close())();
    disposing = Promise.allSettled([disposing, closing]).then(() => undefined);
    await closing;
    await disposing;
  },
};
