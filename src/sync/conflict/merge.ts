import type { Row } from '../../base/change.js';
import type { Frozen } from '../../base/frozen.js';
import { deepEqual, own } from '../../base/json.js';
import { changedFields } from './edit-times.js';

/** Both sides changed the same fields since `base`, or one deleted what the other changed. */
export interface Conflict<T = Row> {
  readonly collection: string;
  readonly recordId: string;
  /** The row that the local edit started from; null if it was created here. */
  readonly base: Frozen<T> | null;
  /** The local row; null: deleted here. */
  readonly local: Frozen<T> | null;
  /** The backend's row; null: deleted there. */
  readonly remote: Frozen<T> | null;
  /** The fields that both sides changed; empty if one side deleted the row. */
  readonly fields: readonly string[];
  /** Both sides' changes together, with the remote values in `fields`; null if one side deleted the row. */
  readonly merged: Frozen<T> | null;
  /** When the edit was made, in ms, by the server's clock as far as it could be measured; of several edits, the last. */
  readonly localTimestamp: number;
  /** The same for each of `fields`: several edits of a row are sent as one, and each field keeps its own time. */
  readonly localFieldTimestamps?: Readonly<Record<string, number>>;
  /**
   * When the backend's row was changed, in ms: `remoteEditedAt` where it is known, else when that edit was committed, which is
   * later; undefined where the backend tells neither.
   */
  readonly remoteTimestamp: number | undefined;
  /** When the newest edit in the backend's row was made, in ms; undefined where the backend does not keep it. */
  readonly remoteEditedAt?: number | undefined;
}

/**
 * Decides a conflict: returns the row to keep, or null to delete it. The rows that it is called with are frozen.
 *
 * @example
 * const longerText: ConflictResolver<Todo> = ({ local, remote }) =>
 *   (local?.text.length ?? 0) > (remote?.text.length ?? 0) ? local : remote;
 */
export type ConflictResolver<T = Row> = (conflict: Conflict<T>) => Frozen<T> | null;

/** An edit and the state that it started from. */
export interface Edit {
  readonly base: Row | null;
  readonly local: Row | null;
  readonly timestamp: number;
  /** When a field was edited, in ms. Default: `timestamp`. */
  readonly fieldTime?: (field: string) => number;
}

/** What the backend holds now. */
export interface Remote {
  readonly row: Row | null;
  readonly timestamp?: number | undefined;
  readonly editedAt?: number | undefined;
}

export interface Rebased {
  /** The row that the edit leads to, on top of `remote`. Equal to the remote row: nothing is left to push. */
  readonly row: Row | null;
  readonly conflict?: Conflict;
}

/** A copy of `row` in which `field` is as in `source`: its value, or its absence. */
export function withField(row: Row, field: string, source: Row): Row {
  const { [field]: _, ...rest } = row;
  return Object.hasOwn(source, field) ? { ...rest, [field]: source[field] } : rest;
}

/**
 * `remote` with the local changes since `base`. A field that both sides changed keeps the remote value and is named in
 * `fields`; `sameCounts` names it even if both changed it to the same value.
 */
export function threeWay(
  base: Row | null,
  local: Row,
  remote: Row,
  sameCounts = false,
): { merged: Row; fields: string[] } {
  const from: Row = base ?? {};
  let merged = remote;
  const fields: string[] = [];
  for (const field of changedFields(from, local)) {
    if (deepEqual(own(remote, field), own(from, field))) merged = withField(merged, field, local);
    else if (sameCounts || !deepEqual(own(remote, field), own(local, field))) fields.push(field);
  }
  return { merged, fields };
}

/**
 * Carries an edit over to the backend's newer row. Fields that only one side changed are kept from that side, whatever
 * the strategy; `resolve` is asked only about what both changed.
 */
export function rebase(
  edit: Edit,
  remote: Remote,
  resolve: ConflictResolver,
  identity: { readonly collection: string; readonly recordId: string; readonly sameCounts?: boolean },
): Rebased {
  const { base, local } = edit;
  let fields: string[] = [];
  let merged: Row | null = null;
  if (local && remote.row) {
    ({ merged, fields } = threeWay(base, local, remote.row, identity.sameCounts));
    if (fields.length === 0) return { row: merged };
  } else if (local === remote.row || deepEqual(base, remote.row)) return { row: local };
  const conflict: Conflict = {
    collection: identity.collection,
    recordId: identity.recordId,
    base,
    local,
    remote: remote.row,
    fields,
    merged,
    localTimestamp: edit.timestamp,
    localFieldTimestamps: Object.fromEntries(fields.map((field) => [field, edit.fieldTime?.(field) ?? edit.timestamp])),
    remoteTimestamp: remote.editedAt ?? remote.timestamp,
    remoteEditedAt: remote.editedAt,
  };
  return { row: resolve(conflict), conflict };
}
