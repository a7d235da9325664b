import { compareVersions, type Row, type Version } from '../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { deepEqual } from '../base/json.js';
import type { PushResult } from '../transport/transport.js';
import { type Pending, type ServerState, type Stamp, stampOf } from './replica-state.js';

export interface AnswerRules {
  readonly collection: string;
  /** How often "retry" is believed. */
  readonly maxRetries: number;
  /** See `EditRules`. */
  readonly sameCounts: () => boolean;
  /** The backend's row as this client keeps it; `part`: with only the fields that it keeps. Throws VALIDATION_FAILED. */
  readonly accept: (id: string, data: Row, stamp: Stamp, part?: boolean) => ServerState;
  /** See `IncomingRules`. */
  readonly believes: (id: string, version: Version) => boolean;
  /** The backend's row could not be read. */
  readonly invalid: (error: SyncLayerError) => void;
}

/** How a push went, beside its answer. */
export interface PushCircumstances {
  /** Something came of the record while the push was on its way: it may be newer than the answer. */
  readonly touched: boolean;
  /** The edit had been sent before: the answer may be of that time. */
  readonly repeated: boolean;
}

/** What is to be done about a record whose first edit was answered. */
export type Verdict =
  /**
   * The edit is in: the backend holds `state`, which is `own` if nobody has written since. `doubtful`: the row may be gone by
   * now.
   */
  | { readonly type: 'done'; readonly state: ServerState; readonly own: boolean; readonly doubtful?: boolean }
  /** The backend holds something else; the edits go on from there. */
  | { readonly type: 'merge'; readonly state: ServerState }
  | { readonly type: 'again'; readonly counts: boolean }
  | { readonly type: 'held'; readonly error: SyncLayerError }
  /** The row is out of this user's sight: all its edits are kept aside. */
  | { readonly type: 'hidden'; readonly state: ServerState }
  | { readonly type: 'refused'; readonly error: SyncLayerError };

const isNewer = (a: ServerState, b: ServerState): boolean =>
  a.version !== null && b.version !== null && compareVersions(a.version, b.version) > 0;

/** The newer of what is known and what an answer says. */
const newer = (known: ServerState, state: ServerState): ServerState => (isNewer(known, state) ? known : state);

/** It is not there, and nobody has told of a delete: the same version may come back. */
const missing = (known: ServerState, version: Version): ServerState => ({
  row: null,
  version: known.version ?? version,
  inferred: true,
});

const unreadable = (collection: string, error: unknown): SyncLayerError =>
  toSyncLayerError(error, 'VALIDATION_FAILED', `The backend's row of "${collection}" could not be read.`);

function applied(
  { server: known, entries: [{ recordId, local }] }: Pending,
  { data, ...answer }: PushResult & { type: 'applied' },
  { touched, repeated }: PushCircumstances,
  { collection, accept, invalid }: AnswerRules,
): Verdict {
  if (local && data === null) {
    // What came meanwhile may be later than that, and may be earlier.
    const state = touched ? known : missing(known, answer.version);
    return { type: 'done', state, own: false, doubtful: touched };
  }
  const stamp = stampOf(answer);
  let state: ServerState = { row: local, ...stamp };
  /** A delete is answered with a row where that was created again since. */
  const row = local ? (data ?? local) : repeated && data;
  try {
    if (row) state = accept(recordId, row, stamp, row === local);
  } catch (error) {
    invalid(unreadable(collection, error));
  }
  /** Of the time when it was sent first, perhaps: much can have become of it since. */
  const old = repeated && !data;
  if (touched || old) state = newer(known, state);
  return {
    type: 'done',
    state,
    own: state !== known,
    doubtful: state.row !== null && (old || known.inferred === true),
  };
}

function conflicting(
  { server: known, entries: [head] }: Pending,
  { current: { data, hidden, ...answer } }: PushResult & { type: 'conflict' },
  { touched }: PushCircumstances,
  { collection, accept, invalid, believes, sameCounts }: AnswerRules,
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
  if (touched && isNewer(known, state) && known.version !== head.baseVersion) state = known;
  else if (!data && hidden) return { type: 'hidden', state: missing(known, stamp.version) };
  // Where deletes leave no trace, or the rights hide the row, the backend has no version to name.
  else if (!data && (known.row || known.inferred)) {
    if (!isNewer(state, known)) state = missing(known, stamp.version);
  } else if (!data) state = newer(known, state);
  // It is what the backend has now, however old its version.
  else if (isNewer(known, state) && !believes(head.recordId, stamp.version)) return { type: 'again', counts: false };
  // A backend that does not know opIds answers so when our own push came through and its answer was lost.
  return !sameCounts() && deepEqual(state.row, head.local)
    ? { type: 'done', state, own: true }
    : { type: 'merge', state };
}

/** What the backend's answer to the first of a record's edits means. */
export function verdictOn(edits: Pending, result: PushResult, how: PushCircumstances, rules: AnswerRules): Verdict {
  if (result.type === 'applied') return applied(edits, result, how, rules);
  if (result.type === 'conflict') return conflicting(edits, result, how, rules);
  if (result.type === 'waiting') return { type: 'held', error: result.error };
  return result.type === 'retry' && edits.entries[0].attempts < rules.maxRetries
    ? { type: 'again', counts: true }
    : { type: 'refused', error: result.error };
}

/**
 * What an answer means that came before anybody signed in. What is refused to nobody may be allowed to a user: it waits.
 * `awaited`: somebody may yet sign in. A backend that says so itself sets `details.signIn`.
 */
export function beforeSignIn(result: PushResult, awaited: boolean): PushResult {
  if (result.type !== 'rejected' && result.type !== 'waiting') return result;
  const { code, message, details, adapter } = result.error;
  const mayPass = awaited && result.type === 'rejected' && code === 'PUSH_REJECTED';
  if (details.signIn !== true && !mayPass) return result;
  const error = new SyncLayerError(
    'AUTH_REQUIRED',
    `${message} Nobody is signed in; the edit waits until somebody is.`,
    {
      ...(adapter !== undefined && { adapter }),
      details,
    },
  );
  return { type: 'waiting', error };
}
