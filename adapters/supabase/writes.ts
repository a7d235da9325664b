import { rowsOf } from '../../src/adapter-kit/key-spelling.js';
import {
  isSyncLayerError,
  type OutgoingChange,
  type PushResult,
  type Row,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { marksOf } from '../../src/adapter-kit/own-marks.js';
import { applied, outcome, unsendable, updatedAtOf } from '../../src/adapter-kit/postgres-outcome.js';
import { changeOf } from '../../src/adapter-kit/postgres-rows.js';
import { fieldsOf } from '../../src/adapter-kit/push-fields.js';
import { refusalOf } from '../../src/adapter-kit/refusal.js';
import { arrayLiteral, inDoubt, isRounded } from '../../src/adapter-kit/rewritten.js';
import { clockOfWrites } from '../../src/adapter-kit/server-clock.js';
import { problem } from './options.js';
import type { Answer, From, Query, Reads } from './reads.js';
import { inUrls, nameOf, type Table, type Tables, unchanged } from './table.js';

/** Whether a row has these values by the database's own comparison, which knows their types, or as it rounds them. */
export async function isThere(
  reads: Reads,
  table: Table,
  id: string,
  fields: Row,
  signal: AbortSignal,
): Promise<boolean> {
  const columns = Object.entries(table.toColumns(fields));
  // As text a number keeps its places.
  const texts = columns.map(([column], index) => `sl_${index}:${nameOf(column)}::text`).join(',');
  const ask = (conditions: typeof columns) =>
    reads.request(
      `Comparing a row of "${table.collection}"`,
      'read',
      table,
      (from) =>
        conditions.reduce(
          (query, [column, value]) =>
            query.filter(nameOf(column), 'eq', Array.isArray(value) ? arrayLiteral(value) : String(value)),
          from.select(texts).filter(nameOf(table.id), 'eq', id),
        ),
      signal,
    );
  try {
    const [row] = (await ask([])).rows;
    const others = columns.filter(([, value], index) => !isRounded(value, row?.[`sl_${index}`]));
    return row !== undefined && (others.length === 0 || (await ask(others)).rows.length > 0);
  } catch (error) {
    // A type has no such comparison (json), or the value is none of it.
    if (isSyncLayerError(error) && error.kind === 'fatal') return false;
    throw error;
  }
}

/** Updates under way at a time: what a browser allows for one host. */
const CONCURRENT = 6;

type Settle = (change: OutgoingChange, result: PushResult) => void;

/** Runs tasks, a few at a time. Rejects with the first failure, once what is under way has ended. */
async function inTurns(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = [...tasks];
  const worker = async (): Promise<void> => {
    for (let task = queue.shift(); task; task = queue.shift()) await task();
  };
  const ends = await Promise.allSettled(Array.from({ length: CONCURRENT }, worker));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
}

/** What writes rows for which a condition holds, and gives these. */
function createStatements({ request }: Reads, table: Table, signal: AbortSignal) {
  const { collection, select } = table;
  const write = (what: string, build: (from: From) => Query): Promise<Answer> =>
    request(`${what} "${collection}"`, 'write', table, (from) => build(from).select(select), signal);
  return {
    /** Only those whose key is free. */
    insert: (rows: readonly Row[]) =>
      write('Inserting into', (from) =>
        from.upsert(rows, { onConflict: nameOf(table.id), ignoreDuplicates: true, defaultToNull: false }),
      ),
    update: (columns: Row, condition: string) => write('Updating', (from) => from.update(columns).or(condition)),
    remove: (condition: string) => write('Deleting from', (from) => from.delete().or(condition)),
  };
}

/** Pushes the changes of one table. */
function createTablePush(reads: Reads, host: () => TransportHost, table: Table, settle: Settle, signal: AbortSignal) {
  const statements = createStatements(reads, table, signal);
  /** Not as expected: what is there decides. */
  const missed: OutgoingChange[] = [];

  /** Sends a part; one bad row spoils a whole statement, so that is halved until the bad row is alone. */
  async function send(
    part: readonly OutgoingChange[],
    write: (part: readonly OutgoingChange[]) => Promise<Answer>,
  ): Promise<void> {
    try {
      const sentAt = Date.now();
      const { rows } = await write(part);
      const written = rows.flatMap((row) => changeOf(table, table.resolve(row)) ?? []);
      // A row that is deleted for good has the stamp of its last change.
      if (table.soft || part[0]?.type !== 'delete') clockOfWrites(written, sentAt, host());
      const changed = rowsOf(part, written, true);
      for (const change of part) {
        const row = changed.get(change);
        if (row) settle(change, applied(change, row));
        else missed.push(change);
      }
    } catch (error) {
      const result = refusalOf(error);
      if (!result) throw error;
      const half = Math.ceil(part.length / 2);
      const [only] = part;
      if (part.length > 1) {
        await send(part.slice(0, half), write);
        await send(part.slice(half), write);
      } else if (only) settle(only, result);
    }
  }

  const columnsOf = (change: OutgoingChange): Row => ({
    ...table.toColumns(fieldsOf(change)),
    ...marksOf(table, change),
  });

  const insert = (changes: readonly OutgoingChange[]): Promise<void> =>
    send(changes, (part) => statements.insert(part.map(columnsOf)));

  /** Where each is still as its edit saw it. */
  const condition = (part: readonly OutgoingChange[]): string =>
    unchanged(
      table,
      part.map(({ recordId, baseVersion }) => ({ id: recordId, at: updatedAtOf(baseVersion) ?? '' })),
    );

  /** One request for all that write the same: "mark all as done", and every delete. */
  function update(changes: readonly OutgoingChange[], columnsOf: (change: OutgoingChange) => Row): Promise<void> {
    const groups = new Map<string, OutgoingChange[]>();
    for (const change of changes) {
      const key = JSON.stringify(columnsOf(change));
      groups.set(key, [...(groups.get(key) ?? []), change]);
    }
    const parts = [...groups.values()].flatMap((group) => inUrls(group, ({ recordId }) => recordId));
    return inTurns(
      parts.map((part) => () => {
        const columns = part[0] ? columnsOf(part[0]) : {};
        return send(part, (some) => statements.update(columns, condition(some)));
      }),
    );
  }

  function remove(changes: readonly OutgoingChange[]): Promise<void> {
    const { deletedAt } = table;
    // The server's clock, not ours.
    if (deletedAt !== undefined)
      return update(changes, (change) => ({ ...marksOf(table, change), [deletedAt]: 'now' }));
    const parts = inUrls(changes, ({ recordId }) => recordId);
    return inTurns(parts.map((part) => () => send(part, (some) => statements.remove(condition(some)))));
  }

  /** Looks at the rows that were not as expected, and brings back those that are only marked as deleted. */
  async function settleMissed(): Promise<void> {
    const changes = missed.splice(0);
    if (changes.length === 0) return;
    const ids = changes.map(({ recordId }) => recordId);
    const rows = rowsOf(changes, await reads.current(table, ids, signal), false);
    const deleted: OutgoingChange[] = [];
    for (const change of changes) {
      const row = rows.get(change);
      const doubt = table.opId === undefined ? inDoubt(change, row) : undefined;
      const own = row && doubt && (await isThere(reads, table, row.recordId, doubt, signal));
      const result = own ? applied(change, row) : outcome(change, row, problem, table.deletedAt !== undefined);
      if (result) settle(change, result);
      else if (row) deleted.push({ ...change, baseVersion: row.version });
    }
    const { deletedAt } = table;
    if (deletedAt === undefined) return;
    await update(deleted, (change) => ({ ...columnsOf(change), [deletedAt]: null }));
    for (const change of missed.splice(0)) {
      const error = problem('CONFLICT', `${table.collection}/${change.recordId} changes too fast to be created again.`);
      settle(change, { type: 'retry', error });
    }
  }

  return async (changes: readonly OutgoingChange[]): Promise<void> => {
    // In the same order by everybody: two statements that lock rows crosswise end in a deadlock.
    const sorted = [...changes].sort((a, b) => (a.recordId < b.recordId ? -1 : 1));
    const sendable = sorted.filter((change) => {
      const refused = unsendable(change, problem);
      if (refused) settle(change, refused);
      return !refused;
    });
    const inserts = sendable.filter(({ type }) => type === 'insert');
    if (inserts.length > 0) await insert(inserts);
    const others = sendable.filter(({ type }) => type !== 'insert');
    // Another backend's version cannot be compared here.
    missed.push(...others.filter(({ baseVersion }) => updatedAtOf(baseVersion) === undefined));
    const known = others.filter(({ baseVersion }) => updatedAtOf(baseVersion) !== undefined);
    await update(
      known.filter(({ type }) => type === 'update'),
      columnsOf,
    );
    await remove(known.filter(({ type }) => type === 'delete'));
    await settleMissed();
  };
}

/**
 * Compare-and-set of many changes: all inserts of a table are one request, all deletes one, and updates that write the same
 * values one. A change that came through though its answer was lost finds what it wanted, and is `applied`.
 */
export async function pushChanges(
  reads: Reads,
  host: () => TransportHost,
  tables: Tables,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<PushResult[]> {
  const results = new Map<string, PushResult>();
  const settle: Settle = ({ opId }, result) => void results.set(opId, result);
  // A table after another, in the order of their first edits: parents are made before their children.
  for (const collection of new Set(changes.map((change) => change.collection))) {
    const push = createTablePush(reads, host, tables.get(collection), settle, signal);
    await push(changes.filter((change) => change.collection === collection));
  }
  return changes.map(
    ({ opId, collection, recordId }): PushResult =>
      results.get(opId) ?? {
        type: 'retry',
        error: problem('PROTOCOL_VIOLATION', `Nothing is known of the push of ${collection}/${recordId}.`),
      },
  );
}
