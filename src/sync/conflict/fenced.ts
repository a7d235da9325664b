import type { Row } from '../../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import { cloneJson, handOut } from '../../base/json.js';
import { isPlainObject } from '../../base/json-fault.js';
import type { ConflictResolver } from './merge.js';
import { strategies } from './resolvers.js';

/**
 * A resolver of the app's own, fenced in: it cannot change the rows that it is given, and where it throws, or returns what
 * is no row, that is reported and the later write wins.
 */
export const fenced =
  (resolve: ConflictResolver, parse: (row: Row) => Row, report: (error: SyncLayerError) => void): ConflictResolver =>
  (conflict) => {
    const { collection, recordId } = conflict;
    try {
      const row: unknown = resolve(handOut(conflict));
      if (row === null) return null;
      if (!isPlainObject(row)) {
        const message = `The conflict resolver of "${collection}" must return a row or null, and no promise; the later write won.`;
        throw new SyncLayerError('VALIDATION_FAILED', message, { details: { collection, recordId } });
      }
      return parse(cloneJson({ ...row, id: recordId }, `${collection}/${recordId}`));
    } catch (error) {
      const message = `The conflict resolver of "${collection}" failed; the later write won.`;
      report(toSyncLayerError(error, 'VALIDATION_FAILED', message, { details: { collection, recordId } }));
      return strategies.lastWriteWins(conflict);
    }
  };
