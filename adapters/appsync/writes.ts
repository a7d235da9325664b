import {
  deepEqual,
  isObject,
  isSyncLayerError,
  type OutgoingChange,
  type PushResult,
  type SyncLayerError,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { marksOf, timesOf } from '../../src/adapter-kit/own-marks.js';
import { fieldsOf } from '../../src/adapter-kit/push-fields.js';
import { refusalOf } from '../../src/adapter-kit/refusal.js';
import { clockOfWrites } from '../../src/adapter-kit/server-clock.js';
import { type ErrorEntry, errorOf, isConflict } from './errors.js';
import { fromItem, updatedAtOf } from './normalize.js';
import { problem } from './options.js';
import type { Ask, Reads } from './reads.js';
import type { Item, Operation, Table, Tables } from './table.js';

/** What a mutation needs. */
export interface PushTools {
  readonly ask: Ask;
  readonly tables: Tables;
  readonly reads: Reads;
  readonly host: () => TransportHost;
  /** Mutations under way at a time. */
  readonly concurrency: number;
}

type Outcome = { readonly item: Item | undefined } | { readonly refused: readonly ErrorEntry[] };

/** Whether an item has all that we sent: then the push came through and its answer was lost, or another wrote the same. */
const holds = (item: Item, sent: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(sent).every(([field, value]) => deepEqual(item[field] ?? null, value ?? null));

const retry = (message: string): PushResult => ({ type: 'retry', error: problem('CONFLICT', message) });

function applied(table: Table, { type, baseVersion }: OutgoingChange, item: Item | undefined): PushResult {
  const row = item && fromItem(table, item);
  if (!row) return { type: 'applied', version: baseVersion ?? 0 };
  // A delete is answered with the row as it was.
  const data = type !== 'delete' && row.type !== 'delete' && { data: row.data };
  return { type: 'applied', version: row.version, ...timesOf(row), ...data };
}

/** Compare-and-set of one change. */
async function pushOne(
  { ask, reads, host }: PushTools,
  table: Table,
  change: OutgoingChange,
  signal: AbortSignal,
): Promise<PushResult> {
  const { type, collection, recordId, baseVersion } = change;
  const what = `The ${type} of ${collection}/${recordId}`;
  const sent = table.toInput(fieldsOf(change));
  const notes = type === 'delete' ? {} : marksOf({ opId: undefined, editedAt: table.editedAt }, change);

  async function mutate(operation: Operation, fields: object, condition?: object): Promise<Outcome> {
    const request = table.mutation(operation, { [table.id]: recordId, ...fields, ...notes }, condition);
    const sentAt = Date.now();
    const { data, errors } = await ask(what, 'write', request, signal);
    const item = data[request.field];
    if (isObject(item) && type !== 'delete' && item._deleted !== true)
      clockOfWrites([{ timestamp: table.timeOf(item) }], sentAt, host());
    // It is written: a field that could not be read is no reason to write it again.
    if (isObject(item)) return { item };
    return errors.length > 0 ? { refused: errors } : { item: undefined };
  }

  /** What the server has now. What a conflict carries is newer than what can be read: DynamoDB's reads may lag behind. */
  async function current(refused: readonly ErrorEntry[]): Promise<Item | 'unreadable' | 'hidden' | undefined> {
    const carried = refused.find(({ data }) => isObject(data) && fromItem(table, data))?.data;
    if (isObject(carried)) return carried;
    return (await reads.byIds(table, [recordId], signal)).get(recordId);
  }

  /** Its id was used by a row that was deleted, and has left a tombstone. */
  async function revive({ _version }: Item): Promise<PushResult> {
    const outcome = await mutate('update', { ...table.blank(), ...sent, _version });
    if ('refused' in outcome) return retry(`${what} met another one.`);
    if (outcome.item?._deleted !== true) return applied(table, change, outcome.item);
    const message = `${what} uses the id of a deleted row, which this API does not bring back. Choose another id.`;
    return { type: 'rejected', error: problem('PUSH_REJECTED', message) };
  }

  async function settle(refused: readonly ErrorEntry[]): Promise<PushResult> {
    const item = await current(refused);
    if (item === 'unreadable') return retry(`${what} met a row that cannot be read.`);
    if (item === 'hidden' && type !== 'insert')
      return { type: 'conflict', current: { data: null, version: baseVersion ?? 0, hidden: true } };
    const row = typeof item === 'object' ? fromItem(table, item) : undefined;
    if (typeof item !== 'object' || !row) {
      if (type === 'delete') return applied(table, change, undefined);
      if (type === 'insert') return retry(`${what} met a row that cannot be read.`);
      return { type: 'conflict', current: { data: null, version: baseVersion ?? 0 } };
    }
    const { version } = row;
    const time = timesOf(row);
    if (row.type === 'delete') {
      if (type === 'insert') return revive(item);
      if (type === 'delete') return applied(table, change, item);
      return { type: 'conflict', current: { data: null, version, ...time } };
    }
    if (type !== 'delete' && holds(item, sent)) return applied(table, change, item);
    // Nothing has changed, as far as can be read.
    if (version === baseVersion) return retry(`${what} was refused, and the row is as it was.`);
    return { type: 'conflict', current: { data: row.data, version, ...time } };
  }

  const updatedAt = updatedAtOf(baseVersion);
  const known = table.versioned ? typeof baseVersion === 'number' : updatedAt !== undefined;
  // Another backend's version cannot be compared here.
  if (type !== 'insert' && !known) return settle([]);
  const version = table.versioned ? { _version: baseVersion } : {};
  const condition = table.versioned ? undefined : { [table.updatedAt]: { eq: updatedAt } };
  const outcome = await (type === 'insert'
    ? mutate('create', sent)
    : type === 'update'
      ? mutate('update', { ...sent, ...version }, condition)
      : mutate('delete', version, condition));
  if (!('refused' in outcome)) {
    const row = outcome.item && fromItem(table, outcome.item);
    // A resolver that merges by itself leaves a deleted row deleted.
    if (type === 'update' && row?.type === 'delete')
      return { type: 'conflict', current: { data: null, version: row.version, ...timesOf(row) } };
    if (outcome.item || type === 'delete') return applied(table, change, outcome.item);
    return settle([]);
  }
  const { refused } = outcome;
  if (refused.some(isConflict)) return settle(refused);
  throw errorOf(what, 'write', 200, refused);
}

/** Pushes changes, a few at a time; rejects once what is under way has ended, if the link or the backend is in trouble. */
export async function pushChanges(
  tools: PushTools,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<PushResult[]> {
  const results: PushResult[] = [];
  const queue = [...changes.entries()];
  /** Over these the backend has failed, and has not said why. */
  const unclear = new Map<number, SyncLayerError>();
  let failure: unknown;
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next && failure === undefined; next = queue.shift()) {
      const [at, change] = next;
      try {
        const table = tools.tables.get(change.collection);
        const result = await pushOne(tools, table, change, signal);
        if (result.type === 'applied') table.note(change.recordId, change.type !== 'delete');
        results[at] = result;
      } catch (error) {
        const refused = refusalOf(error);
        if (refused) results[at] = refused;
        else if (isSyncLayerError(error) && error.details.unclear === true) unclear.set(at, error);
        else failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: tools.concurrency }, worker));
  // The backend takes others: it is these changes. Otherwise it is not known.
  const taken = results.some((result) => result?.type === 'applied');
  for (const [at, error] of unclear) {
    if (taken && error.details.passing !== true) results[at] = { type: 'retry', error };
    else failure ??= error;
  }
  if (failure !== undefined) throw failure;
  return results;
}
