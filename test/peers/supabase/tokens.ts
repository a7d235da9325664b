import { createHmac } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';

/** What a token says. `role` is the database role that its bearer acts as. */
export interface Claims {
  readonly role?: string | undefined;
  readonly exp?: number | undefined;
  readonly sub?: string;
  readonly [claim: string]: unknown;
}

export interface Tokens {
  readonly sign: (claims: Claims) => Promise<string>;
  /** `skew`: by how many seconds the signer's clock may differ. Default 0. */
  readonly verify: (token: string, skew?: number) => Promise<Verified>;
}

export type Verified =
  | { readonly ok: true; readonly claims: Claims }
  | {
      readonly ok: false;
      readonly problem: 'malformed' | 'algorithm' | 'signature' | 'expired' | 'claims';
      readonly message: string;
    };

/** The `exp` of Supabase's own local keys: 2038. */
const FAR = 2_145_916_800;

function problemOf(cause: unknown, token: string): Verified {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof errors.JWTExpired) return { ok: false, problem: 'expired', message };
  if (cause instanceof errors.JWSSignatureVerificationFailed) return { ok: false, problem: 'signature', message };
  if (cause instanceof errors.JWTClaimValidationFailed) return { ok: false, problem: 'claims', message };
  try {
    if (decodeProtectedHeader(token).alg !== 'HS256') return { ok: false, problem: 'algorithm', message };
  } catch {
    return { ok: false, problem: 'malformed', message };
  }
  return { ok: false, problem: 'malformed', message };
}

/** Tokens signed with HS256, as those of a Supabase project. */
export function createTokens(secret: string): Tokens {
  const key = createHmac('sha256', 'synclayer').update(secret).digest();
  return {
    sign: (claims) =>
      // A claim that is undefined is left out.
      new SignJWT(JSON.parse(JSON.stringify({ exp: FAR, ...claims })))
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuedAt()
        .sign(key),
    verify: async (token, skew = 0) => {
      try {
        const { payload } = await jwtVerify<Claims>(token, key, { algorithms: ['HS256'], clockTolerance: skew });
        return { ok: true, claims: payload };
      } catch (cause) {
        return problemOf(cause, token);
      }
    },
  };
}
