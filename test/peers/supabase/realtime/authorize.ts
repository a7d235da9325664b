import type { Database } from '../database.js';
import type { Claims, Tokens, Verified } from '../tokens.js';

export type Authorized =
  | { readonly ok: true; readonly claims: Claims }
  /** `reason` is how a join's refusal shows it; `message` is the bare one, for an upgrade. */
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** How a `system` message says that a new token was refused. */
export const refreshMessage = (message: string): string =>
  message === REFUSALS.signature?.[1] ? ':signature_error' : message;

const REFUSALS: { readonly [problem: string]: readonly [kind: string, message: string] } = {
  malformed: ['MalformedJWT', 'The token provided is not a valid JWT'],
  algorithm: ['JwtSignerError', 'Failed to generate JWT signer, check your JWT secret or JWKS configuration'],
  signature: ['JwtSignatureError', 'Failed to validate JWT signature'],
  claims: ['InvalidJWTToken', 'Fields `role` and `exp` are required in JWT'],
};

const refused = (kind: string, message: string): Authorized => ({ ok: false, reason: `${kind}: ${message}`, message });

const secondsSince = (exp: number): number => Math.max(0, Math.floor(Date.now() / 1000 - exp));
/** What a channel is told whose token runs out. */
export const expiredMessage = (exp: number): string => `Token has expired ${secondsSince(exp)} seconds ago`;

function expOf(token: string): number {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  return typeof claims === 'object' && claims !== null && 'exp' in claims ? Number(claims.exp) : 0;
}

/** Whether Realtime takes a token: one of the project's, with a role and an end. */
export async function authorize(tokens: Tokens, token: string): Promise<Authorized> {
  const verified: Verified = await tokens.verify(token);
  if (!verified.ok && verified.problem === 'expired') return refused('InvalidJWTToken', expiredMessage(expOf(token)));
  const [kind, message] = verified.ok ? (REFUSALS.claims ?? []) : (REFUSALS[verified.problem] ?? []);
  if (!verified.ok) return refused(kind ?? '', message ?? '');
  const { role, exp } = verified.claims;
  if (typeof role !== 'string' || typeof exp !== 'number') return refused(kind ?? '', message ?? '');
  return { ok: true, claims: verified.claims };
}

/** What the policies of `realtime.messages` let a bearer of these claims do with a private topic. */
export async function topicRights(
  database: Database,
  topic: string,
  claims: Claims,
): Promise<{ readonly read: boolean; readonly write: boolean }> {
  return database.with('owner', async (client) => {
    await client.query('begin');
    try {
      await client.query("insert into realtime.messages (topic, extension, private) values ($1, 'broadcast', true)", [
        topic,
      ]);
      const settings = `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
        set_config('realtime.topic', $3, true)`;
      await client.query(settings, [claims.role, JSON.stringify(claims), topic]);
      const seen = await client.query('select 1 from realtime.messages where topic = $1 limit 1', [topic]);
      const written = client.query("insert into realtime.messages (topic, extension) values ($1, 'broadcast')", [
        topic,
      ]);
      const write = await written.then(
        () => true,
        () => false,
      );
      return { read: (seen.rowCount ?? 0) > 0, write };
    } catch {
      return { read: false, write: false };
    } finally {
      await client.query('rollback');
    }
  });
}
