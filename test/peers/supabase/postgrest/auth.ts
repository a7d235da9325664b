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

/** The claims of a request's bearer. Without one it is `anon`. */
export async function claimsOf(tokens: Tokens, header: string | undefined): Promise<Claims> {
  const token = /^bearer (.*)$/i.exec(header ?? '')?.[1]?.trim();
  if (token === undefined) return { role: 'anon' };
  if (token === '') throw refused('PGRST301', 'Empty JWT is sent in Authorization header');
  const parts = token.split('.').length;
  if (parts !== 3) throw refused('PGRST301', `Expected 3 parts in JWT; got ${parts}`);
  const verified = await tokens.verify(token, SKEW);
  if (verified.ok) return { role: 'anon', ...verified.claims };
  switch (verified.problem) {
    case 'expired':
      throw refused('PGRST303', 'JWT expired');
    case 'claims':
      throw refused('PGRST303', verified.message.includes('nbf') ? 'JWT not yet valid' : verified.message);
    case 'signature':
      throw refused('PGRST301', NO_KEY, 'None of the keys was able to decode the JWT');
    case 'algorithm':
      throw refused('PGRST301', NO_KEY, 'No suitable key was found to decode the JWT');
    case 'malformed':
      throw refused('PGRST301', 'JWT cryptographic operation failed');
  }
}
