import {
  isSyncLayerError,
  OUTSIDE_LIMIT,
  parseUrl,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
  within,
} from '../../src/adapter-kit/kit.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';

/** What is to be let in. */
export type Purpose = 'http' | 'connect' | 'start';

/** Headers that let a request in. Also those of a subscription, which go as JSON over the socket. */
export interface Authorizer {
  /** For a request of this body by HTTP, for the beginning of a socket (`connect`, whose body is `{}`), or for a subscription. */
  headers(body: string, what: Purpose): Promise<Record<string, string>>;
  /** The token in such headers, where there is one. */
  tokenIn(headers: Readonly<Record<string, string>>): string | undefined;
  /** What to fail with, where something that such headers should have let in failed. */
  judge(headers: Readonly<Record<string, string>>, error: SyncLayerError): SyncLayerError;
}

const noCredentials = (): SyncLayerError =>
  problem('CONNECT_FAILED', `credentials() has not answered for ${OUTSIDE_LIMIT} ms; it is asked again.`);

/** How requests and subscriptions are let in. Asked anew for each of them: tokens and keys are renewed by others. */
export function createAuthorizer({ auth, endpoint, region }: ParsedOptions, host: () => TransportHost): Authorizer {
  const name = parseUrl(endpoint)?.host ?? '';
  const tokenIn = (headers: Readonly<Record<string, string>>): string | undefined =>
    auth.type === 'apiKey' || auth.type === 'iam' ? undefined : headers.Authorization;
  return {
    async headers(body, what) {
      if (auth.type === 'apiKey') return { host: name, 'x-api-key': auth.apiKey };
      if (auth.type === 'iam') {
        try {
          const { signed } = await import('./sign.js');
          const credentials = await within(auth.credentials(), { ms: OUTSIDE_LIMIT, late: noCredentials });
          if (credentials?.user !== undefined) host().user?.(credentials.user);
          return await signed(endpoint, what, body, credentials, region);
        } catch (error) {
          if (isSyncLayerError(error)) throw error;
          throw toSyncLayerError(
            error,
            'CONNECT_FAILED',
            'The AWS credentials could not be had; they are asked for again.',
          );
        }
      }
      const token = await host().authToken(auth.token);
      // The platform's own error for such a header quotes it.
      if (!token || !/^[\x20-\x7e]+$/.test(token))
        throw problem('AUTH_REQUIRED', 'There is no token that a header can carry. Sign in, or set authToken.');
      return { host: name, Authorization: token };
    },
    tokenIn,
    judge: (headers, error) => host().refused?.(tokenIn(headers), error) ?? error,
  };
}
