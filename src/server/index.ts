export type { Log } from '../observe/logger.js';
export type { ServerCollection } from './collection.js';
export { createSyncServer, type SyncServer, type SyncServerStats } from './create-sync-server.js';
export { memoryServerStore } from './memory-store.js';
export type { Authenticate, Authorize, AuthorizeRequest, RateLimit, SyncServerOptions, SyncUser } from './options.js';
export type { RestHandler } from './rest.js';
export { type SqliteServerStoreOptions, sqliteServerStore } from './sqlite-store.js';
export type { PageQuery, ServerStore, StoredOp, StoredRecord } from './store.js';
