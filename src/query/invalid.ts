import { SyncLayerError } from '../base/errors.js';

/** The error of a query that cannot be. Thrown where the query is built, so that the stack names the place. */
export const invalid = (call: string, problem: string): SyncLayerError =>
  new SyncLayerError('VALIDATION_FAILED', `${call} ${problem}.`);
