import type { InsertChange, UpdateChange } from '../base/change.js';
import { instantOf } from '../transport/values.js';
import type { ValueKind } from './types.js';

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** `tags`: what its backend writes as the `type` of a value that JSON does not have. */
export function kindOf(value: unknown, tags: readonly string[] = []): ValueKind {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number')
    return !Number.isInteger(value) ? 'number' : Number.isSafeInteger(value) ? 'integer' : 'large integer';
  if (typeof value === 'string') {
    if (instantOf(value) !== undefined) return 'time';
    return /^-?\d+(\.\d+)?$/.test(value) ? 'numeric text' : 'text';
  }
  if (Array.isArray(value)) return value.some(Array.isArray) ? 'list in a list' : 'list';
  const { type } = value as { readonly type?: unknown };
  return typeof type === 'string' && tags.includes(type) ? 'tagged' : 'object';
}

/** Whether there is a list directly inside a list, however deep. */
export const hasNestedList = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.some((inner) => Array.isArray(inner) || hasNestedList(inner))
    : isObject(value) && Object.values(value).some(hasNestedList);

/** Rows by id. */
export type Examples = ReadonlyMap<string, InsertChange | UpdateChange>;

/** Rows that together show every kind of value of every field; so many at most. */
const MOST_EXAMPLES = 300;

/** Learns what a collection's rows look like, one row after the other. */
export function createProfile(tags: readonly string[] = []) {
  const fields = new Map<string, Map<ValueKind, number>>();
  const examples = new Map<string, InsertChange | UpdateChange>();
  let rows = 0;
  let bytes = 0;

  return {
    add(change: InsertChange | UpdateChange): void {
      const { data: row, recordId } = change;
      let isNew = rows === 0;
      const before = rows;
      rows += 1;
      bytes += JSON.stringify(row).length;
      for (const field of Object.keys(row)) if (!fields.has(field)) fields.set(field, new Map());
      for (const [field, kinds] of fields) {
        const value = row[field];
        const kind = hasNestedList(value) ? 'list in a list' : kindOf(value, tags);
        // Rows before the first one that has this field were all without it.
        if (kinds.size === 0 && before > 0) kinds.set('missing', before);
        isNew ||= !kinds.has(kind);
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
      if (isNew && examples.size < MOST_EXAMPLES) examples.set(recordId, change);
    },
    get rows(): number {
      return rows;
    },
    get bytes(): number {
      return bytes;
    },
    /** A few rows that show all there is. */
    examples: examples as Examples,
    kinds: (): Record<string, Partial<Record<ValueKind, number>>> =>
      Object.fromEntries([...fields].map(([field, kinds]) => [field, Object.fromEntries(kinds)])),
  };
}

export type Profile = ReturnType<typeof createProfile>;
