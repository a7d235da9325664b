import type { Query, QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import { ok, unknown, wrong } from '../../../src/adapter-kit/doctor/check.js';
import type { Check } from '../../../src/adapter-kit/kit.js';
import type { Session } from '../link.js';
import { FIRST, stampOf, type Time } from '../normalize.js';
import { conditionsOf, since } from '../reads.js';
import type { Table } from '../table.js';
import { collectionOf } from '../table.js';
import { ask } from './ask.js';

/** Documents that are looked at, for a document read each. */
export const SAMPLE = 5;
/** Documents that are counted, for one document read in all. */
const COUNTED = 1000;
/** A clock may be so wrong, ms. */
const TOLERANCE = 60_000;

/** Some documents of a collection, in no order: also those without a time. */
export const sampleOf = async (session: Session, table: Table): Promise<Query> =>
  session.sdk.query(collectionOf(session, table), ...(await conditionsOf(session, table)), session.sdk.limit(SAMPLE));

/** How to put a time where none is, once. */
const backfill = ({ path, group, updatedAt }: Table): string =>
  `Let every writer set it to serverTimestamp(), and set it once where it is none; with firebase-admin:
for (const doc of (await db.${group ? 'collectionGroup' : 'collection'}(${JSON.stringify(path)}).get()).docs)
  if (!(doc.get(${JSON.stringify(updatedAt)}) instanceof Timestamp))
    await doc.ref.update(${JSON.stringify(updatedAt)}, FieldValue.serverTimestamp());`;

/** Whether the documents have the times that they need. `sample`: those of `sampleOf`. */
export async function* timeChecks(
  session: Session,
  table: Table,
  sample: readonly QueryDocumentSnapshot[],
  ms: number,
): AsyncGenerator<Check> {
  const { sdk } = session;
  const { collection, updatedAt, deletedAt } = table;
  const all = sample.length < SAMPLE;
  const conditions = await conditionsOf(session, table);

  async function count(...more: readonly QueryConstraint[]): Promise<number> {
    const query = sdk.query(collectionOf(session, table), ...conditions, ...more, sdk.limit(COUNTED));
    const answer = await ask(session, sdk.getCountFromServer(query), ms);
    return answer.ok ? answer.value.data().count : Number.NaN;
  }
  const isTime = (value: unknown): boolean => value instanceof sdk.Timestamp;
  const named = (wrong: readonly QueryDocumentSnapshot[]): string => wrong.map(({ ref }) => ref.path).join(', ');
  const seen = `Only ${SAMPLE} documents were looked at: they are well.`;

  const stamps = `${collection}: every document has a timestamp in ${updatedAt}`;
  const bare = sample.filter((found) => !isTime(found.data()[updatedAt]));
  const total = all ? sample.length : await count();
  const without = all ? bare.length : total - (await count(since(session, table, FIRST)));
  if (bare.length > 0 || without > 0) {
    const some = bare.length > 0 ? ` (such as ${named(bare)})` : '';
    const many = total < COUNTED ? `${without} of ${total} documents` : 'Documents';
    yield wrong(stamps, `${many}${some} have none, and are not seen.`, backfill(table));
  } else if (total < COUNTED) yield ok(stamps);
  else yield unknown(stamps, seen, 'There are too many to count them all.');

  if (deletedAt !== undefined) {
    const marks = `${collection}: ${deletedAt} is a timestamp, or there is none`;
    const odd = sample.filter((found) => !isTime(found.data()[deletedAt] ?? new sdk.Timestamp(0, 0)));
    const fix = `Each of them counts as deleted. Remove the field, or set it to serverTimestamp(), with ${updatedAt}.`;
    const mark = new sdk.FieldPath(deletedAt);
    // With conditions this would want indexes of its own.
    const uncounted = all || table.where.length > 0;
    const marked = uncounted ? 0 : await count(sdk.where(mark, '!=', null));
    const right = uncounted ? 0 : await count(sdk.where(mark, '>=', new sdk.Timestamp(FIRST.seconds, 0)));
    if (odd.length > 0) yield wrong(marks, `Not so in ${named(odd)}. ${fix}`);
    else if (marked > right) yield wrong(marks, `Not so in ${marked - right} documents. ${fix}`);
    else if (all || (!uncounted && marked < COUNTED)) yield ok(marks);
    else yield unknown(marks, seen);
  }

  const future = `${collection}: no document is from the future`;
  const time = new sdk.FieldPath(updatedAt);
  const soon = sdk.Timestamp.fromMillis(Date.now() + TOLERANCE);
  const ahead = sdk.query(collectionOf(session, table), ...conditions, sdk.where(time, '>', soon), sdk.limit(1));
  const answer = await ask(session, sdk.getDocsFromServer(ahead), ms);
  const [found] = answer.ok ? answer.value.docs : [];
  if (!answer.ok) yield unknown(future, answer.said);
  else if (!found) yield ok(future);
  else
    yield wrong(
      future,
      `${updatedAt} of ${found.ref.path} is ${stampOf(found.data()[updatedAt] as Time)}, and it is read again at each catch-up until then.`,
      'Somebody set it by their own clock: let them set it to serverTimestamp(). Or the clock of this machine is behind.',
    );
}
