import type { Row } from '../base/change.js';
import { deepEqual } from '../base/json.js';
import type { User } from '../transport/identity.js';
import { changedFields, fieldTimes, lastTimeOf, takeUp } from './conflict/edit-times.js';
import type { OutboxEntry, Pending, ServerState } from './replica-state.js';

/** What edits are made with. */
export interface EditRules {
  readonly collection: string;
  readonly nextOrder: () => number;
  readonly newId: () => string;
  /** Who is signed in. */
  readonly user: () => User;
}

/** The edit that has not left yet, and takes up what comes. */
export const openEdit = (edits: Pending | undefined): OutboxEntry | undefined => {
  const tail = edits?.entries.at(-1);
  return tail?.sent || tail?.mayHaveArrived || tail?.waiting ? undefined : tail;
};

/** The entry of one more edit, from `current` (what the app sees) to `next`. Undefined: it takes the open edit back. */
export function makeEdit(
  recordId: string,
  edits: Pending | undefined,
  server: ServerState,
  current: Row | null,
  next: Row | null,
  { collection, newId, nextOrder, user }: EditRules,
): OutboxEntry | undefined {
  const open = openEdit(edits);
  const editedAt = Date.now();
  if (open) return deepEqual(open.base, next) ? undefined : takeUp(open, next, editedAt);
  // After a sent edit the version is known only once that is acknowledged.
  const baseVersion = current && !edits ? server.version : null;
  const how = { base: current, baseVersion, local: next, editedAt, sent: false, attempts: 0 };
  const author = user();
  return { opId: newId(), collection, recordId, order: nextOrder(), ...how, ...(author !== undefined && { author }) };
}

/** Edits of a record as one, which leads from `state` to `row`. */
export function joinEdits(
  entries: readonly [OutboxEntry, ...OutboxEntry[]],
  state: ServerState,
  row: Row | null,
  { newId }: Pick<EditRules, 'newId'>,
): OutboxEntry {
  const [head] = entries;
  const { mayHaveArrived: _, editedAt, ...last } = entries.at(-1) ?? head;
  const how = { base: state.row, baseVersion: state.row && state.version, local: row, sent: false, attempts: 0 };
  const own = row ? changedFields(state.row ?? {}, row) : [];
  const when = { editedAt, ...fieldTimes(own, editedAt, lastTimeOf(entries)), mergedAt: state.editedAt };
  return { ...last, opId: newId(), order: head.order, ...how, ...when };
}
