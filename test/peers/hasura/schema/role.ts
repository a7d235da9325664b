import type { Filter, Metadata } from '../metadata.js';
import type { Column, Table } from './catalog.js';
import { type Names, type TableNames, tableNames } from './names.js';

/** A table as one role has it. What the role may not do is undefined. */
export interface RoleTable {
  readonly table: Table;
  readonly names: TableNames;
  readonly select: Selectable | undefined;
  readonly insert: { readonly columns: readonly Column[]; readonly check: Filter; readonly set: Filter } | undefined;
  readonly update:
    | { readonly columns: readonly Column[]; readonly filter: Filter; readonly check: Filter; readonly set: Filter }
    | undefined;
  readonly delete: { readonly filter: Filter } | undefined;
}

export interface Selectable {
  readonly columns: readonly Column[];
  readonly filter: Filter;
  readonly limit: number | undefined;
  readonly aggregations: boolean;
}

/** The tables that a role may touch at all. */
export function tablesOf(
  role: string,
  metadata: Metadata,
  catalog: ReadonlyMap<string, Table>,
  names: Names,
): RoleTable[] {
  return [...metadata.tracked].flatMap(([name, configuration]) => {
    const table = catalog.get(name);
    const { select, insert, update, delete: remove } = metadata.permissionsOf(role, name);
    if (!table || !(select || insert || update || remove)) return [];
    const among = (columns: '*' | readonly string[], set: Filter = {}): readonly Column[] =>
      table.columns.filter(
        (column) => (columns === '*' || columns.includes(column.name)) && !Object.hasOwn(set, column.name),
      );
    return {
      table,
      names: tableNames(names, name, configuration),
      select: select && {
        columns: among(select.columns),
        filter: select.filter,
        limit: select.limit ?? undefined,
        aggregations: select.allow_aggregations === true,
      },
      insert: insert && { columns: among(insert.columns, insert.set), check: insert.check, set: insert.set ?? {} },
      update: update && {
        columns: among(update.columns, update.set),
        filter: update.filter,
        // Without one a row may be changed so that its role sees it no more.
        check: update.check ?? {},
        set: update.set ?? {},
      },
      delete: remove,
    };
  });
}

/** The columns of the primary key, if the role may see them all. */
export function visibleKey({ table, select }: RoleTable): readonly Column[] {
  const key = table.primaryKey.flatMap((name) => select?.columns.find((column) => column.name === name) ?? []);
  return key.length === table.primaryKey.length ? key : [];
}
