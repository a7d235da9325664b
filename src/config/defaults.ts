import { withDefaults } from '../base/problems.js';
import type { SyncLayerConfig } from './types.js';

const defaults = {
  syncInterval: 60_000,
  enableAutoSync: true,
  maxRetries: 3,
  websocketReconnectDelay: 1000,
  maxReconnectDelay: 30_000,
  maxWebsocketReconnectAttempts: Number.POSITIVE_INFINITY,
  connectTimeout: 10_000,
  answerTimeout: 300_000,
  auditInterval: 300_000,
  pageSize: 500,
  bufferLimit: 10_000,
  disconnectInBackground: false,
  editsBeforeSignIn: 'keep',
};

/** The settings that are never left out inside. `SyncLayerConfig` says what they mean; all times are in ms. */
export type Settings = { readonly [Key in keyof typeof defaults]: NonNullable<SyncLayerConfig[Key]> } & {
  /** The app has set `auditInterval`: else it is longer where the backend charges for what is read. */
  readonly auditsFixed: boolean;
};

export const settingsOf = (config: SyncLayerConfig): Settings =>
  withDefaults<object, object>({ ...defaults, auditsFixed: config.auditInterval !== undefined }, config) as Settings;
