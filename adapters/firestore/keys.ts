import type { RecordKey, VersionRange } from '../../src/adapter-kit/kit.js';
import type { TimeCursor } from './cursor.js';
import type { Reads } from './reads.js';
import type { Table } from './table.js';

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
