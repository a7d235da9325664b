import type { MarkColumns } from '../../src/adapter-kit/marks.js';
import type { FirestoreCollection, FirestoreCondition, ParsedOptions } from './options.js';
import type { FieldType } from './values.js';

/** One collection, and how its documents lie in Firestore. */
export interface Table extends MarkColumns {
  readonly collection: string;
  readonly path: string;
  /** All collections of that id, wherever they lie. */
  readonly group: boolean;
  readonly updatedAt: string;
  readonly deletedAt: string | undefined;
  /** A deleted document stays, with a mark. */
  readonly soft: boolean;
  /** Fields that are no part of a row. */
  readonly own: readonly (string | undefined)[];
  readonly where: readonly FirestoreCondition[];
  typeOf(field: string): FieldType | undefined;
}

function makeTable(collection: string, options: FirestoreCollection): Table {
  const types = new Map(Object.entries(options.types ?? {}));
  const { updatedAt = 'updatedAt', deletedAt, opId, editedAt } = options;
  return {
    collection,
    path: options.path ?? collection,
    group: options.group === true,
    updatedAt,
    deletedAt,
    opId,
    editedAt,
    own: [updatedAt, deletedAt, opId, editedAt],
    soft: deletedAt !== undefined,
    where: options.where ?? [],
    typeOf: (field) => types.get(field),
  };
}

/** The collections of this transport, by name. */
export function createTables(options: ParsedOptions) {
  const tables = new Map(
    Object.entries(options.collections).map(([name, collection]) => [name, makeTable(name, collection)]),
  );
  return {
    get(collection: string): Table {
      let table = tables.get(collection);
      if (!table) {
        table = makeTable(collection, {});
        tables.set(collection, table);
      }
      return table;
    },
    all: (): readonly Table[] => [...tables.values()],
  };
}

export type Tables = ReturnType<typeof createTables>;
