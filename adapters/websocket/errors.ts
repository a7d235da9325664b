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
