import { type Change, compareVersions, type Row, type Version } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import { deepEqual } from '../base/json.js';
import { jsonFault } from '../base/json-fault.js';
import { matchesFilter, projectRow } from '../transport/filter.js';
import type { SyncFilter } from '../transport/transport.js';
import { type ServerState, type Stamp, stampOf } from './replica-state.js';

export interface IncomingRules {
  readonly collection: string;
  readonly filter: SyncFilter;
  /** The row as the schema wants it; throws VALIDATION_FAILED. */
  readonly parse: (row: Row) => Row;
  /** Whether a row that a read shows older than it is known is so: see `createSecondLook`. */
  readonly believes: (id: string, version: Version) => boolean;
  /** Somebody changed this record and left its version as it was. */
  readonly unstamped: (id: string) => void;
}

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

/** `partial`: the row must be fetched. `doubtful`: it has a version that is known, and other data; a read by id decides. */
export type After = ServerState | 'partial' | 'doubtful' | undefined;

/** What comes from the backend: whether it is news, whether it is right, and what the backend then holds. Changes nothing. */
export function createIncoming({ collection, filter, parse, believes, unstamped }: IncomingRules, known: Known) {
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
    if (hidden && !known.isEdited(id)) return { row: null, ...stamp, excluded: true };
    const kept = projectRow(filter, whole);
    const row = parse(kept);
    // A schema may make a Date of a text.
    if (row !== kept) assertPlain(id, row);
    return hidden ? { row, ...stamp, hidden } : { row, ...stamp };
  }

  /** What the backend holds after a change, taken as it is. */
  function stateOf(change: Change): ServerState | 'partial' | undefined {
    const { recordId: id } = change;
    const stamp = stampOf(change);
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

  /** The app's schema alone can make another row of the same one. */
  const isOnlyParsed = (before: Row, after: Row): boolean => {
    try {
      return deepEqual(parse(before), after);
    } catch {
      return false;
    }
  };

  /**
   * What the backend holds after a change; undefined if that is no news. `now`: the backend was asked what it holds, and nothing
   * has come since of this record, so that its answer counts more than the order of versions.
   */
  function stateAfter(change: Change, now = false): After {
    const { recordId: id, version } = change;
    if (typeof id !== 'string' || !(typeof version === 'string' || Number.isFinite(version))) {
      const message = `A change of "${collection}" needs a recordId, and a version: a string or a finite number; it was skipped.`;
      throw new SyncLayerError('PROTOCOL_VIOLATION', message, { details: { collection, recordId: id } });
    }
    const before = known.version(id);
    const order = before === null ? 1 : compareVersions(version, before);
    if (order > 0) return stateOf(change);
    const isSame = order === 0;
    if (isSame && (known.isReread() || known.state(id).inferred)) return stateOf(change);
    if (!isSame && !now && !change.current) return undefined;
    // Neither says what a row of a version that is known holds.
    if (change.type === 'delete' ? change.inferred : change.type === 'update' && change.partial) return undefined;
    const state = stateOf(change);
    const held = known.state(id);
    if (!state || state === 'partial') return state;
    // It was let go of for its age.
    if (held.excluded && filter.limit !== undefined) return undefined;
    if (deepEqual(held.row, state.row)) {
      const isOther = isSame ? state.excluded && !held.excluded : change.current;
      return now && isOther ? state : undefined;
    }
    if (!now) return 'doubtful';
    if (!believes(id, version)) return undefined;
    if (isSame && held.row && state.row && !isOnlyParsed(held.row, state.row)) unstamped(id);
    return state;
  }

  return { accept, stateAfter };
}
