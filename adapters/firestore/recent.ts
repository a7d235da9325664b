import type { ParsedOptions } from './options.js';
import { collectionOf } from './place.js';
import { type Reads, since } from './reads.js';
import type { Table } from './table.js';
import { earlier, FIRST, type Time } from './version.js';

/** The newest time; undefined: there is none. */
export async function newest(reads: Reads, table: Table, signal: AbortSignal): Promise<Time | undefined> {
  const [found] = await reads.get(
    `Reading the newest document of "${table.collection}"`,
    table,
    (session, conditions) =>
      session.sdk.query(
        collectionOf(session, table),
        ...conditions,
        since(session, table, FIRST),
        session.sdk.orderBy(new session.sdk.FieldPath(table.updatedAt), 'desc'),
        session.sdk.limit(1),
      ),
    signal,
  );
  return found && (found.data()[table.updatedAt] as Time);
}

/** The time from which on a listener hears all that is new, for the price of one document at the most. */
export async function recent(
  reads: Reads,
  { overlap }: Pick<ParsedOptions, 'overlap'>,
  table: Table,
  signal: AbortSignal,
): Promise<Time> {
  const back = (ms: number): Time => earlier({ seconds: Math.floor(ms / 1000), nanoseconds: 0 }, overlap);
  const { clock } = reads;
  const moment = clock.local();
  const known = clock.at(moment);
  if (known !== undefined) return back(known);
  const found = await newest(reads, table, signal);
  if (!found) return FIRST;
  const asked = clock.at(moment);
  if (asked !== undefined) return back(asked);
  // One from the future must not hide those of the present.
  return earlier({ ...found, seconds: Math.min(found.seconds, Math.floor(Date.now() / 1000)) }, overlap);
}
