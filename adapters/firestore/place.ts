import type { DocumentReference, Query } from 'firebase/firestore';
import { documentId, recordIdOf } from './ids.js';
import type { Client } from './link.js';
import type { Table } from './table.js';

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
