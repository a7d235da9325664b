import type { ChangeSink, SyncLayerError } from '../../src/kit.js';
import { readError } from './failure.js';
import type { Session } from './link.js';
import { fromDocument, gone } from './normalize.js';
import { collectionOf, conditionsOf, since } from './reads.js';
import type { Table } from './table.js';
import type { Time } from './version.js';

/** What a listener tells beside changes. */
export interface ListenerEvents {
  /** The server spoke, and read so many documents for it. */
  heard(documents: number): void;
  /** The SDK itself thinks that the link is gone. */
  doubt(): void;
  failed(error: SyncLayerError): void;
}

/**
 * Listens to a collection: to all of it where documents are deleted for good, since only a document that it holds is heard to
 * go (`from` left out); else only to what is newer than `from`. Returns how to stop, which is at once.
 */
export function listen(
  session: Session,
  table: Table,
  from: Time | undefined,
  sink: ChangeSink,
  events: ListenerEvents,
): () => void {
  const { sdk } = session;
  // No condition on the time without need: a `serverTimestamp()` of the app's own is none until the server has it, and its
  // document would leave such a query for as long.
  const newer = from ? [since(session, table, from)] : [];
  const query = sdk.query(collectionOf(session, table), ...conditionsOf(session, table), ...newer);
  let live = false;
  // Without metadata there is neither a sign of the link nor of an own write's acknowledgement.
  const options = { includeMetadataChanges: true } as const;
  return sdk.onSnapshot(
    query,
    options,
    (snapshot) => {
      if (!live) {
        if (snapshot.metadata.fromCache) return;
        live = true;
        events.heard(Math.max(1, snapshot.size));
        // What this first one holds, the pull that follows reads.
        sink.live();
        return;
      }
      if (snapshot.metadata.fromCache) events.doubt();
      else events.heard(snapshot.docChanges().filter(({ type }) => type !== 'removed').length);
      for (const { type, doc } of snapshot.docChanges(options)) {
        // A write of the app's own that the server has not taken yet.
        if (doc.metadata.hasPendingWrites) continue;
        if (type === 'removed') sink.change(gone(table, doc.id));
        else {
          // Without a timestamp it is not seen by pulls either.
          const change = fromDocument(table, doc);
          if (change) sink.change(change);
        }
      }
    },
    // The SDK never revives it.
    (error) => events.failed(readError(`The listener to "${table.collection}"`, error)),
  );
}
