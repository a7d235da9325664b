type Claims = { readonly [claim: string]: unknown };

/** What a JWT says; nothing for any other token. The signature is the backend's business. */
export function claimsOf(token: string): Claims {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    return Object(JSON.parse(atob(payload))) as Claims;
  } catch {
    return {};
  }
}

/** The user that a JWT names. */
export function subjectOf(token: string): string | undefined {
  const { sub } = claimsOf(token);
  return typeof sub === 'string' && sub !== '' ? sub : undefined;
}

/**
 * When a JWT ends, in ms since 1970; undefined for any other token.
 *
 * @example
 * const expiresAt = tokenExpiry(token) ?? Number.POSITIVE_INFINITY;
 */
export function tokenExpiry(token: string): number | undefined {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' ? exp * 1000 : undefined;
}
