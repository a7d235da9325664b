import { type Change, deepEqual, isObject, type Row, type Version } from '../../src/adapter-kit/kit.js';
import { noted } from '../../src/adapter-kit/marks.js';
import type { Item, Operation, Table } from './table.js';

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** An AWSDateTime as text in UTC with nine digits, so that it sorts. Only whole seconds go through `Date`. */
export function stampOf(value: unknown): string | undefined {
  const [, time, fraction = '', zone] = (typeof value === 'string' && TIMESTAMP.exec(value)) || [];
  const ms = Date.parse(`${time}${zone}`);
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}`;
}

/** As AppSync writes it itself. */
const usual = (stamp: string): string => `${stamp.slice(0, 23)}Z`;

/** Milliseconds since 1970. */
export const timeOf = (stamp: string): number => Date.parse(usual(stamp));

/**
 * The version of a row without conflict detection: its time, and how often one of that time was seen before, since a
 * millisecond can hold two. A time that was written in an unusual way is kept, since a condition compares texts.
 */
export function versionOf(updatedAt: unknown, rank = '0000'): string | undefined {
  const stamp = stampOf(updatedAt);
  return stamp && `${stamp}/${rank}${updatedAt === usual(stamp) ? '' : `=${updatedAt}`}`;
}

/** Of a row that was read to complete an event: newer than any event of that time, whichever that was. */
export const COMPLETE = '~';
/** Of the delete of the row that had this time. */
export const GONE = '~~';

/** The value of `updatedAt` that a version stands for; undefined: another backend made it. */
export function updatedAtOf(version: Version | null): string | undefined {
  const [, stamp, odd] = /^(\d{4}-\S{24})\/[\d~]+(?:=(.*))?$/.exec(String(version)) ?? [];
  return stamp && (odd ?? usual(stamp));
}

/** Amplify sets it, unless the type declares it: then an app may write it, and does so only where it has one. */
const CREATED = 'createdAt';

/** How the items of a type and our rows become one another. `fields`: by name, without the key. */
export function createMapping(
  fields: readonly string[],
  {
    id,
    updatedAt,
    editedAt,
    versioned,
  }: { id: string; updatedAt: string; editedAt: string | undefined; versioned: boolean },
) {
  const ours = [id, updatedAt, '_version', '_deleted', '_lastChangedAt', editedAt];
  const timeIn = (value: unknown): number | undefined => {
    const stamp = stampOf(value);
    return stamp === undefined ? undefined : timeOf(stamp);
  };
  return {
    versionOf(item: Item, rank?: string): Version | undefined {
      if (!versioned) return versionOf(item[updatedAt], rank);
      return Number.isSafeInteger(item._version) ? (item._version as number) : undefined;
    },
    /** When the server changed it, ms. */
    timeOf(item: Item): number | undefined {
      if (versioned) return typeof item._lastChangedAt === 'number' ? item._lastChangedAt : undefined;
      return timeIn(item[updatedAt]) || undefined;
    },
    /** When its newest edit was made, ms. */
    editTimeOf: (item: Item): number | undefined => (editedAt === undefined ? undefined : timeIn(item[editedAt])),
    toRow: (item: Item): Row =>
      Object.fromEntries([['id', item[id]], ...fields.map((field) => [field, item[field] ?? null])]),
    /** None is null or missing: an event that has all is whole, whatever its mutation selected. */
    hasAll: (item: Item): boolean => fields.every((field) => item[field] != null),
    /** What a mutation writes. What the server sets is never sent. */
    toInput: (row: Row): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(row).filter(
          ([field]) => field !== 'id' && !ours.includes(field) && (field !== CREATED || fields.includes(CREATED)),
        ),
      ),
    /** Every field, as if nothing were in it. */
    blank: (): Record<string, unknown> =>
      Object.fromEntries(
        fields.filter((field) => field !== CREATED && !ours.includes(field)).map((field) => [field, null]),
      ),
  };
}

export const idOf = (table: Table, item: Item): string | undefined => {
  const id = item[table.id];
  return typeof id === 'string' && id !== '' ? id : typeof id === 'number' ? String(id) : undefined;
};

/** An item that was read, as a change; undefined if its key or its version says nothing. */
export function fromItem(table: Table, item: Item, rank?: string): Exclude<Change, { type: 'insert' }> | undefined {
  const recordId = idOf(table, item);
  const version = table.versionOf(item, rank);
  if (recordId === undefined || version === undefined) return undefined;
  const timestamp = table.timeOf(item);
  const notes = noted(undefined, table.editTimeOf(item), timestamp);
  const time = timestamp !== undefined && { timestamp };
  const base = { collection: table.collection, recordId, version, ...time, ...notes };
  if (table.versioned && item._deleted === true) return { type: 'delete', ...base };
  // Reads do not show whether it is an insert or an update; core knows, by what it has.
  return { type: 'update', ...base, data: { ...table.toRow(item), id: recordId } };
}

/** What an event says: a change, a row that must be read, or a gap that only a catch-up closes. */
export type Taken = Change | { readonly read: string; readonly atLeast: Change['version'] | undefined } | 'gap';

/** How many rows are remembered. */
const RECENT = 1000;

/** Takes the events of one subscription. */
export function createReader(table: Table) {
  /** The last events, to distinguish two changes of a row in one millisecond. */
  const recent = new Map<string, { readonly version: Change['version']; readonly repeat: number; readonly row: Row }>();

  function ranked(id: string, item: Item): Change | undefined {
    const change = fromItem(table, item);
    if (change?.type !== 'update' || table.versioned) return change;
    const last = recent.get(id);
    const same = last?.version === change.version;
    const repeat = same ? last.repeat + (deepEqual(last.row, change.data) ? 0 : 1) : 0;
    recent.delete(id);
    recent.set(id, { version: change.version, repeat, row: change.data });
    if (recent.size > RECENT) recent.delete(recent.keys().next().value as string);
    return repeat === 0 ? change : fromItem(table, item, String(repeat).padStart(4, '0'));
  }

  return (operation: Operation, event: unknown): Taken => {
    if (!isObject(event)) return 'gap';
    const id = idOf(table, event);
    if (id === undefined) return 'gap';
    if (operation === 'delete') {
      // Of a row that is gone for good AppSync gives the last state, with the version that was deleted.
      const change = fromItem(table, table.versioned ? { ...event, _deleted: true } : event, GONE);
      if (!change) return { read: id, atLeast: undefined };
      const { data: _, ...gone } = change as Change & { data?: Row };
      return { ...gone, type: 'delete' };
    }
    const deleted = table.versioned && event._deleted === true;
    const whole = table.events === 'whole' || (table.events === 'checked' && table.hasAll(event));
    const change = deleted || whole ? ranked(id, event) : undefined;
    if (!change) return { read: id, atLeast: table.versionOf(event) };
    return operation === 'create' && change.type === 'update' ? { ...change, type: 'insert' } : change;
  };
}
