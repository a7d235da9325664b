import type { Claims, Tokens } from '../tokens.js';
import { PostgrestError } from './errors.js';

const refused = (code: string, message: string, details: string | null = null): PostgrestError =>
  new PostgrestError(401, code, message, {
    details,
    headers: { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${message}"` },
  });

/** Clocks may differ by so many seconds. */
const SKEW = 30;

const NO_KEY = 'No suitable key or wrong key type';

/** jose's words for a claim that does not hold, in PostgREST's. */
const claimProblem = (message: string): string =>
  /"nbf".*(?:check failed|must)/.test(message) && !/number/.test(message)
    ? 'JWT not yet valid'
    : message.replace(/^"(\w+)" claim must be a number$/, "The JWT '$1' claim must be a number");

/** The claims of a request's bearer. Without one it is `anon`. */
export async function claimsOf(tokens: Tokens, header: string | undefined): Promise<Claims> {
  const bearer = /^bearer(?: (.*))?$/i.exec(header ?? '');
  if (bearer === null) return { role: 'anon' };
  const token = bearer[1]?.trim() ?? '';
  if (token === '') throw refused('PGRST301', 'Empty JWT is sent in Authorization header');
  const parts = token.split('.').length;
  if (parts !== 3) throw refused('PGRST301', `Expected 3 parts in JWT; got ${parts}`);
  const verified = await tokens.verify(token, SKEW);
  if (verified.ok) {
    const { iat } = verified.claims;
    if (typeof iat === 'number' && iat > Date.now() / 1000 + SKEW) throw refused('PGRST303', 'JWT issued at future');
    return { role: 'anon', ...verified.claims };
  }
  switch (verified.problem) {
    case 'expired':
      throw refused('PGRST303', 'JWT expired');
    case 'claims':
      throw refused('PGRST303', claimProblem(verified.message));
    case 'signature':
      throw refused('PGRST301', NO_KEY, 'None of the keys was able to decode the JWT');
    case 'algorithm':
      throw refused('PGRST301', NO_KEY, 'No suitable key was found to decode the JWT');
    case 'malformed':
      throw refused('PGRST301', 'JWT cryptographic operation failed');
  }
}
