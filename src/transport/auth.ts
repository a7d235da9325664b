import { SyncLayerError, toSyncLayerError } from '../errors.js';
import type { AuthToken } from './transport.js';

/** The app's token, and the memory of which one the backend refused: asking again with that one could loop for ever. */
export function createTokenSource(initial: AuthToken | undefined) {
  let source = initial;
  let last: string | undefined;
  let refused: { readonly token: string | undefined } | undefined;
  return {
    async get(own?: AuthToken): Promise<string | undefined> {
      const token = await ask(source ?? own);
      if (refused && refused.token === token) {
        const message = token
          ? 'The token was refused, and asking for it again gave the same one. Sign in again, then call sync.setAuthToken(token).'
          : 'The backend wants a token and none is configured. Set authToken, or call sync.setAuthToken(token).';
        throw new SyncLayerError('AUTH_REQUIRED', message);
      }
      refused = undefined;
      last = token;
      return token;
    },
    /** The backend refused the token handed out last. */
    refuse(): void {
      refused = { token: last };
    },
    set(next: AuthToken | undefined): void {
      source = next;
      refused = undefined;
    },
  };
}

/** A function that fails (offline, say) is no refusal: it is asked again with the next attempt. */
async function ask(from: AuthToken | undefined): Promise<string | undefined> {
  try {
    return typeof from === 'function' ? await from() : from;
  } catch (error) {
    throw toSyncLayerError(error, 'CONNECT_FAILED', 'authToken() failed to get a token; it is asked again.');
  }
}

/**
 * When a JWT ends, in ms since 1970; undefined for any other token. The signature is the backend's business.
 *
 * @example
 * const expiresAt = tokenExpiry(token) ?? Number.POSITIVE_INFINITY;
 */
export function tokenExpiry(token: string): number | undefined {
  try {
    const payload = token.split('.')[1] ?? '';
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
