import { type ErrorCode, SyncLayerError } from '../../src/kit.js';

/** An error of this adapter. */
export const problem = (
  code: ErrorCode,
  message: string,
  more: { readonly cause?: unknown; readonly details?: Readonly<Record<string, unknown>> } = {},
): SyncLayerError => new SyncLayerError(code, message, { adapter: 'websocket', ...more });

/** What a server says may quote the token that it refused. */
export const withoutToken = (text: string, token: string | undefined): string =>
  token ? text.replaceAll(token, '(token)') : text;
