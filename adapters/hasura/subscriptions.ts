import { type Document, given, order } from './documents.js';
import type { Table } from './table.js';

/** For the newest row's time. */
export const newestDocument = (table: Table): Document => {
  const by = order(table, [table.updatedAt], 'desc');
  return `query (${given(table)}) { rows: ${table.roots.select}(where: $where, ${by}, limit: 1) { ${table.updatedAt} } }`;
};

/** Ordered, since the server takes another order for a change. */
export const liveDocument = (table: Table): Document => {
  const by = order(table, [table.primaryKey]);
  return `subscription (${given(table)}) { rows: ${table.roots.select}(where: $where, ${by}) { ${table.selection} } }`;
};

/** `from` is a literal: its type is the column's own. */
export const streamDocument = (table: Table, from: string, batchSize: number): Document => {
  const { word, updatedAt, roots, selection } = table;
  const cursor = `cursor: {${word('initial_value')}: {${updatedAt}: ${JSON.stringify(from)}}, ordering: ASC}`;
  return `subscription (${given(table)}) { rows: ${roots.stream}(${word('batch_size')}: ${batchSize}, ${cursor}, where: $where) { ${selection} } }`;
};

export const countDocument = (table: Table): Document =>
  `subscription (${given(table)}) { rows: ${table.roots.aggregate}(where: $where) { aggregate { count } } }`;
