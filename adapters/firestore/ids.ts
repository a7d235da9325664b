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
