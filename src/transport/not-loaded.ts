import { type ErrorOptions, isSyncLayerError, SyncLayerError } from '../base/errors.js';

/** How Node, bundlers and browsers say that a package is not there. */
const MISSING =
  /cannot find (module|package)|could not resolve|failed to resolve|bare specifier|does not resolve|unknown module/i;

/**
 * What to fail with where `import()` of a package failed: PEER_MISSING if it is not installed, and CONNECT_FAILED if it is only out
 * of reach, for a browser that is offline.
 *
 * @example
 * try { return await import('acme'); } catch (cause) { throw notLoaded('acme', cause, { adapter: 'acme' }); }
 */
export function notLoaded(name: string, cause: unknown, more: Pick<ErrorOptions, 'adapter'> = {}): SyncLayerError {
  if (isSyncLayerError(cause)) return cause;
  const { code, message } = Object(cause) as { readonly code?: unknown; readonly message?: unknown };
  const missing = /MODULE_NOT_FOUND/.test(String(code)) || MISSING.test(String(message));
  const what = missing ? `is not installed. Run: npm install ${name}` : 'could not be loaded; it is tried again.';
  return new SyncLayerError(missing ? 'PEER_MISSING' : 'CONNECT_FAILED', `${name} ${what}`, { ...more, cause });
}
