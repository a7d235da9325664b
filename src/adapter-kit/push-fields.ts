import type { OutgoingChange, Row } from './kit.js';

/** The fields that a change writes, for a backend where no row lacks a field: one that is removed becomes null. */
export function fieldsOf({ type, data, patch, unset = [] }: OutgoingChange): Row {
  const removed = Object.fromEntries(unset.map((field) => [field, null]));
  return { ...((type === 'update' && patch) || data), ...removed };
}
