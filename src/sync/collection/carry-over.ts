import type { Row } from '../../base/change.js';
import { deepEqual, own } from '../../base/json.js';
import { lastTimeOf } from '../conflict/edit-times.js';
import { type ConflictResolver, type Rebased, rebase, withField } from '../conflict/merge.js';
import { type EditRules, joinEdits } from '../edits.js';
import type { OutboxEntry, Pending, ServerState } from '../replica-state.js';

export interface CarryRules extends EditRules {
  readonly resolve: ConflictResolver;
  /** True: a resolver is asked even where both sides changed a field to the same value (it may have to sum). */
  readonly sameCounts: () => boolean;
  /** Server clock minus device clock, in ms. */
  readonly clockOffset: () => number;
}

/** Where edits lead on top of a newer server state. No entry: to that state itself, so nothing is left to push. */
export interface Carried extends Rebased {
  readonly entry?: OutboxEntry;
}

/** The edit, of a record that the backend knows by another key. */
export const withId = (entry: OutboxEntry, id: string): OutboxEntry => ({
  ...entry,
  recordId: id,
  base: entry.base && { ...entry.base, id },
  local: entry.local && { ...entry.local, id },
});

/**
 * Edits that were made on another backend, with its nulls and missing fields as this one's row has them: a column makes null
 * of both, so between two backends the difference is nobody's change, but what an edit itself changed is. An edit that this
 * one may have already is recognised by its row, in which no difference counts.
 */
export function inWordsOf(remote: Row, entries: Pending['entries']): Pending['entries'] {
  const { base, mayHaveArrived } = entries[0];
  const said = (row: Row | null): Row | null => {
    const from = (mayHaveArrived ? row : base) ?? {};
    const isNothing = (field: string): boolean =>
      own(row, field) === own(from, field) && (own(from, field) ?? own(remote, field)) == null;
    return (
      row &&
      Object.keys({ ...from, ...remote }).reduce(
        (same, field) => (isNothing(field) ? withField(same, field, remote) : same),
        row,
      )
    );
  };
  const translate = (entry: OutboxEntry): OutboxEntry => ({
    ...entry,
    base: said(entry.base),
    local: said(entry.local),
  });
  return entries.map(translate) as unknown as Pending['entries'];
}

/** Carries all edits of a record over to a newer server state, as one. */
export function carryOver(
  entries: readonly [OutboxEntry, ...OutboxEntry[]],
  state: ServerState,
  rules: CarryRules,
): Carried {
  const { collection, resolve, sameCounts, clockOffset } = rules;
  const [head] = entries;
  const tail = entries.at(-1) ?? head;
  const timeOf = lastTimeOf(entries);
  const fieldTime = (field: string): number => timeOf(field) + clockOffset();
  const edit = { base: head.base, local: tail.local, timestamp: tail.editedAt + clockOffset(), fieldTime };
  const identity = { collection, recordId: head.recordId, sameCounts: sameCounts() };
  const carried = rebase(edit, state, resolve, identity);
  if (deepEqual(carried.row, state.row)) return carried;
  return { ...carried, entry: joinEdits(entries, state, carried.row, rules) };
}

/** The edit after `head`, once the backend holds that as `state`. */
export const afterHead = (head: OutboxEntry, next: OutboxEntry, state: ServerState): OutboxEntry => ({
  ...next,
  base: head.local,
  baseVersion: head.local && state.version,
});

/** The edit after `head`, which was refused: its own changes only, where there is a row without those of `head`. */
export const withoutHead = (head: OutboxEntry, next: OutboxEntry): OutboxEntry => ({
  ...next,
  base: head.base && head.local ? head.local : head.base,
});
