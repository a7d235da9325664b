import type { Table } from '../table.js';

/** A composite index as `firestore.indexes.json` has it. */
export interface Index {
  readonly collectionGroup: string;
  readonly queryScope: 'COLLECTION' | 'COLLECTION_GROUP';
  readonly fields: readonly { readonly fieldPath: string; readonly order?: string; readonly arrayConfig?: string }[];
}

const isName = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text);
const quoted = (field: string): string => (isName(field) ? field : `\`${field.replace(/[\\`]/g, '\\$&')}\``);
/** A field of a document within rules. */
const fieldOf = (map: string, field: string): string =>
  isName(field) ? `${map}.${field}` : `${map}[${JSON.stringify(field)}]`;

/** The composite indexes of one collection: none without conditions, for Firestore makes those of single fields by itself. */
export function indexesOf({ path, group, where, updatedAt, deletedAt }: Table): Index[] {
  if (where.length === 0) return [];
  const conditions = new Map(
    where.map(([fieldPath, operator]) => [
      fieldPath,
      operator.startsWith('array') ? { fieldPath, arrayConfig: 'CONTAINS' } : { fieldPath, order: 'ASCENDING' },
    ]),
  );
  // Backwards a listener looks for where it begins.
  const orders = deletedAt === undefined ? ['ASCENDING'] : ['ASCENDING', 'DESCENDING'];
  return orders.map((order) => ({
    collectionGroup: path.slice(path.lastIndexOf('/') + 1),
    queryScope: group ? 'COLLECTION_GROUP' : 'COLLECTION',
    fields: [...conditions.values(), { fieldPath: quoted(updatedAt), order }],
  }));
}

/** In a group not even the index of a single field is there by itself. An override replaces those that were: they are in it. */
export function overridesOf({ path, group, where, updatedAt }: Table) {
  if (!group || where.length > 0) return [];
  const [ascending, descending] = [{ order: 'ASCENDING' }, { order: 'DESCENDING' }];
  const own = [ascending, descending, { arrayConfig: 'CONTAINS' }].map((index) => ({
    ...index,
    queryScope: 'COLLECTION',
  }));
  const all = [ascending, descending].map((index) => ({ ...index, queryScope: 'COLLECTION_GROUP' }));
  return [{ collectionGroup: path, fieldPath: updatedAt, indexes: [...own, ...all] }];
}

/** Whether Firestore has to be told of indexes. */
export const needsIndexes = (table: Table): boolean => indexesOf(table).length + overridesOf(table).length > 0;

/** Collections of many users share a group, and with it their indexes. */
const unique = <T>(values: readonly T[]): T[] => [
  ...new Map(values.map((value) => [JSON.stringify(value), value])).values(),
];

export const indexesJson = (tables: readonly Table[]): string =>
  JSON.stringify(
    { indexes: unique(tables.flatMap(indexesOf)), fieldOverrides: unique(tables.flatMap(overridesOf)) },
    null,
    2,
  );

/** The rule that `doctor` and the heartbeat need. */
export const OWN_RULE = `// Nothing is kept here, for nobody may create it. get: a heartbeat asks for it. update: it always fails, and with it the
// batch that it is in, so doctor can try a write that is never made.
match /synclayer/{id} {
  allow get, update: if true;
}`;

/** The rule of one collection. Documents of its path are wildcards: one rule for all users. */
export function ruleOf({ collection, path, group, updatedAt, deletedAt }: Table): string {
  const who = ['request.auth != null'];
  const place = path.split('/').map((part, index) => {
    if (index % 2 === 0 && /^[\w-]+$/.test(part)) return part;
    // A name that rules cannot spell.
    if (index % 2 === 0) who.push(`part${index} == ${JSON.stringify(part)}`);
    return `{part${index}}`;
  });
  const user = who.join(' && ');
  const data = 'request.resource.data';
  const marked =
    deletedAt === undefined
      ? ''
      : `\n    && (${data}.get(${JSON.stringify(deletedAt)}, null) == null || ${fieldOf(data, deletedAt)} is timestamp)`;
  const end =
    deletedAt === undefined
      ? `  allow delete: if ${user};`
      : '  // No delete: documents are marked, and one that is gone would go unnoticed.';
  return `// ${path === collection ? path : `${collection}: ${path}`}
match /${group ? '{path=**}/' : ''}${place.join('/')}/{id} {
  allow read: if ${user};
  // The server's time, at every write: what is new is read in its order.
  allow create, update: if ${user}
    && ${fieldOf(data, updatedAt)} == request.time${marked};
${end}
}`;
}

/** What to do where the rules refuse something of a collection. */
export const refused = (table: Table): readonly string[] => [
  'The rules refuse it. They need something like this, for a user who is signed in:',
  ruleOf(table),
];

const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, '    ');

export const rulesText = (tables: readonly Table[]): string => `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    // Who may do what is yours to say: here it is everybody who is signed in. For each user's own documents:
    //   read, update, delete: resource == null || resource.data.owner == request.auth.uid
    //   create, update: request.resource.data.owner == request.auth.uid
    // null: a document is looked for before it is made.

${[OWN_RULE, ...new Map(tables.map((table) => [table.path, ruleOf(table)])).values()].map(indented).join('\n\n')}
  }
}`;

/** Two files in one text. Both may have comments. */
export function setupText(tables: readonly Table[]): string {
  const none = !tables.some(needsIndexes);
  return `// ---- firestore.rules: npx firebase-tools deploy --only firestore:rules
${rulesText(tables)}

// ---- firestore.indexes.json: npx firebase-tools deploy --only firestore:indexes
// ${none ? 'None is needed: no collection has "where" or "group".' : 'For each collection with "where" or "group".'}
${indexesJson(tables)}`;
}
