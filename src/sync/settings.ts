import { schemaParser } from '../config/schema.js';
import { type CollectionConfig, collectionsOf, type SyncLayerConfig } from '../config/types.js';
import type { CollectionSettings } from './collection/core.js';
import { strategies } from './conflict/resolvers.js';

/** Each collection's settings, with the general ones where it has none of its own. */
export function resolveCollections(config: SyncLayerConfig): Map<string, CollectionSettings> {
  const settingsOf = (name: string, own: CollectionConfig): CollectionSettings => {
    const general = (own.conflictStrategy ?? own.customConflictResolver) ? own : config;
    const { conflictStrategy: strategy = 'custom', customConflictResolver: custom = config.customConflictResolver } =
      general;
    const resolver = strategy === 'custom' ? custom : undefined;
    return {
      filter: own.filter ?? {},
      parse: schemaParser(name, own.schema),
      resolve: resolver ?? strategies[strategy === 'custom' ? 'lastWriteWins' : strategy],
      customResolver: resolver !== undefined,
    };
  };
  return new Map([...collectionsOf(config)].map(([name, own]) => [name, settingsOf(name, own)]));
}
