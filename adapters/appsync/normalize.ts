import { type Change, deepEqual, isObject, type Row } from '../../src/adapter-kit/kit.js';
import { noted } from '../../src/adapter-kit/marks.js';
import type { Item, Model, Operation } from './model.js';
import { GONE } from './version.js';

export const idOf = (model: Model, item: Item): string | undefined => {
  const id = item[model.id];
  return typeof id === 'string' && id !== '' ? id : typeof id === 'number' ? String(id) : undefined;
};

/** An item that was read, as a change; undefined if its key or its version says nothing. */
export function fromItem(model: Model, item: Item, rank?: string): Exclude<Change, { type: 'insert' }> | undefined {
  const recordId = idOf(model, item);
  const version = model.versionOf(item, rank);
  if (recordId === undefined || version === undefined) return undefined;
  const timestamp = model.timeOf(item);
  const notes = noted(undefined, model.editTimeOf(item), timestamp);
  const time = timestamp !== undefined && { timestamp };
  const base = { collection: model.collection, recordId, version, ...time, ...notes };
  if (model.versioned && item._deleted === true) return { type: 'delete', ...base };
  // Reads do not tell insert from update; core does, by what it has.
  return { type: 'update', ...base, data: { ...model.toRow(item), id: recordId } };
}

/** What an event says: a change, a row that must be read, or that only a catch-up can tell. */
export type Taken = Change | { readonly read: string; readonly atLeast: Change['version'] | undefined } | 'gap';

/** How many rows are remembered. */
const RECENT = 1000;

/** Takes the events of one subscription. */
export function createReader(model: Model) {
  /** The last events, to tell apart two changes of a row in one millisecond. */
  const recent = new Map<string, { readonly version: Change['version']; readonly repeat: number; readonly row: Row }>();

  function ranked(id: string, item: Item): Change | undefined {
    const change = fromItem(model, item);
    if (change?.type !== 'update' || model.versioned) return change;
    const last = recent.get(id);
    const same = last?.version === change.version;
    const repeat = same ? last.repeat + (deepEqual(last.row, change.data) ? 0 : 1) : 0;
    recent.delete(id);
    recent.set(id, { version: change.version, repeat, row: change.data });
    if (recent.size > RECENT) recent.delete(recent.keys().next().value as string);
    return repeat === 0 ? change : fromItem(model, item, String(repeat).padStart(4, '0'));
  }

  return (operation: Operation, event: unknown): Taken => {
    if (!isObject(event)) return 'gap';
    const id = idOf(model, event);
    if (id === undefined) return 'gap';
    if (operation === 'delete') {
      // Of a row that is gone for good AppSync gives the last state, with the version that was deleted.
      const change = fromItem(model, model.versioned ? { ...event, _deleted: true } : event, GONE);
      if (!change) return { read: id, atLeast: undefined };
      const { data: _, ...gone } = change as Change & { data?: Row };
      return { ...gone, type: 'delete' };
    }
    const deleted = model.versioned && event._deleted === true;
    const whole = model.trusts === 'whole' || (model.trusts === 'checked' && model.hasAll(event));
    const change = deleted || whole ? ranked(id, event) : undefined;
    if (!change) return { read: id, atLeast: model.versionOf(event) };
    return operation === 'create' && change.type === 'update' ? { ...change, type: 'insert' } : change;
  };
}
