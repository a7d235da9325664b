import { rowsOf } from '../../src/adapter-kit/key-spelling.js';
import {
  type Change,
  isObject,
  isSyncLayerError,
  type OutgoingChange,
  type PushResult,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { withoutOutOfSight } from '../../src/adapter-kit/out-of-sight.js';
import { marksOf } from '../../src/adapter-kit/own-marks.js';
import { applied, outcome, unsendable, updatedAtOf } from '../../src/adapter-kit/postgres-outcome.js';
import { fieldsOf } from '../../src/adapter-kit/push-fields.js';
import { refusalOf } from '../../src/adapter-kit/refusal.js';
import { inDoubt } from '../../src/adapter-kit/rewritten.js';
import { clockOfWrites } from '../../src/adapter-kit/server-clock.js';
import { arraysOf, asColumns } from './arrays.js';
import { isThere } from './compare.js';
import { unchanged } from './documents.js';
import { mutation, type Statement } from './mutation.js';
import { problem } from './problem.js';
import type { Rest } from './rest.js';
import type { Table, Tables } from './table.js';

/** Changes in one document, which is one transaction. */
const MOST = 100;

/** The row that is there; `unread`: it cannot be used. */
type Current = Change | 'unread' | undefined;

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

/** What a change writes, with the notes of it. */
const columnsIn =
  (table: Table, arrays: ReadonlySet<string>) =>
  (change: OutgoingChange): object => ({
    ...asColumns(table.toColumns(fieldsOf(change)), arrays),
    ...marksOf(table, change),
  });

function badKey({ takesKey, primaryKey }: Table, { collection, recordId }: OutgoingChange): PushResult | undefined {
  if (takesKey(recordId)) return undefined;
  const what = `The id ${JSON.stringify(recordId)} of "${collection}" is no whole number, which its column "${primaryKey}" wants.`;
  return { type: 'rejected', error: problem('VALIDATION_FAILED', `${what} Choose another id.`) };
}

/** The statements that make these changes of one table. */
function stepsOf(table: Table, arrays: ReadonlySet<string>, changes: readonly OutgoingChange[]): Step[] {
  const { deletedAt } = table;
  const of = (type: OutgoingChange['type']) => changes.filter((change) => change.type === type);
  const [inserts, deletes] = [of('insert'), of('delete')];
  const columnsOf = columnsIn(table, arrays);
  const objects = inserts.map(columnsOf);
  const steps = updates(table, of('update'), columnsOf);
  if (inserts.length > 0) steps.unshift({ statement: { type: 'insert', table, objects }, changes: inserts });
  if (deletes.length === 0) return steps;
  // The server's clock, not ours.
  if (deletedAt !== undefined)
    return [...steps, ...updates(table, deletes, (change) => ({ ...marksOf(table, change), [deletedAt]: 'now()' }))];
  return [...steps, { statement: { type: 'delete', table, where: condition(table, deletes) }, changes: deletes }];
}

/**
 * Compare-and-set of many changes in one document with an alias for each statement: Hasura makes it one transaction. A change
 * that came through though its answer was lost finds what it wanted, and is `applied`.
 */
export async function pushChanges(
  rest: Rest,
  host: () => TransportHost,
  tables: Tables,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<PushResult[]> {
  const results = new Map<string, PushResult>();
  const settle = ({ opId }: OutgoingChange, result: PushResult): void => void results.set(opId, result);
  const lists = new Map<string, ReadonlySet<string>>();
  const arrays = (collection: string): ReadonlySet<string> => lists.get(collection) ?? new Set();
  /** Not as expected: what is there decides. */
  let missed: OutgoingChange[] = [];

  async function run(steps: readonly Step[]): Promise<void> {
    const { query, variables } = mutation(steps.map(({ statement }) => statement));
    const sentAt = Date.now();
    const { data } = await rest.request('Writing', 'write', query, variables, signal);
    for (const [index, { statement, changes }] of steps.entries()) {
      const answer = data[`m${index}`];
      if (!isObject(answer) || !Array.isArray(answer.returning))
        throw problem('PROTOCOL_VIOLATION', 'A write was answered without rows.');
      const written = answer.returning.flatMap((row) => rest.toChange(statement.table, row));
      if (statement.type !== 'delete') clockOfWrites(written, sentAt, host());
      const rows = rowsOf(changes, written, true);
      for (const change of changes) {
        const row = rows.get(change);
        if (row) settle(change, applied(change, row));
        else missed.push(change);
      }
    }
  }

  /** Rows of these changes that are there, whatever the collection's condition says. */
  async function current(these: readonly OutgoingChange[]): Promise<(change: OutgoingChange) => Current> {
    const rows = new Map<OutgoingChange, Current>();
    for (const name of new Set(these.map(({ collection }) => collection))) {
      const mine = these.filter(({ collection }) => collection === name);
      const ids = mine.map(({ recordId }) => recordId);
      const { changes: found, present } = await rest.byIds(tables.get(name), ids, signal, true);
      for (const change of mine) if (present.has(change.recordId)) rows.set(change, 'unread');
      for (const [change, row] of rowsOf(mine, found, false)) rows.set(change, row);
    }
    return (change) => rows.get(change);
  }

  /** Tables in the order of their first edits: parents are made before their children. */
  const stepsOfAll = (these: readonly OutgoingChange[]): Step[] =>
    [...new Set(these.map(({ collection }) => collection))].flatMap((name) =>
      stepsOf(
        tables.get(name),
        arrays(name),
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
      const result = refusalOf(error);
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
    const table = tables.get(change.collection);
    const isMeant = (name: string): boolean =>
      table.fields.some(({ field, type }) => field === name && type === 'float8');
    const refused = unsendable(change, problem, isMeant) ?? badKey(table, change);
    if (refused) settle(change, refused);
    return !refused;
  });
  for (const name of new Set(sendable.map(({ collection }) => collection))) {
    const mine = sendable.filter(({ collection }) => collection === name);
    lists.set(name, await arraysOf(rest, tables.get(name), mine, signal));
  }
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
    if (row === 'unread') {
      const message = `The row of ${change.collection}/${change.recordId} cannot be used; see its error.`;
      settle(change, { type: 'retry', error: problem('PROTOCOL_VIOLATION', message) });
      continue;
    }
    const table = tables.get(change.collection);
    const doubt = table.opId === undefined ? inDoubt(change, row) : undefined;
    const own =
      row &&
      row.type !== 'delete' &&
      doubt &&
      (await isThere(rest, table, row.data, doubt, arrays(change.collection), signal));
    const result = own ? applied(change, row) : outcome(change, row, problem, table.deletedAt !== undefined);
    if (result) settle(change, result);
    else if (row) await revive(change, row);
  }

  async function revive(change: OutgoingChange, row: Change): Promise<void> {
    const table = tables.get(change.collection);
    const { deletedAt } = table;
    if (deletedAt === undefined) return;
    const where = condition(table, [{ ...change, baseVersion: row.version }]);
    const set = { ...columnsIn(table, arrays(change.collection))(change), [deletedAt]: null };
    try {
      await run([{ statement: { type: 'update', table, where, set }, changes: [change] }]);
    } catch (error) {
      const result = refusalOf(error);
      if (!result) throw error;
      settle(change, result);
    }
  }

  const answers = changes.map(({ opId, collection, recordId }): PushResult => {
    const message = `${collection}/${recordId} changes too fast to be written.`;
    return results.get(opId) ?? { type: 'retry', error: problem('CONFLICT', message) };
  });
  // What a mutation returns it returns whatever the collection's condition says.
  return withoutOutOfSight(changes, answers, (name, ids) => {
    const table = tables.get(name);
    return table.where && rest.byIds(table, ids, signal).then(({ present }) => present);
  });
}

const isUniqueness = (error: unknown): boolean =>
  isSyncLayerError(error) && /^Uniqueness violation/.test(String(error.details.message));
