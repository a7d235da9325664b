import type { Row } from '../../base/change.js';
import { deepEqual, own } from '../../base/json.js';

/** Times by field, in ms. */
export type FieldTimes = Readonly<Record<string, number>>;

/** Edits of one record as one entry: from `base` to `local`. */
interface Edited {
  readonly base: Row | null;
  readonly local: Row | null;
  /** When the last of them was made, in ms. */
  readonly editedAt: number;
  /** Of the fields that it left alone. */
  readonly fieldTimes?: FieldTimes | undefined;
}

/** The fields in which two rows differ. */
export const changedFields = (from: Row, to: Row): string[] =>
  [...new Set([...Object.keys(to), ...Object.keys(from)])].filter(
    (field) => !deepEqual(own(to, field), own(from, field)),
  );

/** When a field of an edit was edited. */
export const timeOf = ({ editedAt, fieldTimes }: Pick<Edited, 'editedAt' | 'fieldTimes'>, field: string): number =>
  (own(fieldTimes, field) as number | undefined) ?? editedAt;

/** The times of these fields in a shape that is stored: those of the last edit are left out. */
export function fieldTimes(
  fields: readonly string[],
  editedAt: number,
  at: (field: string) => number,
): { readonly fieldTimes: FieldTimes | undefined } {
  const earlier = fields.flatMap((field) => (at(field) === editedAt ? [] : [[field, at(field)] as const]));
  return { fieldTimes: earlier.length > 0 ? Object.fromEntries(earlier) : undefined };
}

/** An edit that takes up one more, which leads to `next`: each field keeps the time of its own last edit. */
export function takeUp<T extends Edited>(edit: T, next: Row | null, editedAt: number): T {
  const { base, local } = edit;
  const before = local && next ? new Set(changedFields(local, next)) : undefined;
  const fields = before && next ? changedFields(base ?? {}, next) : [];
  const at = (field: string): number => (before?.has(field) ? editedAt : timeOf(edit, field));
  return { ...edit, local: next, editedAt, ...fieldTimes(fields, editedAt, at) };
}

/** When a field was last edited by one of these edits, which follow one another. */
export const lastTimeOf =
  (edits: readonly [Edited, ...Edited[]]) =>
  (field: string): number => {
    const last =
      [...edits].reverse().find(({ base, local }) => !deepEqual(own(base, field), own(local, field))) ?? edits[0];
    return timeOf(last, field);
  };
