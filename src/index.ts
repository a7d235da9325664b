export { type Change, compareVersions, type Row, type Version } from './base/change.js';
export { type ErrorCode, type ErrorKind, isSyncLayerError, kindOf, SyncLayerError } from './base/errors.js';
export type { Collection, Stored, Unsaved } from './collection.js';
export { fromEnv } from './config/from-env.js';
export { type RolloutOptions, rollout } from './config/rollout.js';
export type {
  CollectionConfig,
  CollectionsConfig,
  CollectionsInput,
  CollectionsOf,
  StoreConfig,
  SyncLayerConfig,
  TransportConfig,
} from './config/types.js';
export { SyncLayer } from './default-instance.js';
export type { Inspection, Realtime, SyncLayerInstance } from './instance.js';
export type { ConnectionState } from './observe/connection-state.js';
export type { EventName, EventSource, SyncEvents, SyncStatus } from './observe/events.js';
export type { LoggerOptions, LogLevel } from './observe/logger.js';
export type { MetricsSnapshot } from './observe/metrics.js';
export type { WatchInfo } from './query/live-query.js';
export type { Query } from './query/query.js';
export type { Operator } from './query/types.js';
export { memoryStore } from './store/memory.js';
export type { LocalStore, StoreEntry, StoreTable, StoreWrite } from './store/store.js';
export type { Conflict, ConflictResolver } from './sync/conflict/merge.js';
export { ConflictResolvers, type ConflictStrategy } from './sync/conflict/resolvers.js';
export type { Operation, Outbox } from './sync/outbox.js';
export type { SignedOut, Unsent } from './sync/sign-out.js';
export { createSyncLayer } from './sync-layer.js';
export { registerTransport, type TransportFactory } from './transport/registry.js';
export type { ConfiguredUser } from './transport/token.js';
export type * from './transport/transport.js';
