import { errors, jwtVerify, SignJWT } from 'jose';
import { HasuraError } from './failure.js';

/** Who asks. `variables` are the x-hasura-* ones, in lower case. */
export interface Session {
  readonly role: string;
  readonly variables: Readonly<Record<string, string>>;
  /** When the token ends, ms since 1970. */
  readonly expires?: number;
}

/** Headers with names in lower case. */
export type Headers = Readonly<Record<string, string>>;

export interface Authentication {
  /** Undefined: everybody is an admin. */
  readonly adminSecret?: string | undefined;
  readonly jwtSecret?: string | undefined;
  /** The role of whoever brings no token. Default: they are refused. */
  readonly unauthorizedRole?: string | undefined;
}

const NAMESPACE = 'https://hasura.io/jwt/claims';
const PREFIX = 'x-hasura-';

export const lowerCased = (headers: object): Headers =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name.toLowerCase(), value] as const] : [],
    ),
  );

const variablesOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith(PREFIX) && name !== 'x-hasura-admin-secret'),
  );

function problemOf(cause: unknown): HasuraError {
  const told = (why: string) => new HasuraError('invalid-jwt', `Could not verify JWT: ${why}`);
  if (cause instanceof errors.JWTExpired) return told('JWTExpired');
  if (cause instanceof errors.JWTClaimValidationFailed) return told('JWTNotYetValid');
  if (cause instanceof errors.JWSSignatureVerificationFailed) return told('JWSError JWSInvalidSignature');
  return told('JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got 1)');
}

async function fromToken(token: string, secret: string, headers: Headers): Promise<Session> {
  const verified = await jwtVerify(token, new TextEncoder().encode(secret), { algorithms: ['HS256'] }).catch(
    (cause) => {
      throw problemOf(cause);
    },
  );
  const { [NAMESPACE]: namespace, exp } = verified.payload;
  if (typeof namespace !== 'object' || namespace === null)
    throw new HasuraError('jwt-invalid-claims', `claims key: '${NAMESPACE}' not found`);
  const claims = Object.fromEntries(Object.entries(namespace).map(([name, value]) => [name.toLowerCase(), value]));
  const { 'x-hasura-allowed-roles': allowed, 'x-hasura-default-role': standard, ...rest } = claims;
  if (!Array.isArray(allowed))
    throw new HasuraError('jwt-missing-role-claims', 'JWT claim does not contain x-hasura-allowed-roles');
  if (typeof standard !== 'string')
    throw new HasuraError('jwt-missing-role-claims', 'JWT claim does not contain x-hasura-default-role');
  const role = headers['x-hasura-role'] ?? standard;
  if (!allowed.includes(role)) throw new HasuraError('access-denied', 'Your requested role is not in allowed roles');
  return { role, variables: lowerCased(rest), ...(exp !== undefined && { expires: exp * 1000 }) };
}

/** Throws `HasuraError`, as Hasura would. */
export async function openSession(
  headers: Headers,
  { adminSecret, jwtSecret, unauthorizedRole }: Authentication,
): Promise<Session> {
  const { 'x-hasura-admin-secret': secret, 'x-hasura-role': role = 'admin', authorization } = headers;
  if (adminSecret === undefined) return { role, variables: variablesOf(headers) };
  if (secret !== undefined) {
    if (secret === adminSecret) return { role, variables: variablesOf(headers) };
    throw new HasuraError('access-denied', 'invalid x-hasura-admin-secret/x-hasura-access-key');
  }
  const [scheme = '', token = '', ...rest] = authorization?.split(' ') ?? [];
  if (authorization === undefined || jwtSecret === undefined) {
    if (unauthorizedRole !== undefined) return { role: unauthorizedRole, variables: {} };
    if (jwtSecret === undefined)
      throw new HasuraError('access-denied', 'x-hasura-admin-secret/x-hasura-access-key required, but not found');
    throw new HasuraError('invalid-headers', "Missing 'Authorization' or 'Cookie' header in JWT authentication mode");
  }
  if (scheme !== 'Bearer' || rest.length > 0)
    throw new HasuraError('invalid-headers', 'Malformed Authorization header');
  return fromToken(token, jwtSecret, headers);
}

export interface TokenOptions {
  /** Default `user`. */
  readonly role?: string;
  readonly userId?: string;
  /** More session variables: `{ 'x-hasura-team': '7' }`. */
  readonly claims?: Readonly<Record<string, string>>;
  /** Seconds; may be negative. Default: it does not expire. */
  readonly expiresIn?: number;
}

/** A token as an authentication service in front of Hasura makes them. */
export function signToken(
  secret: string,
  { role = 'user', userId, claims = {}, expiresIn }: TokenOptions = {},
): Promise<string> {
  const namespace = {
    'x-hasura-allowed-roles': [role],
    'x-hasura-default-role': role,
    ...(userId !== undefined && { 'x-hasura-user-id': userId }),
    ...claims,
  };
  const now = Date.now() / 1000;
  const token = new SignJWT({ [NAMESPACE]: namespace, jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt();
  // Fractions are legal, and let a test have a token of half a second.
  if (expiresIn !== undefined) token.setExpirationTime(now + expiresIn);
  return token.sign(new TextEncoder().encode(secret));
}
