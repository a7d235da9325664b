import { disposition, SyncLayerError, toSyncLayerError } from '../errors.js';
import type { AuthToken } from './transport.js';

/** Refusals that named their token: whoever handed it out knows of them. */
const named = new WeakSet<SyncLayerError>();

/** The app's token, and the memory of which one the backend refused: asking again with that one could loop for ever. */
export function createTokenSource(initial: AuthToken | undefined) {
  let source = initial;
  let last: string | undefined;
  /** One was handed out twice. What gives another one each time has no newer one that could be good. */
  let reused = false;
  let refused: { readonly token: string | undefined } | undefined;
  /** Where the last one came from. */
  let asked = initial;
  return {
    async get(own?: AuthToken): Promise<string | undefined> {
      asked = source ?? own;
      const token = await ask(asked);
      if (refused && refused.token === token) {
        const what = token
          ? 'The token was refused. Sign in again'
          : 'The backend wants a token and none is configured. Set authToken';
        throw new SyncLayerError('AUTH_REQUIRED', `${what}, or call sync.setAuthToken(token).`);
      }
      refused = undefined;
      reused ||= last === token;
      last = token;
      return token;
    },
    /** See `TransportHost.refused`. */
    refused(token: string | undefined, error: SyncLayerError): SyncLayerError {
      if (disposition(error.code) !== 'reauth') return error;
      if (token !== last && reused) return new SyncLayerError('CONNECTION_LOST', `${error.message} It is tried again.`);
      if (token === last) refused = { token };
      named.add(error);
      return error;
    },
    /** A transport failed with AUTH_REQUIRED. Where it does not say which token was refused, it was the one handed out last. */
    refuse(error: SyncLayerError): void {
      if (!named.has(error)) refused = { token: last };
    },
    /** Asking again may bring another one, or there is none that could be renewed. */
    renewable: (): boolean => typeof asked !== 'string',
    /** Where there is no token at all, a refusal says nothing about the next attempt. */
    again(): void {
      if (asked === undefined) refused = undefined;
    },
    set(next: AuthToken | undefined): void {
      source = next;
      asked = next;
      refused = undefined;
      reused = false;
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
