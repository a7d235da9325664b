import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WireRecord } from '../base/protocol.js';
import type { Sees } from './access.js';
import { editTime, iso } from './answers.js';
import type { ServerStore, StoredRecord } from './store.js';

export interface Page {
  /** Each record as JSON text, ordered by sequence number. */
  readonly records: readonly string[];
  /** The cursor after this page. */
  readonly seq: number;
  /** Where the snapshot began that this page belongs to. */
  readonly snapshotSeq?: number;
}

export interface PageRequest {
  readonly collection: string;
  readonly since: number;
  readonly limit: number;
  /** As in `Subscribe`: the following pages of a snapshot. */
  readonly snapshot?: number | undefined;
  /** Undefined: every row. */
  readonly sees?: Sees | undefined;
}

/** Records looked at in one turn of the event loop. */
const STRIDE = 2000;

/** A page of large rows ends early, in UTF-16 code units. */
const PAGE_LENGTH = 4_194_304;

/**
 * One page of what changed after `since`. Only the end of the collection gives an empty page: rows that the reader
 * cannot see never make one.
 */
export async function readPage(
  store: ServerStore,
  { collection, since, limit, snapshot, sees }: PageRequest,
  toJson: (record: StoredRecord, visible: boolean) => string,
): Promise<Page> {
  const end = store.seq(collection);
  const follows = snapshot !== undefined && since > 0;
  // A cursor above all that was ever given out comes from another life of this store.
  const begins = !follows && (since === 0 || since < store.oldestSeq(collection) || since > end);
  const snapshotSeq = follows ? snapshot : begins ? end : undefined;

  const records: string[] = [];
  let after = begins ? 0 : since;
  let length = 0;
  const page = (seq: number): Page => ({ records, seq, ...(snapshotSeq !== undefined && { snapshotSeq }) });

  for (;;) {
    let looked = 0;
    for (const record of store.page(collection, { after, limit: STRIDE })) {
      looked++;
      after = record.version;
      const visible = record.data && (!sees || sees(record.id, record.data));
      // What a snapshot never held needs no tombstone; what changed since it began may have been in a page before.
      if (!visible && snapshotSeq !== undefined && record.version <= snapshotSeq) continue;
      const json = toJson(record, Boolean(visible));
      records.push(json);
      length += json.length;
      if (records.length >= limit || length >= PAGE_LENGTH) return page(after);
    }
    if (looked < STRIDE) return page(Math.max(after, end));
    await nextTurn();
  }
}

/** `visible`: this reader sees it; else it is told as deleted. `keys`: without its fields. */
export const wireRecord = (record: StoredRecord, visible: boolean, keys = false): WireRecord => ({
  id: record.id,
  data: visible && record.data ? (keys ? {} : record.data) : null,
  version: record.version,
  updatedAt: iso(record.updatedAt),
  ...editTime(record),
  ...(!(visible && record.data) && { deleted: true as const }),
  ...(!visible && record.data && { hidden: true as const }),
});
