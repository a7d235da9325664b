import { type ErrorCode, SyncLayerError } from '../../src/kit.js';

/** An error of this adapter. */
export const problem = (
  code: ErrorCode,
  message: string,
  more: { readonly cause?: unknown; readonly details?: Readonly<Record<string, unknown>> } = {},
): SyncLayerError => new SyncLayerError(code, message, { adapter: 'hasura', ...more });
