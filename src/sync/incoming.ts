import { type Change, compareVersions, type Row, type Version } from '../change.js';
import { SyncLayerError } from '../errors.js';
import { jsonFault } from '../json-fault.js';
import type { SyncFilter } from '../transport/transport.js';
import { matchesFilter, projectRow } from './filter.js';
import type { ServerState } from './replica-state.js';

export interface IncomingRules {
  readonly collection: string;
  readonly filter: SyncFilter;
  /** The row as the schema wants it; throws VALIDATION_FAILED. */
  readonly parse: (row: Row) => Row;
}

/** The version of a row, and its times. */
export type Stamp = Pick<ServerState, 'timestamp' | 'editedAt'> & { readonly version: Version };

/** Of what a backend said. A time that is none is left out. */
export const stampOf = ({ version, timestamp, editedAt }: Stamp): Stamp => ({
  version,
  timestamp: Number.isFinite(timestamp) ? timestamp : undefined,
  ...(Number.isFinite(editedAt) && { editedAt }),
});

/** What is known of the records so far. */
export interface Known {
  state(id: string): ServerState;
  /** Of `state`, where no more is needed. */
  version(id: string): Version | null;
  /** It has edits that are not acknowledged. */
  isEdited(id: string): boolean;
  /** All is being read anew: a version that is known is taken again. */
  isReread(): boolean;
}

/** What comes from the backend: whether it is news, whether it is right, and what the backend then holds. Changes nothing. */
export function createIncoming({ collection, filter, parse }: IncomingRules, known: Known) {
  /** Throws VALIDATION_FAILED unless it is plain JSON: nobody looks again before it is stored. */
  function assertPlain(id: string, row: Row): void {
    const fault = Object(row) === row && !Array.isArray(row) ? jsonFault(row) : ' is not an object';
    if (fault === undefined) return;
    const message = `Record ${JSON.stringify(id)} of "${collection}"${fault}; it was not stored. Correct it at its source.`;
    throw new SyncLayerError('VALIDATION_FAILED', message, { details: { collection, recordId: id } });
  }

  /** A backend's row as this client keeps it; `part`: with only the fields that it keeps. Throws VALIDATION_FAILED. */
  function accept(id: string, data: Row, stamp: Stamp, part = false): ServerState {
    assertPlain(id, data);
    const whole = data.id === id ? data : { ...data, id };
    const hidden = !matchesFilter(filter, whole, stamp.timestamp, part);
    // An edit of a row that left the filter must still know what it meets: against nothing it would conflict for ever.
    if (hidden && !known.isEdited(id)) return { row: null, ...stamp };
    const kept = projectRow(filter, whole);
    const row = parse(kept);
    // A schema may make a Date of a text.
    if (row !== kept) assertPlain(id, row);
    return hidden ? { row, ...stamp, hidden } : { row, ...stamp };
  }

  function isStale(id: string, version: Version): boolean {
    const before = known.version(id);
    if (before === null) return false;
    const order = compareVersions(version, before);
    return order < 0 || (order === 0 && !known.state(id).inferred && !known.isReread());
  }

  /** What the backend holds after a change; undefined if that is no news, 'partial' if the row must be fetched. */
  function stateAfter(change: Change): ServerState | 'partial' | undefined {
    const { recordId: id, version } = change;
    const stamp = stampOf(change);
    if (typeof id !== 'string' || !(typeof version === 'string' || Number.isFinite(version))) {
      const message = `A change of "${collection}" needs a recordId, and a version: a string or a finite number; it was skipped.`;
      throw new SyncLayerError('PROTOCOL_VIOLATION', message, { details: { collection, recordId: id } });
    }
    if (isStale(id, version)) return undefined;
    if (change.type === 'delete' && change.inferred) {
      const before = known.state(id);
      // The version that is known stays: one made of a time could hide a row that is created again meanwhile.
      return before.row || known.isEdited(id)
        ? { row: null, ...stamp, version: before.version, inferred: true }
        : undefined;
    }
    if (change.type === 'delete') return { row: null, ...stamp };
    if (change.type !== 'update' || !change.partial) return accept(id, change.data, stamp);
    const before = known.state(id);
    if (!before.row || before.hidden || change.baseVersion === undefined || change.baseVersion !== before.version)
      return 'partial';
    return accept(id, { ...before.row, ...change.data }, stamp, true);
  }

  return { accept, stateAfter };
}
