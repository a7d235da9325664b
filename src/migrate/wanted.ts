import { type Change, compareVersions, type Row } from '../base/change.js';
import type { OutgoingChange, PushResult } from '../transport/transport.js';
import { type Delta, deltaBetween, deltaOf, differingFields, isEmpty, type Sameness, withDelta } from './canonical.js';
import type { Pair } from './state.js';
import type { Side, SideState } from './types.js';

/** From where to where. */
export interface Direction {
  readonly source: Side;
  readonly target: Side;
}

export const forward: Direction = { source: 'from', target: 'to' };
export const backward: Direction = { source: 'to', target: 'from' };

/** What is to be written, but for what a push has besides. */
export type Write = Pick<OutgoingChange, 'type' | 'recordId' | 'data' | 'base' | 'baseVersion' | 'patch' | 'unset'>;

/** What a change of the source leads to. */
export type Step =
  /** Known already, or not worth a note. */
  | { readonly type: 'nothing' }
  /** Nothing to write: only what is known of the source moves on. */
  | { readonly type: 'note'; readonly source: SideState }
  | { readonly type: 'write'; readonly source: SideState; readonly write: Write };

const update = (recordId: string, state: { version: SideState['version']; row: Row }, delta: Delta): Write => ({
  type: 'update',
  recordId,
  data: withDelta(state.row, delta),
  base: state.row,
  baseVersion: state.version,
  patch: delta.patch,
  ...(delta.unset.length > 0 && { unset: delta.unset }),
});

const insert = (recordId: string, row: Row): Write => ({
  type: 'insert',
  recordId,
  data: row,
  base: null,
  baseVersion: null,
});

const remove = (recordId: string, { version, row }: SideState): Write => ({
  type: 'delete',
  recordId,
  data: null,
  base: row,
  baseVersion: version,
});

/**
 * What to write so that the target has what the source has. Only what changed at the source is written to a row that both
 * have: the rest stays as the target wrote it, to the last byte.
 */
export function stepOf(change: Change, pair: Pair, { source, target }: Direction, sameness: Sameness): Step {
  const known = pair[source];
  const theirs = pair[target];
  const { recordId } = change;
  if (change.type === 'delete') {
    // How new the deleted row was nobody said: what was known stays the mark that a later one must be above.
    if (change.inferred) {
      if (!known?.row) return { type: 'nothing' };
    } else if (known && compareVersions(change.version, known.version) <= 0) return { type: 'nothing' };
    if (!known) return { type: 'nothing' };
    const gone: SideState = { version: change.inferred ? known.version : change.version, row: null };
    if (!theirs?.row) return { type: 'note', source: gone };
    return { type: 'write', source: gone, write: remove(recordId, theirs) };
  }
  if (known && compareVersions(change.version, known.version) <= 0) return { type: 'nothing' };
  const now: SideState = { version: change.version, row: change.data };
  if (!theirs?.row) return { type: 'write', source: now, write: insert(recordId, change.data) };
  const delta = known?.row ? deltaOf(known.row, change.data) : deltaBetween(theirs.row, change.data, sameness);
  if (isEmpty(delta)) return { type: 'note', source: now };
  return { type: 'write', source: now, write: update(recordId, { version: theirs.version, row: theirs.row }, delta) };
}

/** What an answer to a write means. `again`: somebody else was first, and this is to be written over it. */
export type Outcome =
  | { readonly type: 'done'; readonly target: SideState }
  | { readonly type: 'again'; readonly write: Write; readonly overwrites: boolean }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'retry' };

export function outcomeOf(write: Write, wanted: Row | null, result: PushResult, sameness: Sameness): Outcome {
  const { recordId } = write;
  switch (result.type) {
    case 'applied': {
      const row = write.type === 'delete' ? null : { ...(result.data ?? write.data), id: recordId };
      return { type: 'done', target: { version: result.version, row } };
    }
    case 'conflict': {
      const { version, data } = result.current;
      const row = data && { ...data, id: recordId };
      if (wanted === null)
        return row
          ? { type: 'again', write: remove(recordId, { version, row }), overwrites: true }
          : { type: 'done', target: { version, row } };
      if (!row) return { type: 'again', write: insert(recordId, wanted), overwrites: false };
      if (differingFields(row, wanted, { ...sameness, ignored: new Set() }).length === 0)
        return { type: 'done', target: { version, row } };
      const delta = deltaBetween(row, wanted, sameness);
      return { type: 'again', write: update(recordId, { version, row }, delta), overwrites: true };
    }
    case 'rejected':
      return { type: 'refused', reason: result.error.message };
    case 'retry':
    case 'waiting':
      return { type: 'retry' };
  }
}
