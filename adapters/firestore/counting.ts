import type { QueryConstraint } from 'firebase/firestore';
import type { VersionRange } from '../../src/adapter-kit/kit.js';
import type { Session } from './link.js';
import { collectionOf } from './place.js';
import { conditionsOf, inRange, type Reads } from './reads.js';
import type { Table } from './table.js';

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
