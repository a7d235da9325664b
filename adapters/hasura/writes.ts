import { rowsOf } from '../../src/adapter-kit/key-spelling.js';
import {
  type Change,
  isObject,
  isSyncLayerError,
  type OutgoingChange,
  type PushResult,
  type Row,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { withoutOutOfSight } from '../../src/adapter-kit/out-of-sight.js';
import { marksOf } from '../../src/adapter-kit/own-marks.js';
import { applied, outcome, unsendable, updatedAtOf } from '../../src/adapter-kit/postgres-outcome.js';
import { fieldsOf } from '../../src/adapter-kit/push-fields.js';
import { refusalOf } from '../../src/adapter-kit/refusal.js';
import { arrayLiteral, inDoubt, isRounded } from '../../src/adapter-kit/rewritten.js';
import { clockOfWrites } from '../../src/adapter-kit/server-clock.js';
import { problem } from './options.js';
import type { Reads } from './reads.js';
import { allOf, type Document, keysDocument, type Table, type Tables, type Where } from './table.js';

/** Changes in one document, which is one transaction. */
const MOST = 100;

/** One root field of a mutation. */
export type Statement =
  | { readonly type: 'insert'; readonly table: Table; readonly objects: readonly object[] }
  | { readonly type: 'update'; readonly table: Table; readonly where: Where; readonly set: object }
  | { readonly type: 'delete'; readonly table: Table; readonly where: Where };

/** All statements as one document, which Hasura runs as one transaction. The answer of each is under `m0`, `m1` ... */
export function mutation(statements: readonly Statement[]): {
  readonly query: Document;
  readonly variables: Readonly<Record<string, unknown>>;
} {
  const variables: Record<string, unknown> = {};
  const types: string[] = [];
  const variable = (name: string, type: string, value: unknown): string => {
    variables[name] = value;
    types.push(`$${name}: ${type}`);
    return `$${name}`;
  };
  const fields = statements.map((statement, index) => {
    const { table, type } = statement;
    const { types: inputs } = table;
    const args =
      type === 'insert'
        ? `objects: ${variable(`v${index}`, `[${inputs.insert}!]!`, statement.objects)}`
        : `where: ${variable(`w${index}`, `${inputs.where}!`, statement.where)}`;
    const set = type === 'update' ? `, _set: ${variable(`v${index}`, `${inputs.set}!`, statement.set)}` : '';
    return `m${index}: ${table.roots[type]}(${args}${set}) { returning { ${table.selection} } }`;
  });
  return { query: `mutation (${types.join(', ')}) { ${fields.join(' ')} }`, variables };
}

/** The rows of these changes, each only while it is as its edit saw it: a compare-and-set of many. */
export const unchanged = (
  { updatedAt, id: key, keyValue }: Table,
  changes: readonly Pick<OutgoingChange, 'recordId' | 'baseVersion'>[],
): Where => ({
  _or: changes.map(({ recordId, baseVersion }) => ({
    [key]: { _eq: keyValue(recordId) },
    [updatedAt]: { _eq: updatedAtOf(baseVersion) ?? '' },
  })),
});

/** Columns that are PostgreSQL arrays. */
type Arrays = ReadonlySet<string>;

/** Of each table, once asked for. */
const arraysByTable = new WeakMap<Table, Arrays>();

/** Hasura calls the type of a `text[]` column `_text`. */
function isArrayType(type: unknown): boolean {
  const { name, ofType } = Object(type) as { readonly name?: unknown; readonly ofType?: unknown };
  return typeof name === 'string' ? name.startsWith('_') : isObject(ofType) && isArrayType(ofType);
}

async function askForArrays({ reads, signal }: Push, table: Table): Promise<Arrays> {
  const declared = table.fields.filter(({ type }) => type === 'array').map(({ column }) => column);
  const query = 'query ($name: String!) { __type(name: $name) { inputFields { name type { name ofType { name } } } } }';
  const what = `Asking for the types of "${table.collection}"`;
  try {
    const { data } = await reads.request(what, 'read', query, { name: table.types.insert }, signal);
    const { inputFields } = Object(data.__type) as { readonly inputFields?: readonly unknown[] };
    const arrays = (inputFields ?? []).map(Object).filter(({ type }) => isArrayType(type));
    return new Set([...declared, ...arrays.map(({ name }) => String(name))]);
  } catch (error) {
    // Introspection is disabled for this role: then only the configuration names them.
    if (isFatal(error)) return new Set(declared);
    throw error;
  }
}

/** The array columns of a table. They are asked for once, and only where a list is written. */
async function arraysOf(push: Push, table: Table, changes: readonly OutgoingChange[]): Promise<Arrays> {
  if (!changes.some(({ data }) => Object.values(data ?? {}).some(Array.isArray))) return new Set();
  const arrays = arraysByTable.get(table) ?? (await askForArrays(push, table));
  arraysByTable.set(table, arrays);
  return arrays;
}

const isFatal = (error: unknown): boolean => isSyncLayerError(error) && error.kind === 'fatal';

/** Values as their columns take them: an array column takes a list only as an array literal. */
const asColumns = (columns: Readonly<Record<string, unknown>>, arrays: Arrays): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(columns).map(([column, value]) => [
      column,
      Array.isArray(value) && arrays.has(column) ? arrayLiteral(value) : value,
    ]),
  );

/** One push: what it works with, and what it has found so far. */
interface Push {
  readonly reads: Reads;
  readonly tables: Tables;
  readonly host: TransportHost;
  readonly signal: AbortSignal;
  /** By collection. */
  readonly arrays: Map<string, Arrays>;
  /** By `opId`. */
  readonly results: Map<string, PushResult>;
  /** Changes that did not meet the row that they expected: the row that is there decides. */
  readonly missed: OutgoingChange[];
}

/** What a change writes, with its marks. */
const columnsOf = ({ arrays }: Push, table: Table, change: OutgoingChange): object => ({
  ...asColumns(table.toColumns(fieldsOf(change)), arrays.get(table.collection) ?? new Set()),
  ...marksOf(table, change),
});

/** One statement, and the changes that it makes. */
interface Step {
  readonly statement: Statement;
  readonly changes: readonly OutgoingChange[];
}

/** In the order of their first changes. */
function groupsBy(changes: readonly OutgoingChange[], keyOf: (change: OutgoingChange) => string) {
  const groups = new Map<string, OutgoingChange[]>();
  for (const change of changes) {
    const key = keyOf(change);
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return groups;
}
const byCollection = (changes: readonly OutgoingChange[]) => groupsBy(changes, ({ collection }) => collection);

/** Updates that write the same are one statement: "mark all as done". */
const updates = (table: Table, changes: readonly OutgoingChange[], setOf: (change: OutgoingChange) => object): Step[] =>
  [...groupsBy(changes, (change) => JSON.stringify(setOf(change)))].map(([set, group]) => ({
    statement: { type: 'update', table, where: unchanged(table, group), set: JSON.parse(set) },
    changes: group,
  }));

/** The statements that make these changes of one table. */
function stepsOfTable(push: Push, table: Table, changes: readonly OutgoingChange[]): Step[] {
  const { deletedAt } = table;
  const of = (type: OutgoingChange['type']) => changes.filter((change) => change.type === type);
  const [inserts, deletes] = [of('insert'), of('delete')];
  const columns = (change: OutgoingChange): object => columnsOf(push, table, change);
  const steps = updates(table, of('update'), columns);
  if (inserts.length > 0)
    steps.unshift({ statement: { type: 'insert', table, objects: inserts.map(columns) }, changes: inserts });
  if (deletes.length === 0) return steps;
  // The server's clock, not ours.
  if (deletedAt !== undefined)
    return [...steps, ...updates(table, deletes, (change) => ({ ...marksOf(table, change), [deletedAt]: 'now()' }))];
  return [...steps, { statement: { type: 'delete', table, where: unchanged(table, deletes) }, changes: deletes }];
}

/** Tables in the order of their first edits: parents are made before their children. */
const stepsOf = (push: Push, changes: readonly OutgoingChange[]): Step[] =>
  [...byCollection(changes)].flatMap(([name, mine]) =>
    // Every device takes the same order: transactions that lock rows crosswise end in a deadlock.
    stepsOfTable(
      push,
      push.tables.get(name),
      mine.sort((a, b) => (a.recordId < b.recordId ? -1 : 1)),
    ),
  );

/** Runs the statements as one transaction. Changes whose row was not written are `missed`. */
async function run({ reads, host, signal, results, missed }: Push, steps: readonly Step[]): Promise<void> {
  const { query, variables } = mutation(steps.map(({ statement }) => statement));
  const sentAt = Date.now();
  const { data } = await reads.request('Writing', 'write', query, variables, signal);
  for (const [index, { statement, changes }] of steps.entries()) {
    const answer = data[`m${index}`];
    if (!isObject(answer) || !Array.isArray(answer.returning))
      throw problem('PROTOCOL_VIOLATION', 'A write was answered without rows.');
    const written = answer.returning.flatMap((row) => reads.toChange(statement.table, row));
    if (statement.type !== 'delete') clockOfWrites(written, sentAt, host);
    const rows = rowsOf(changes, written, true);
    for (const change of changes) {
      const row = rows.get(change);
      if (row) results.set(change.opId, applied(change, row));
      else missed.push(change);
    }
  }
}

/** The row that is there; `unread`: it cannot be used. */
type Current = Change | 'unread';

/** The rows of these changes that are there, whatever the collection's condition says. */
async function currentRows(
  { reads, tables, signal }: Push,
  changes: readonly OutgoingChange[],
): Promise<ReadonlyMap<OutgoingChange, Current>> {
  const rows = new Map<OutgoingChange, Current>();
  for (const [name, mine] of byCollection(changes)) {
    const ids = mine.map(({ recordId }) => recordId);
    const { changes: found, present } = await reads.byIds(tables.get(name), ids, signal, true);
    for (const change of mine) if (present.has(change.recordId)) rows.set(change, 'unread');
    for (const [change, row] of rowsOf(mine, found, false)) rows.set(change, row);
  }
  return rows;
}

const isUniqueness = (error: unknown): boolean =>
  isSyncLayerError(error) && /^Uniqueness violation/.test(String(error.details.message));

/** One bad change spoils the whole transaction: it is halved until that one is alone. */
async function send(push: Push, changes: readonly OutgoingChange[]): Promise<void> {
  const [only] = changes;
  if (!only) return;
  try {
    await run(push, stepsOf(push, changes));
  } catch (error) {
    const result = refusalOf(error);
    if (!result) throw error;
    const inserts = changes.filter(({ type }) => type === 'insert');
    // No `on_conflict`: it needs the right to update, and the constraint's name. What exists is looked for instead.
    if (inserts.length > 0 && isUniqueness(error)) {
      const there = await currentRows(push, inserts);
      if (there.size > 0) {
        push.missed.push(...there.keys());
        const others = changes.filter((change) => !there.has(change));
        return send(push, others);
      }
    }
    if (changes.length === 1) return void push.results.set(only.opId, result);
    const half = Math.ceil(changes.length / 2);
    await send(push, changes.slice(0, half));
    await send(push, changes.slice(half));
  }
}

/** Whether a row has these values by the database's own comparison, which knows their types, or as it rounds them. */
async function isThere({ reads, signal, arrays }: Push, table: Table, there: Row, fields: Row): Promise<boolean> {
  const { collection, id: key, word, keyValue } = table;
  const others = Object.fromEntries(Object.entries(fields).filter(([field, value]) => !isRounded(value, there[field])));
  const columns = asColumns(table.toColumns(others), arrays.get(collection) ?? new Set());
  const conditions = Object.entries(columns).map(([column, value]) => ({ [column]: { [word('_eq')]: value } }));
  if (conditions.length === 0) return true;
  const where = allOf({ [key]: { [word('_eq')]: keyValue(String(there.id)) } }, ...conditions);
  const what = `Comparing a row of "${collection}"`;
  try {
    return (await reads.rows(what, keysDocument(table), { where, limit: 1 }, signal)).rows.length > 0;
  } catch (error) {
    // The type has no such comparison (json), or the value is none of it.
    if (isFatal(error)) return false;
    throw error;
  }
}

/** What became of a change that met another row than it expected. A row that is only marked as deleted is brought back: `run` says how that went. */
async function settle(push: Push, change: OutgoingChange, row: Current | undefined): Promise<PushResult | undefined> {
  if (row === 'unread') {
    const message = `The row of ${change.collection}/${change.recordId} cannot be used; see its error.`;
    return { type: 'retry', error: problem('PROTOCOL_VIOLATION', message) };
  }
  const table = push.tables.get(change.collection);
  const { deletedAt } = table;
  const doubt = table.opId === undefined ? inDoubt(change, row) : undefined;
  if (row && row.type !== 'delete' && doubt && (await isThere(push, table, row.data, doubt)))
    return applied(change, row);
  const result = outcome(change, row, problem, deletedAt !== undefined);
  if (result || !row || deletedAt === undefined) return result;
  const where = unchanged(table, [{ ...change, baseVersion: row.version }]);
  const set = { ...columnsOf(push, table, change), [deletedAt]: null };
  try {
    await run(push, [{ statement: { type: 'update', table, where, set }, changes: [change] }]);
    return undefined;
  } catch (error) {
    const refused = refusalOf(error);
    if (refused) return refused;
    throw error;
  }
}

/** Why a change is not sent at all. */
function unsendableTo(table: Table, change: OutgoingChange): PushResult | undefined {
  const isMeant = (name: string): boolean =>
    table.fields.some(({ field, type }) => field === name && type === 'float8');
  const refused = unsendable(change, problem, isMeant);
  if (refused || table.takesKey(change.recordId)) return refused;
  const what = `The id ${JSON.stringify(change.recordId)} of "${table.collection}" is no whole number, which its column "${table.id}" wants.`;
  return { type: 'rejected', error: problem('VALIDATION_FAILED', `${what} Choose another id.`) };
}

/** Another backend's version cannot be compared with a row of this one. */
const isForeign = ({ type, baseVersion }: OutgoingChange): boolean =>
  type !== 'insert' && updatedAtOf(baseVersion) === undefined;

/**
 * Compare-and-set of many changes in one document with an alias for each statement: Hasura makes it one transaction. A change
 * that came through though its answer was lost finds what it wanted, and is `applied`.
 */
export async function pushChanges(
  reads: Reads,
  host: TransportHost,
  tables: Tables,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<PushResult[]> {
  const results = new Map<string, PushResult>();
  const missed: OutgoingChange[] = [];
  const push: Push = { reads, tables, host, signal, results, missed, arrays: new Map() };
  const sendable = changes.filter((change) => {
    const refused = unsendableTo(tables.get(change.collection), change);
    if (refused) results.set(change.opId, refused);
    return !refused;
  });
  for (const [name, mine] of byCollection(sendable))
    push.arrays.set(name, await arraysOf(push, tables.get(name), mine));
  missed.push(...sendable.filter(isForeign));
  const known = sendable.filter((change) => !isForeign(change));
  for (let from = 0; from < known.length; from += MOST) await send(push, known.slice(from, from + MOST));

  const looked = missed.splice(0);
  const rows = await currentRows(push, looked);
  for (const change of looked) {
    const result = await settle(push, change, rows.get(change));
    if (result) results.set(change.opId, result);
  }
  const answers = changes.map(({ opId, collection, recordId }): PushResult => {
    const message = `${collection}/${recordId} changes too fast to be written.`;
    return results.get(opId) ?? { type: 'retry', error: problem('CONFLICT', message) };
  });
  // What a mutation returns it returns whatever the collection's condition says.
  return withoutOutOfSight(changes, answers, (name, ids) => {
    const table = tables.get(name);
    return table.where && reads.byIds(table, ids, signal).then(({ present }) => present);
  });
}
