import pg from 'pg';

/** An answer that is an error, as PostgREST words it. */
export class PostgrestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: string | null;
  readonly hint: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    rest: { details?: string | null; hint?: string | null; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = rest.details ?? null;
    this.hint = rest.hint ?? null;
    this.headers = rest.headers ?? {};
  }
}

/** `what` is what was parsed: `logic tree ((id.eq.a,))`. `column` counts from 1. */
export const parseError = (what: string, column: number, details: string): PostgrestError =>
  new PostgrestError(400, 'PGRST100', `"failed to parse ${what}" (line 1, column ${column})`, { details });

const STATUS: { readonly [code: string]: number } = {
  '21000': 500,
  '22023': 400,
  '23503': 409,
  '23505': 409,
  '25006': 405,
  '42883': 404,
  '42P01': 404,
  '42P17': 500,
  P0001: 400,
};
const CLASS: { readonly [prefix: string]: number } = {
  '08': 503,
  '09': 500,
  '0L': 403,
  '0P': 403,
  '25': 500,
  '28': 403,
  '2D': 500,
  '38': 500,
  '39': 500,
  '3B': 500,
  '40': 500,
  '53': 503,
  '54': 500,
  '55': 500,
  '57': 500,
  '58': 500,
  F0: 500,
  HV: 500,
  P0: 500,
  XX: 500,
};

function statusOf(code: string, anonymous: boolean): number {
  if (code === '42501') return anonymous ? 401 : 403;
  // Postgres was told to stop: this is its own word for "the connection is gone".
  if (code === '57P01') return 503;
  const chosen = /^PT(\d{3})$/.exec(code)?.[1];
  return chosen === undefined ? (STATUS[code] ?? CLASS[code.slice(0, 2)] ?? 400) : Number(chosen);
}

/** What a client is told of what went wrong. `anonymous`: no user had signed in, so another right may be had by doing so. */
export function asPostgrestError(cause: unknown, anonymous: boolean): PostgrestError {
  if (cause instanceof PostgrestError) return cause;
  if (!(cause instanceof pg.DatabaseError) || cause.code === undefined || cause.code === '57P03')
    return new PostgrestError(503, 'PGRST002', 'Could not query the database for the schema cache. Retrying.');
  // A token may name a role that does not exist.
  const nobody = cause.code === '22023' && /^role .* does not exist$/.test(cause.message);
  const status = nobody ? 401 : statusOf(cause.code, anonymous);
  const headers: Record<string, string> = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
  return new PostgrestError(status, cause.code, cause.message, {
    details: cause.detail ?? null,
    hint: cause.hint ?? null,
    headers,
  });
}
