import { createHmac } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';

/** How the API lets in: with this key, or with a JWT that this secret signs. */
export interface AuthOptions {
  readonly apiKey?: string;
  readonly secret?: string;
}

export interface Unauthorized {
  readonly errorType: string;
  readonly message: string;
}

export type Verdict =
  | { readonly ok: true; readonly owner: string | undefined; readonly expiresAt: number | undefined }
  | { readonly ok: false; readonly error: Unauthorized };

const no = (message: string): Verdict => ({ ok: false, error: { errorType: 'UnauthorizedException', message } });

/** Who may use the API. Headers are those of a request, or what a client sends for them over the socket. */
export function createAuth({ apiKey, secret }: AuthOptions) {
  const key = createHmac('sha256', 'synclayer')
    .update(secret ?? '')
    .digest();
  /** Tokens that were made before are refused. */
  let epoch = 0;
  let made = 0;
  return {
    async verify(headers: Readonly<Record<string, unknown>>): Promise<Verdict> {
      const given = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      if (apiKey !== undefined && given.get('x-api-key') === apiKey)
        return { ok: true, owner: undefined, expiresAt: undefined };
      const token = given.get('authorization');
      if (secret === undefined || typeof token !== 'string') return no('You are not authorized to make this call.');
      try {
        const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'] });
        if (Number(payload.made) <= epoch) return no('Token has expired.');
        return { ok: true, owner: payload.sub, expiresAt: payload.exp && payload.exp * 1000 };
      } catch (error) {
        return no(
          error instanceof errors.JWTExpired ? 'Token has expired.' : 'Valid authorization header not provided.',
        );
      }
    },
    /** A new token. `expiresIn` is in seconds. */
    token(sub = 'somebody', expiresIn = 3600): Promise<string> {
      made += 1;
      return new SignJWT({ sub, made })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
        .sign(key);
    },
    /** Refuses every token made so far. */
    expire(): void {
      epoch = made;
    },
  };
}

export type Auth = ReturnType<typeof createAuth>;
