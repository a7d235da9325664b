import type { Document, Where } from './documents.js';
import type { Table } from './table.js';

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
