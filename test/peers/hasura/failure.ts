import pg from 'pg';

/** Where in a request something is: `$.selectionSet.insert_todos.args.objects`. */
export type Path = string;

/** What Hasura answers with instead of data. */
export class HasuraError extends Error {
  readonly code: string;
  readonly path: Path;
  readonly internal: unknown;

  constructor(code: string, message: string, path: Path = '$', internal?: unknown) {
    super(message);
    this.code = code;
    this.path = path;
    this.internal = internal;
  }
}

export const invalid = (message: string, path?: Path): HasuraError =>
  new HasuraError('validation-failed', message, path);

/** One entry of `errors`. Only an admin is told what Postgres said. */
export const errorEntry = ({ code, message, path, internal }: HasuraError, role = 'admin'): object => ({
  message,
  extensions: { path, code, ...(internal !== undefined && role === 'admin' && { internal }) },
});

const violations: Readonly<Record<string, readonly [code: string, prefix: string]>> = {
  '23001': ['constraint-violation', 'Can not delete or update due to data being referred. '],
  '23502': ['constraint-violation', 'Not-NULL violation. '],
  '23503': ['constraint-violation', 'Foreign key violation. '],
  '23505': ['constraint-violation', 'Uniqueness violation. '],
  // A CHECK is told as if it were a permission.
  '23514': ['permission-error', 'Check constraint violation. '],
  '23P01': ['constraint-violation', 'Exclusion violation. '],
};

/** What Postgres says while it stops and starts: to Hasura there is no connection. */
const away = new Set(['57P01', '57P02', '57P03', '08006', '08003', '08001']);

/** As Hasura's `dmlTxErrorHandler` tells what a statement ended with; whatever it does not expect is `unexpected`. */
export function fromPostgres(cause: unknown, path: Path): HasuraError {
  if (cause instanceof HasuraError) return cause;
  const code = cause instanceof pg.DatabaseError ? cause.code : undefined;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (code === undefined || away.has(code)) return new HasuraError('postgres-error', 'connection error', '$', message);
  const violation = violations[code];
  if (violation) return new HasuraError(violation[0], violation[1] + message, path);
  if (code.startsWith('23')) return new HasuraError('constraint-violation', message, path);
  if (code === '22025') return new HasuraError('bad-request', message, path);
  if (code.startsWith('22')) return new HasuraError('data-exception', message, path);
  if (code === '42P10')
    return new HasuraError('constraint-error', 'there is no unique or exclusion constraint on target column(s)', path);
  if (code === '42704') return new HasuraError('constraint-error', message, path);
  return new HasuraError('unexpected', 'database query error', path, { error: { message, status_code: code } });
}
