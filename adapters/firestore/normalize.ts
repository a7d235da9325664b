import { type Change, deepEqual, type Row } from '../../src/adapter-kit/kit.js';
import { noted } from '../../src/adapter-kit/marks.js';
import { idOf } from './place.js';
import type { Table } from './table.js';
import { fieldToJson } from './values.js';
import { DELETED, msOf, stampOf, type Time } from './version.js';

/** A document as the SDK gives it. */
export interface Found {
  readonly id: string;
  readonly ref: { readonly path: string };
  data(): Readonly<Record<string, unknown>>;
}

const isTime = (value: unknown): value is Time =>
  typeof value === 'object' && value !== null && 'seconds' in value && 'nanoseconds' in value && 'toMillis' in value;

/** A document as a change; undefined if its `updatedAt` is no timestamp. */
export function fromDocument(table: Table, found: Found): Exclude<Change, { type: 'insert' }> | undefined {
  const { collection, updatedAt, deletedAt, opId, editedAt, own, typeOf } = table;
  const fields = found.data();
  const at = fields[updatedAt];
  if (!isTime(at)) return undefined;
  const recordId = idOf(table, found);
  const edited = editedAt === undefined ? undefined : fields[editedAt];
  const notes = noted(opId && fields[opId], isTime(edited) ? msOf(edited) : undefined, msOf(at));
  // The time is what its writer made of it. What a read or a listener shows is what is there, however old that says it is.
  const place = { collection, recordId, current: true } as const;
  const base = { ...place, version: stampOf(at), timestamp: msOf(at), ...notes };
  if (deletedAt !== undefined && (fields[deletedAt] ?? null) !== null) return { type: 'delete', ...base };
  const entries = Object.entries(fields)
    .filter(([field]) => !own.includes(field))
    .map(([field, value]): [string, unknown] => [field, fieldToJson(value, typeOf(field))]);
  // Firestore does not tell insert from update; core does, by what it has.
  return { type: 'update', ...base, data: { ...Object.fromEntries(entries), id: recordId } };
}

/** A document that is gone, or that left the collection's conditions. */
export const gone = (table: Table, found: Found): Change => ({
  type: 'delete',
  collection: table.collection,
  recordId: idOf(table, found),
  version: DELETED,
  inferred: true,
});

/** Whether a row has all that we sent: then the push came through and its answer was lost, or somebody else wrote the same. */
export const holds = (data: Row, sent: Row, unset: readonly string[]): boolean =>
  Object.entries(sent).every(([field, value]) => deepEqual(value, data[field])) &&
  unset.every((field) => !Object.hasOwn(data, field));
