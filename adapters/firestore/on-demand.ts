import type { DocumentReference, DocumentSnapshot, QueryConstraint } from 'firebase/firestore';
import { type Change, isSyncLayerError, type RecordKey, type VersionRange } from '../../src/adapter-kit/kit.js';
import { codeOf } from './errors.js';
import type { Session } from './link.js';
import { conditionsOf, inRange, type Reads, type TimeCursor } from './reads.js';
import { collectionOf, hasPlace, nameOf, refOf, type Table } from './table.js';

/** Ids in one query: more are refused. */
const IDS = 30;
/** Documents read at once, each by a request. */
const GETS = 100;

/**
 * Reads documents by the requests that a transaction reads with, and commits nothing. They are all under way at once, and not on
 * the stream of the listeners. Undefined: the rules refuse this one.
 */
async function getAll(
  { sdk, db }: Session,
  refs: readonly DocumentReference[],
): Promise<readonly (DocumentSnapshot | undefined)[]> {
  let found: (DocumentSnapshot | undefined)[] = [];
  const enough = new Error('Nothing is to be written.');
  const read = sdk.runTransaction(
    db,
    async (transaction) => {
      const one = (ref: DocumentReference): Promise<DocumentSnapshot | undefined> =>
        transaction.get(ref).catch((error: unknown) => {
          if (codeOf(error) === 'permission-denied') return undefined;
          throw error;
        });
      found = await Promise.all(refs.map(one));
      throw enough;
    },
    { maxAttempts: 1 },
  );
  await read.catch((error: unknown) => {
    if (error !== enough) throw error;
  });
  return found;
}

const reading = ({ collection }: Table): string => `Reading documents of "${collection}"`;

/** Documents of these ids that are within the conditions. The emulator takes seconds for it where there are many others. */
async function listed(reads: Reads, table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
  const names = ids.map((id) => nameOf(table, id));
  const changes: Change[] = [];
  for (let from = 0; from < names.length; from += IDS) {
    const part = names.slice(from, from + IDS);
    const docs = await reads.get(
      reading(table),
      table,
      (session, conditions) => {
        const { sdk } = session;
        return sdk.query(collectionOf(session, table), ...conditions, sdk.where(sdk.documentId(), 'in', part));
      },
      signal,
    );
    changes.push(...docs.flatMap((found) => reads.toChange(table, found)));
  }
  return changes;
}

/** Documents of these ids, each by itself; undefined: the rules refuse this one. */
async function got(
  reads: Reads,
  table: Table,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<(DocumentSnapshot | undefined)[]> {
  const found: (DocumentSnapshot | undefined)[] = [];
  for (let from = 0; from < ids.length; from += GETS) {
    const part = ids.slice(from, from + GETS);
    const read = (session: Session) =>
      getAll(
        session,
        part.map((id) => refOf(session, table, id)),
      );
    found.push(...(await reads.ask(reading(table), signal, read)));
    // Also one that is not there.
    reads.count(part.length);
  }
  return found;
}

const changesOf = (reads: Reads, table: Table, found: readonly (DocumentSnapshot | undefined)[]): Change[] =>
  found.flatMap((each) => (each?.exists() ? reads.toChange(table, each) : []));

/** The documents of these ids as they are now, those marked as deleted too. */
async function byIds(reads: Reads, table: Table, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
  const placed = ids.filter((id) => hasPlace(table, id));
  // Only a query leaves out what is outside the conditions.
  const found = table.where.length === 0 ? await got(reads, table, placed, signal) : [undefined];
  // Rules may let a user list what they do not let be got.
  return found.includes(undefined) ? listed(reads, table, placed, signal) : changesOf(reads, table, found);
}

/** The same, of those that this user may see: one that the rules refuse spoils a query for all others. */
export async function inSight(
  reads: Reads,
  table: Table,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Change[]> {
  try {
    return await byIds(reads, table, ids, signal);
  } catch (error) {
    if (!isSyncLayerError(error) || error.code !== 'SUBSCRIBE_REJECTED') throw error;
  }
  const placed = ids.filter((id) => hasPlace(table, id));
  const found = await got(reads, table, placed, signal);
  if (table.where.length === 0) return changesOf(reads, table, found);
  const seen = placed.filter((_, index) => found[index]?.exists());
  return listed(reads, table, seen, signal);
}

/** Keys per page. The SDK cannot read ids without their documents. */
const KEYS = 1000;

/** The keys of a collection, or of a range of it, with their documents, which are read for them. */
export async function* keysOf(
  reads: Reads,
  table: Table,
  range: VersionRange | undefined,
  signal: AbortSignal,
): AsyncGenerator<RecordKey[]> {
  const what = `Reading the keys of "${table.collection}"`;
  for (let from: TimeCursor | undefined, start = true; ; start = false) {
    const reading = { cursor: from, start, most: KEYS, range };
    // A link that is lost in the middle of many pages is no reason to begin with the first one again.
    const { docs, cursor } = await reads.page(what, table, reading, signal).catch((error: unknown) => {
      if (start) throw error;
      return reads.page(what, table, reading, signal);
    });
    if (docs.length === 0) return;
    from = cursor;
    yield docs
      .flatMap((found) => reads.toChange(table, found))
      .filter(({ type }) => range || type !== 'delete')
      .map((change) => ({
        recordId: change.recordId,
        version: change.version,
        change,
        ...(change.type === 'delete' && { deleted: true as const }),
      }));
  }
}

/** So many index entries are counted for the price of one document. */
const PRICE = 1000;

async function count(
  reads: Reads,
  table: Table,
  conditions: (session: Session) => readonly QueryConstraint[],
  signal: AbortSignal,
): Promise<number> {
  const snapshot = await reads.ask(`Counting "${table.collection}"`, signal, async (session) => {
    const own = await conditionsOf(session, table);
    return session.sdk.getCountFromServer(
      session.sdk.query(collectionOf(session, table), ...own, ...conditions(session)),
    );
  });
  const found = snapshot.data().count;
  reads.count(Math.max(1, Math.ceil(found / PRICE)));
  return found;
}

/** Tables whose documents were all counted. */
const counted = new WeakSet<Table>();

/** How many documents have a timestamp of a range. Once, those that have none are looked for too: no query finds them. */
export async function countRange(
  reads: Reads,
  table: Table,
  range: VersionRange,
  signal: AbortSignal,
): Promise<number> {
  if (!counted.has(table)) {
    // In this order: one that is written meanwhile is not taken for one without a timestamp.
    const all = await count(reads, table, () => [], signal);
    const stamped = await count(reads, table, (session) => inRange(session, table, {}), signal);
    counted.add(table);
    if (all > stamped) void reads.unstamped(table, all - stamped);
  }
  return count(reads, table, (session) => inRange(session, table, range), signal);
}
