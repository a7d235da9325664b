import type { SyncLayerError } from '../base/errors.js';

/** Where the realtime link stands; times in ms since 1970. */
export type ConnectionState =
  | { readonly status: 'idle' }
  | { readonly status: 'connecting'; readonly attempt: number }
  | { readonly status: 'connected'; readonly since: number }
  | { readonly status: 'disconnected'; readonly reason: SyncLayerError; readonly retryAt: number }
  /** `retryAt`: when whoever hands out tokens is asked again; undefined: a fixed token was refused, and nobody can renew it. */
  | { readonly status: 'needs-auth'; readonly reason: SyncLayerError; readonly retryAt?: number }
  | { readonly status: 'failed'; readonly reason: SyncLayerError }
  | { readonly status: 'closed' };
