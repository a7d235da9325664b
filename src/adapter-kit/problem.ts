import { type ErrorCode, type ErrorOptions, SyncLayerError } from '../base/errors.js';

/** Makes the errors of one adapter. */
export type ProblemMaker = (code: ErrorCode, message: string, more?: Omit<ErrorOptions, 'adapter'>) => SyncLayerError;

/**
 * @example
 * export const problem = problemsOf('acme');
 * throw problem('CONNECT_FAILED', 'Acme could not be reached. Is the url right?', { cause });
 */
export const problemsOf =
  (adapter: string): ProblemMaker =>
  (code, message, more) =>
    new SyncLayerError(code, message, { adapter, ...more });
