import { deepEqual, type Row, type Version } from '../../src/kit.js';
import type { Document, Where } from './documents.js';
import type { Table } from './table.js';
import { stampOf } from './version.js';

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

/** These rows, each only while it is as it was: a compare-and-set of many. */
export const unchanged = (
  { updatedAt, primaryKey, keyValue }: Table,
  rows: readonly { readonly id: string; readonly at: string }[],
): Where => ({ _or: rows.map(({ id, at }) => ({ [primaryKey]: { _eq: keyValue(id) }, [updatedAt]: { _eq: at } })) });

/** The value of `updatedAt` that a version stands for; undefined: another backend made it. */
export const updatedAtOf = (version: Version | null): string | undefined => {
  const stamp = typeof version === 'string' ? stampOf(version.slice(0, 26)) : undefined;
  return stamp && `${stamp}Z`;
};

const isScalar = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';

function isSame(sent: unknown, stored: unknown): boolean {
  if (deepEqual(sent, stored)) return true;
  if (!isScalar(sent) || !isScalar(stored)) return false;
  // The database writes numbers and times its own way.
  const stamp = stampOf(sent);
  return String(sent) === String(stored) || (stamp !== undefined && stamp === stampOf(stored));
}

/** Whether a row has all that we sent: then the push came through and its answer was lost, or somebody else wrote the same. */
export const holds = (data: Row, sent: Row): boolean =>
  Object.entries(sent).every(([field, value]) => isSame(value, data[field]));
