/** Whether a text is PostgreSQL's code for what is wrong. */
export const isSqlState = (code: string): boolean => /^[\dA-Z]{5}$/.test(code);

/**
 * What such a code says about the statement that it answers.
 *
 * - `backend`: nothing. The database is overloaded, locked, starting or going down, or has cut the statement short.
 * - `busy`: it met a lock, a deadlock or a timeout. That passes; one row may be the cause.
 * - `waiting`: another row, a column or a table has to be there first.
 * - `retry`: it may go well later.
 * - `final`: it is refused for what it is, by the data, the rights or a `raise exception`.
 */
export type SqlMeaning = 'backend' | 'busy' | 'waiting' | 'retry' | 'final';

/** The first that matches. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const meanings: readonly (readonly [RegExp, SqlMeaning])[] = [
  // Serialization failures and deadlocks; locks that were not to be had; a timeout of the statement or of its transaction.
  [/^(40|55P03|55006|57014|25P0)/, 'busy'],
  // Connections, resources, intervention, the system; a server that only reads, as while it fails over. PostgREST lets functions
  // raise PT and a status.
  [/^(08|53|57|58|25006|PT5|PT408|PT429)/, 'backend'],
  [/^23503/, 'waiting'],
  // An undefined column or table: in the middle of a migration.
  [/^(42703|42P01)/, 'waiting'],
  // Another row has to go first.
  [/^23505/, 'retry'],
  [/^(2[1-8]|42|44|P0001|PT4)/, 'final'],
];

export const meaningOf = (sqlState: string): SqlMeaning =>
  meanings.find(([pattern]) => pattern.test(sqlState))?.[1] ?? 'retry';

/** For the `details` of an error: what one row may be the cause of, and what passes all the same. */
export const BUSY = { unclear: true, passing: true } as const;
