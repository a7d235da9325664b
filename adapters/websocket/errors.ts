import type { ErrorMessage, SyncLayerError, WireErrorCode } from '../../src/adapter-kit/kit.js';
import { problemsOf } from '../../src/adapter-kit/problem.js';

/** An error of this adapter. */
export const problem = problemsOf('websocket');

/** Shorter ones are found in ordinary words: `auth` in "authentication failed". */
const LONG = 12;

/** What a server says may quote the token that it refused. A short one is hidden only where it stands alone. */
export function withoutToken(text: string, token: string | undefined): string {
  if (!token) return text;
  return text
    .split(token)
    .reduce((before, after) =>
      token.length < LONG && (/[a-z\d\u0080-\uffff]$/i.test(before) || /^[a-z\d\u0080-\uffff]/i.test(after))
        ? before + token + after
        : `${before}(token)${after}`,
    );
}

/** Codes that another attempt can cure. */
const passing: readonly (WireErrorCode | undefined)[] = ['RATE_LIMIT_EXCEEDED', 'SERVER_ERROR'];

/** The server's `error` frame as an error of ours. `details.unclear`: the server has failed, perhaps over this one write. */
export function toError({ error, code, metadata }: ErrorMessage, what: string): SyncLayerError {
  const ours = code === 'AUTH_FAILED' ? 'AUTH_REQUIRED' : passing.includes(code) ? 'CONNECTION_LOST' : 'PUSH_REJECTED';
  const unclear = code === 'SERVER_ERROR' && { unclear: true };
  return problem(ours, `${what}: the server answered ${code ?? 'an error'}: ${error}`, {
    details: { serverCode: code, ...metadata, ...unclear },
  });
}
