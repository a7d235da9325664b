import { compareVersions, type Row } from '../change.js';
import { type SyncLayerError, toSyncLayerError } from '../errors.js';
import { deepEqual } from '../json.js';
import type { PushResult } from '../transport/transport.js';
import { type Stamp, stampOf } from './incoming.js';
import type { Pending, ServerState } from './replica-state.js';

export interface AnswerRules {
  readonly collection: string;
  /** How often "retry" is believed. */
  readonly maxRetries: number;
  /** See `EditRules`. */
  readonly sameCounts: () => boolean;
  /** The backend's row as this client keeps it; `part`: with only the fields that it keeps. Throws VALIDATION_FAILED. */
  readonly accept: (id: string, data: Row, stamp: Stamp, part?: boolean) => ServerState;
  /** The backend's row could not be read. */
  readonly invalid: (error: SyncLayerError) => void;
}

/** What is to be done about a record whose first edit was answered. */
export type Verdict =
  /** The edit is in: the backend holds `state`, which is `own` if nobody has written since. */
  | { readonly type: 'done'; readonly state: ServerState; readonly own: boolean }
  /** The backend holds something else; the edits go on from there. */
  | { readonly type: 'merge'; readonly state: ServerState }
  | { readonly type: 'again' }
  | { readonly type: 'held'; readonly error: SyncLayerError }
  | { readonly type: 'refused'; readonly error: SyncLayerError };

/** The newer of what is known and what an answer says. */
const newer = (known: ServerState, state: ServerState): ServerState =>
  known.version !== null && state.version !== null && compareVersions(known.version, state.version) > 0 ? known : state;

const unreadable = (collection: string, error: unknown): SyncLayerError =>
  toSyncLayerError(error, 'VALIDATION_FAILED', `The backend's row of "${collection}" could not be read.`);

function applied(
  { server: known, entries: [{ recordId, local }] }: Pending,
  { data, ...answer }: PushResult & { type: 'applied' },
  { collection, accept, invalid }: AnswerRules,
): Verdict {
  const stamp = stampOf(answer);
  let state: ServerState = { row: local, ...stamp };
  try {
    if (local) state = accept(recordId, data ?? local, stamp, !data);
  } catch (error) {
    invalid(unreadable(collection, error));
  }
  state = newer(known, state);
  return { type: 'done', state, own: state !== known };
}

function conflicting(
  { server: known, entries: [head] }: Pending,
  { current: { data, ...answer } }: PushResult & { type: 'conflict' },
  { collection, accept, invalid, sameCounts }: AnswerRules,
): Verdict {
  const stamp = stampOf(answer);
  let state: ServerState = { row: null, ...stamp };
  try {
    if (data) state = accept(head.recordId, data, stamp);
  } catch (thrown) {
    // There is nothing to merge with. Pushed over it, the edit would destroy what cannot be read.
    const error = unreadable(collection, thrown);
    invalid(error);
    return { type: 'refused', error };
  }
  state = newer(known, state);
  // Where deletes leave no trace the backend has no version to name. The row that the edit started from is gone.
  if (!data && state === known && known.version === head.baseVersion)
    state = { row: null, version: known.version, inferred: true };
  // A backend that does not know opIds answers so when our own push came through and its answer was lost.
  return !sameCounts() && deepEqual(state.row, head.local)
    ? { type: 'done', state, own: true }
    : { type: 'merge', state };
}

/** What the backend's answer to the first of a record's edits means. */
export function judge(edits: Pending, result: PushResult, rules: AnswerRules): Verdict {
  if (result.type === 'applied') return applied(edits, result, rules);
  if (result.type === 'conflict') return conflicting(edits, result, rules);
  if (result.type === 'waiting') return { type: 'held', error: result.error };
  return result.type === 'retry' && edits.entries[0].attempts < rules.maxRetries
    ? { type: 'again' }
    : { type: 'refused', error: result.error };
}
