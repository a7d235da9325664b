import type { Row, Version } from '../base/change.js';
import { type ErrorCode, SyncLayerError } from '../base/errors.js';
import type { User } from '../transport/identity.js';
import type { FieldTimes } from './conflict/edit-times.js';

/** The version of a row that another backend gave us: older than any that this one can give. */
export const UNKNOWN: Version = 0;

/** What the backend holds of one record, as far as this client knows. `row: null`: it is gone, or never was. */
export interface ServerState {
  readonly row: Row | null;
  /** null: the backend has never told. */
  readonly version: Version | null;
  /** When it was committed, in ms. */
  readonly timestamp?: number | undefined;
  /** When its newest edit was made, in ms, where the backend keeps that: a later conflict compares it. */
  readonly editedAt?: number | undefined;
  /** The delete was concluded from a missing key; a row of the same version may prove it wrong. */
  readonly inferred?: true;
  /** The filter leaves the row out: it is known only for as long as there are edits of it, which start from it. */
  readonly hidden?: true;
  /** With `row: null`: the backend has the row, but the filter leaves it out. */
  readonly excluded?: true;
}

/** Whether the backend still has something of a record that is not shown: a row that the filter leaves out, or a tombstone. */
export const isHeld = (
  { inferred, excluded }: Pick<ServerState, 'inferred' | 'excluded'>,
  tombstones: boolean,
): boolean => !inferred && (tombstones || excluded === true);

/** What stays of a state once nobody edits the record. */
export const settledState = (state: ServerState): ServerState =>
  state.hidden ? { row: null, version: state.version, timestamp: state.timestamp, excluded: true } : state;

/** A row as the store keeps it. `at`: when a tombstone was noted, in ms, for its retention. */
export interface StoredRow extends ServerState {
  readonly at?: number;
}

/**
 * A local edit that has not been acknowledged. Those of a record that may have been on their way are frozen (`sent`: a retry must
 * be the same push); at most one, the last, takes up all later edits.
 */
export interface OutboxEntry {
  readonly opId: string;
  readonly collection: string;
  readonly recordId: string;
  /** Position in the outbox, over all collections. */
  readonly order: number;
  /** The server row that the edit started from. */
  readonly base: Row | null;
  readonly baseVersion: Version | null;
  readonly local: Row | null;
  /** When the edit was made, in ms, by this device's clock; where it is several, the last of them. */
  readonly editedAt: number;
  /** When fields were edited that the last of several edits left alone: ms, by this device's clock. */
  readonly fieldTimes?: FieldTimes | undefined;
  /** When the newest edit was made of those that this one was merged with: ms, by the server's clock. */
  readonly mergedAt?: number | undefined;
  readonly sent: boolean;
  /** It was sent to another backend: where data is moved between the two, its row may come as this one's own. */
  readonly mayHaveArrived?: boolean | undefined;
  /** How often the backend answered "retry". */
  readonly attempts: number;
  /** What it waits for, by the backend's last answer: another row, or a column. It is not in the backend, unless `sent`. */
  readonly waiting?: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** Whose edit it is: it is sent only as this user. Null: nobody was signed in. Undefined: that was not known. */
  readonly author?: User;
  /** Refused for good: kept aside, no longer part of the visible row. */
  readonly failed?: { readonly code: ErrorCode; readonly message: string };
}

/** A record with unacknowledged edits. */
export interface Pending {
  readonly server: ServerState;
  readonly entries: readonly [OutboxEntry, ...OutboxEntry[]];
}

/** Insert, update or delete: what an edit is follows from what it starts from and leads to. */
export const operationType = ({ base, local }: Pick<OutboxEntry, 'base' | 'local'>): 'insert' | 'update' | 'delete' =>
  local === null ? 'delete' : base === null ? 'insert' : 'update';

/** Why edits of a row that this user may no longer see are kept aside. */
export const hiddenError = (collection: string, recordId: string): SyncLayerError => {
  const what = `Record ${JSON.stringify(recordId)} of "${collection}" may no longer be seen by this user.`;
  return new SyncLayerError('PUSH_REJECTED', `${what} Its edit is kept: outbox.retry() it when it is visible again.`);
};

/** The version of a row, and its times. */
export type Stamp = Pick<ServerState, 'timestamp' | 'editedAt'> & { readonly version: Version };

/** Of what a backend said. A time that is none is left out. */
export const stampOf = ({ version, timestamp, editedAt }: Stamp): Stamp => ({
  version,
  timestamp: Number.isFinite(timestamp) ? timestamp : undefined,
  ...(Number.isFinite(editedAt) && { editedAt }),
});
