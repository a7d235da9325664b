import type { DocumentReference, Query } from 'firebase/firestore';
import type { MarkColumns } from '../../src/adapter-kit/marks.js';
import type { Client } from './link.js';
import type { FieldType } from './normalize.js';
import type { FirestoreCollection, FirestoreCondition, ParsedOptions } from './options.js';

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
  const types = new Map(Object.entries(options.fields ?? {}));
  const { updatedAt = 'updatedAt', deletedAt, opId, editedAt } = options;
  return {
    collection,
    path: options.table ?? collection,
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

/**
 * A record's id may be any text, a document's may not: `/`, `.`, `..` and `__x__` are Firestore's own. Each document has one
 * record id and each record id one document, so documents that another app named are reached too, whatever is in their names.
 */

/** What no document may be called, behind the marks that tell such a name from one that merely looks like it. */
const RESERVED = /^(?:%=)*(?:\.\.?|__.*__)?$/s;

/** The name of a record's document. */
export function documentId(recordId: string): string {
  const name = recordId.replace(/%(?=(?:25)*2F)/g, '%25').replaceAll('/', '%2F');
  return RESERVED.test(name) ? `%=${name}` : name;
}

/** The id of a document's record. */
export function recordIdOf(name: string): string {
  const marked = name.startsWith('%=') && RESERVED.test(name) ? name.slice(2) : name;
  return marked.replace(/%25(?=(?:25)*2F)|%2F/g, (text) => (text === '%2F' ? '/' : '%'));
}

type Place = Pick<Table, 'group' | 'path'>;

/** A document that was found, as far as its place goes. */
interface Placed {
  readonly id: string;
  readonly ref: { readonly path: string };
}

/** The collection, or all collections of its group. */
export const collectionOf = ({ sdk, db }: Client, { group, path }: Place): Query =>
  group ? sdk.collectionGroup(db, path) : sdk.collection(db, path);

/** A record's document. In a group the record's id is its path. */
export const refOf = ({ sdk, db }: Client, { group, path }: Place, recordId: string): DocumentReference =>
  group ? sdk.doc(db, recordId) : sdk.doc(sdk.collection(db, path), documentId(recordId));

/** What a query by `documentId()` calls it. */
export const nameOf = ({ group }: Place, recordId: string): string => (group ? recordId : documentId(recordId));

/** The id of a document's record. */
export const idOf = ({ group }: Place, { id, ref }: Placed): string => (group ? ref.path : recordIdOf(id));

/** Whether there can be a document of this id. */
export function hasPlace({ group, path }: Place, recordId: string): boolean {
  const parts = recordId.split('/');
  return (
    !group ||
    (parts.length % 2 === 0 && parts.at(-2) === path && parts.every((part) => !/^(?:\.\.?|__.*__)?$/s.test(part)))
  );
}
