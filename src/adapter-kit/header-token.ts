import type { ProblemMaker } from './problem.js';

/** The token, if a header can carry it; else AUTH_REQUIRED. The platform's own error for such a header quotes it. */
export function headerToken(token: string | undefined, problem: ProblemMaker): string | undefined {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw problem('AUTH_REQUIRED', 'The token has characters that no header carries.');
}
