import { isSyncLayerError, type SyncLayerError } from '../../src/adapter-kit/kit.js';
import { problem } from './problem.js';
import type { Credentials, Rest } from './rest.js';

/**
 * Why a `connection_init` was refused. Hasura refuses it for any failure in the same way, also while its auth webhook is away, and
 * its newer versions give no reason: over HTTP the code of the answer tells. Only what speaks of the token there is about the token.
 */
export async function whyRefused(
  refusal: SyncLayerError,
  rest: Pick<Rest, 'request'>,
  signed: Credentials | undefined,
  signal: AbortSignal,
): Promise<SyncLayerError> {
  try {
    await rest.request('The question whether the token is good', 'read', '{ __typename }', {}, signal, signed);
  } catch (answer) {
    if (isSyncLayerError(answer) && answer.code === 'AUTH_REQUIRED') return answer;
    const why = isSyncLayerError(answer) ? ` ${answer.message}` : '';
    return problem('CONNECT_FAILED', `Hasura let the socket not in.${why} It is tried again.`, {
      details: refusal.details,
    });
  }
  const what = 'Hasura let the socket not in, but takes requests with the same token.';
  return problem('CONNECT_FAILED', `${what} It is tried again.`, { details: refusal.details });
}
