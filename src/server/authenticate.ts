import type { IncomingMessage } from 'node:http';
import { isSyncLayerError } from '../base/errors.js';
import type { Settings, SyncUser } from './options.js';

export type Identity =
  | { readonly kind: 'known'; readonly user: SyncUser | null }
  | { readonly kind: 'refused' }
  /** It could not be found out. */
  | { readonly kind: 'unknown' };

export type Authenticator = (token: string | undefined, request: IncomingMessage) => Promise<Identity>;

/** The app's `authenticate`, made safe: token libraries throw for a bad token, so a throw is a no. */
export function createAuthenticator({ authenticate, log }: Settings): Authenticator {
  return async (token, request) => {
    if (!authenticate) return { kind: 'known', user: null };
    try {
      const user = await authenticate(token, request);
      return user ? { kind: 'known', user } : { kind: 'refused' };
    } catch (error) {
      if (isSyncLayerError(error) && error.kind === 'retry') {
        log('error', 'authenticate could not check a token', { code: error.code });
        return { kind: 'unknown' };
      }
      // Not even the message: token libraries like to quote what they were given.
      log('debug', 'authenticate refused a token by throwing');
      return { kind: 'refused' };
    }
  };
}
