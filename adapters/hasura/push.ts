import { type Change, isSyncLayerError, type OutgoingChange, type PushResult, type Row } from '../../src/kit.js';
import { isSendable } from './documents.js';
import { holds, mutation, type Statement, unchanged, updatedAtOf } from './mutation.js';
import { isObject } from './normalize.js';
import { problem } from './problem.js';
import type { Rest } from './rest.js';
import type { Table, Tables } from './table.js';

/** Changes in one document, which is one transaction. */
const MOST = 100;

/** The row that is there; `unread`: it cannot be used. */
type Current = Change | 'unread' | undefined;

const timeOf = ({ timestamp }: Change) => timestamp !== undefined && { timestamp };

/** A change that is done, and the row that came of it; Hasura answers a hard delete with the row as it was. */
const applied = ({ type }: OutgoingChange, row: Change): PushResult => ({
  type: 'applied',
  version: row.version,
  ...(type !== 'delete' && row.type !== 'delete' && { data: row.data }),
  ...timeOf(row),
});

const conflict = (row: Change): PushResult => ({
  type: 'conflict',
  current: { data: row.type === 'delete' ? null : row.data, version: row.version, ...timeOf(row) },
});

/** What a refused document means for its one change; anything else is the link's trouble. */
function refusal(error: unknown): PushResult | undefined {
  if (!isSyncLayerError(error)) return undefined;
  if (error.code === 'PUSH_REJECTED') return { type: 'rejected', error };
  const { code } = error.details;
  // Its database is away.
  if (code === undefined || code === 'postgres-error') return undefined;
  return error.code === 'CONNECTION_LOST' ? { type: 'retry', error } : undefined;
}

/** The fields that a change writes. A field that is removed becomes NULL. */
function fieldsOf({ type, data, patch, unset = [] }: OutgoingChange): Row {
  const removed = Object.fromEntries(unset.map((field) => [field, null]));
  return { ...((type === 'update' && patch) || data), ...removed };
}

/**
 * What became of a change whose row was not as expected; undefined: the row was deleted softly, and can be brought back.
 */
function outcome(change: OutgoingChange, row: Current): PushResult | undefined {
  const { type, collection, recordId, baseVersion } = change;
  const name = `${collection}/${recordId}`;
  if (row === 'unread')
    return { type: 'retry', error: problem('PROTOCOL_VIOLATION', `The row of ${name} cannot be used; see its error.`) };
  const isGone = row?.type === 'delete';
  if (type === 'insert') {
    // Hidden by a permission, or deleted a moment ago.
    if (!row) return { type: 'retry', error: problem('PUSH_REJECTED', `${name} exists, and cannot be read.`) };
    if (isGone) return undefined;
  } else if (!row) {
    if (type === 'delete') return { type: 'applied', version: baseVersion ?? '' };
    return { type: 'conflict', current: { data: null, version: baseVersion ?? '' } };
  } else if (type === 'delete' && isGone) return applied(change, row);
  if (row.type !== 'delete' && type !== 'delete' && holds(row.data, fieldsOf(change))) return applied(change, row);
  // As it was, and still not written: no permission lets this role do it. As a conflict it would come again for ever.
  const at = updatedAtOf(baseVersion);
  if (at !== undefined && at === updatedAtOf(row.version)) {
    const message = `${name} may be read, but no permission lets this role ${type} it.`;
    return { type: 'rejected', error: problem('PUSH_REJECTED', message) };
  }
  return conflict(row);
}

/** One statement, and the changes that it makes. */
interface Step {
  readonly statement: Statement;
  readonly changes: readonly OutgoingChange[];
}

const condition = (table: Table, changes: readonly OutgoingChange[]) =>
  unchanged(
    table,
    changes.map(({ recordId, baseVersion }) => ({ id: recordId, at: updatedAtOf(baseVersion) ?? '' })),
  );

/** Updates that write the same are one statement: "mark all as done". */
function updates(table: Table, changes: readonly OutgoingChange[], setOf: (change: OutgoingChange) => object): Step[] {
  const groups = new Map<string, OutgoingChange[]>();
  for (const change of changes) {
    const key = JSON.stringify(setOf(change));
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups].map(([set, group]) => ({
    statement: { type: 'update', table, where: condition(table, group), set: JSON.parse(set) },
    changes: group,
  }));
}

/** The statements that make these changes of one table. */
function stepsOf(table: Table, changes: readonly OutgoingChange[]): Step[] {
  const { deletedAt } = table;
  const of = (type: OutgoingChange['type']) => changes.filter((change) => change.type === type);
  const [inserts, deletes] = [of('insert'), of('delete')];
  const objects = inserts.map((change) => table.toColumns(fieldsOf(change)));
  const steps = updates(table, of('update'), (change) => table.toColumns(fieldsOf(change)));
  if (inserts.length > 0) steps.unshift({ statement: { type: 'insert', table, objects }, changes: inserts });
  if (deletes.length === 0) return steps;
  // The server's clock, not ours.
  if (deletedAt !== undefined) return [...steps, ...updates(table, deletes, () => ({ [deletedAt]: 'now()' }))];
  return [...steps, { statement: { type: 'delete', table, where: condition(table, deletes) }, changes: deletes }];
}

/**
 * Compare-and-set of many changes in one document with an alias for each statement: Hasura makes it one transaction. A change
 * that came through though its answer was lost finds what it wanted, and is `applied`.
 */
export async function pushChanges(
  rest: Rest,
  tables: Tables,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<PushResult[]> {
  const results = new Map<string, PushResult>();
  const settle = ({ opId }: OutgoingChange, result: PushResult): void => void results.set(opId, result);
  /** Not as expected: what is there decides. */
  let missed: OutgoingChange[] = [];

  async function run(steps: readonly Step[]): Promise<void> {
    const { query, variables } = mutation(steps.map(({ statement }) => statement));
    const { data } = await rest.request('Writing', 'write', query, variables, signal);
    for (const [index, { statement, changes }] of steps.entries()) {
      const answer = data[`m${index}`];
      if (!isObject(answer) || !Array.isArray(answer.returning))
        throw problem('PROTOCOL_VIOLATION', 'A write was answered without rows.');
      const rows = new Map(
        answer.returning.flatMap((row) => rest.toChange(statement.table, row)).map((row) => [row.recordId, row]),
      );
      for (const change of changes) {
        const row = rows.get(change.recordId);
        if (row) settle(change, applied(change, row));
        else missed.push(change);
      }
    }
  }

  /** Rows of these changes that are there, whatever the collection's condition says. */
  async function current(these: readonly OutgoingChange[]): Promise<(change: OutgoingChange) => Current> {
    const rows = new Map<string, Exclude<Current, undefined>>();
    const key = (collection: string, id: string): string => JSON.stringify([collection, id]);
    for (const name of new Set(these.map(({ collection }) => collection))) {
      const ids = these.filter(({ collection }) => collection === name).map(({ recordId }) => recordId);
      const { changes: found, present } = await rest.byIds(tables.get(name), ids, signal, true);
      for (const id of present) rows.set(key(name, id), 'unread');
      for (const row of found) rows.set(key(name, row.recordId), row);
    }
    return ({ collection, recordId }) => rows.get(key(collection, recordId));
  }

  /** Tables in the order of their first edits: parents are made before their children. */
  const stepsOfAll = (these: readonly OutgoingChange[]): Step[] =>
    [...new Set(these.map(({ collection }) => collection))].flatMap((name) =>
      stepsOf(
        tables.get(name),
        // In the same order by everybody: transactions that lock rows crosswise end in a deadlock.
        these.filter(({ collection }) => collection === name).sort((a, b) => (a.recordId < b.recordId ? -1 : 1)),
      ),
    );

  /** One bad change spoils the whole transaction: it is halved until that one is alone. */
  async function send(these: readonly OutgoingChange[]): Promise<void> {
    if (these.length === 0) return;
    try {
      await run(stepsOfAll(these));
    } catch (error) {
      const result = refusal(error);
      if (!result) throw error;
      const inserts = these.filter(({ type }) => type === 'insert');
      // No `on_conflict`: it needs the right to update, and the constraint's name. What exists is looked for instead.
      if (inserts.length > 0 && isUniqueness(error)) {
        const rowOf = await current(inserts);
        const there = new Set(inserts.filter(rowOf));
        if (there.size > 0) {
          missed.push(...there);
          return send(these.filter((change) => !there.has(change)));
        }
      }
      const [only] = these;
      if (these.length === 1 && only) return settle(only, result);
      const half = Math.ceil(these.length / 2);
      await send(these.slice(0, half));
      await send(these.slice(half));
    }
  }

  const sendable = changes.filter((change) => {
    const fine = isSendable(change.recordId);
    if (!fine) {
      const message = `The id ${JSON.stringify(change.recordId)} holds characters that PostgreSQL cannot store. Choose another.`;
      settle(change, { type: 'rejected', error: problem('VALIDATION_FAILED', message) });
    }
    return fine;
  });
  // Another backend's version cannot be compared here.
  const isForeign = ({ type, baseVersion }: OutgoingChange): boolean =>
    type !== 'insert' && updatedAtOf(baseVersion) === undefined;
  missed.push(...sendable.filter(isForeign));
  const known = sendable.filter((change) => !isForeign(change));
  for (let from = 0; from < known.length; from += MOST) await send(known.slice(from, from + MOST));

  // Those that met another row than they thought. What is only marked as deleted is brought back.
  const looked = missed;
  missed = [];
  const rowOf = looked.length > 0 ? await current(looked) : () => undefined;
  for (const change of looked) {
    const row = rowOf(change);
    const result = outcome(change, row);
    if (result) settle(change, result);
    else if (row && row !== 'unread') await revive(change, row);
  }

  async function revive(change: OutgoingChange, row: Change): Promise<void> {
    const table = tables.get(change.collection);
    const { deletedAt } = table;
    if (deletedAt === undefined) return;
    const where = condition(table, [{ ...change, baseVersion: row.version }]);
    const set = { ...table.toColumns(fieldsOf(change)), [deletedAt]: null };
    try {
      await run([{ statement: { type: 'update', table, where, set }, changes: [change] }]);
    } catch (error) {
      const result = refusal(error);
      if (!result) throw error;
      settle(change, result);
    }
  }

  return changes.map(({ opId, collection, recordId }): PushResult => {
    const message = `${collection}/${recordId} changes too fast to be written.`;
    return results.get(opId) ?? { type: 'retry', error: problem('CONFLICT', message) };
  });
}

const isUniqueness = (error: unknown): boolean =>
  isSyncLayerError(error) && /^Uniqueness violation/.test(String(error.details.message));
