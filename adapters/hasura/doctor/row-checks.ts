import { ok, unknown, wordsOf, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { sql } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import { type Check, isObject, isSyncLayerError } from '../../../src/adapter-kit/kit.js';
import type { Reads } from '../reads.js';
import { allOf, type Table } from '../table.js';
import { mutation, type Statement } from '../writes.js';
import type { Place } from './place.js';

/** A clock may be so wrong, ms. */
const TOLERANCE = 60_000;
/** Rows that are looked at. */
const SAMPLE = 20;

/** Reads as the transport does, and looks at what came. */
export async function* readChecks(
  reads: Reads,
  table: Table,
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<Check> {
  const { collection, roots, word, updatedAt, id: key, selection } = table;
  const what = `${collection}: its rows can be read`;
  const read = async (where: object, columns: string, limit: number): Promise<readonly unknown[]> => {
    const document = `query ($where: ${table.types.where}!, $limit: Int!) { rows: ${roots.select}(where: $where, limit: $limit) { ${columns} } }`;
    const variables = { where: allOf(table.where, where), limit };
    const { data } = await reads.request(`Reading "${collection}"`, 'read', document, variables, signal);
    return Array.isArray(data.rows) ? data.rows : [];
  };
  let rows: readonly unknown[];
  try {
    await reads.pull(table, { cursor: null, start: true, limit: 1, signal });
    rows = await read({}, selection, SAMPLE);
  } catch (thrown) {
    yield wrong(what, wordsOf(thrown));
    return;
  }
  yield ok(what);

  const exact = `${collection}: its numbers come with all their digits`;
  const rounded = rows.flatMap((row) => {
    try {
      if (isObject(row)) table.toRow(row);
      return [];
    } catch (thrown) {
      return isSyncLayerError(thrown) ? [thrown.message] : [String(thrown)];
    }
  });
  if (rounded.length > 0) yield wrong(exact, ...rounded.slice(0, 1));
  else if (rows.length > 0) yield ok(exact);
  else yield unknown(exact, 'It has no rows to look at.');

  const timed = `${collection}: every row has its time, and none is from the future`;
  const [bare] = await read({ [updatedAt]: { [word('_is_null')]: true } }, key, 1);
  const soon = new Date(Date.now() + TOLERANCE).toISOString();
  const [ahead] = await read({ [updatedAt]: { _gt: soon } }, key, 1);
  const idOf = (row: unknown): string => String(Object(row)[key]);
  if (bare)
    yield wrong(
      timed,
      `-- ${updatedAt} of ${idOf(bare)} is null: such rows are not seen.`,
      `update "public"."${place.table}" set "${place.updatedAt}" = clock_timestamp() where "${place.updatedAt}" is null;`,
    );
  else if (ahead)
    yield wrong(
      timed,
      `-- ${updatedAt} of ${idOf(ahead)} is later than now. A writer set it by its own clock: let a trigger set it. Or the clock of this machine is slow.`,
      sql.trigger(place),
    );
  else yield ok(timed);
}

/** Writes of no row: Hasura looks at rights and types, and changes nothing. */
export async function* writeChecks(reads: Reads, table: Table, signal: AbortSignal): AsyncGenerator<Check> {
  const { collection, id: key, deletedAt } = table;
  const where = { [key]: { _in: [] } };
  const mark = deletedAt === undefined ? {} : { [deletedAt]: null };
  const writes: readonly (readonly [action: string, statement: Statement])[] = [
    ['insert', { type: 'insert', table, objects: [] }],
    [deletedAt === undefined ? 'update' : 'update and mark as deleted', { type: 'update', table, where, set: mark }],
    ...(deletedAt === undefined ? [['delete', { type: 'delete', table, where }] as const] : []),
  ];
  for (const [action, statement] of writes) {
    const what = `${collection}: Hasura takes an ${action}`.replace('an delete', 'a delete');
    const { query, variables } = mutation([statement]);
    try {
      await reads.request(`A write of no row of "${collection}"`, 'write', query, variables, signal);
      yield ok(what);
    } catch (thrown) {
      yield wrong(what, wordsOf(thrown));
    }
  }
}
