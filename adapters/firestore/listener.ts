import type { QueryConstraint } from 'firebase/firestore';
import type { ChangeSink, SyncLayerError } from '../../src/kit.js';
import { readError } from './failure.js';
import type { Session } from './link.js';
import { fromDocument, gone } from './normalize.js';
import { collectionOf } from './place.js';
import type { Table } from './table.js';

/** What a listener tells beside changes. */
export interface ListenerEvents {
  /** The server spoke, and read so many documents for it. */
  heard(documents: number): void;
  /** Throws where the session has changed. */
  check(): void;
  /** The SDK itself thinks that the link is gone. */
  doubt(): void;
  failed(error: SyncLayerError): void;
}

/** Listens to the documents of a collection for which the conditions hold. Returns how to stop, which is at once. */
export function listen(
  session: Session,
  table: Table,
  conditions: readonly QueryConstraint[],
  sink: ChangeSink,
  events: ListenerEvents,
): () => void {
  const { sdk } = session;
  const query = sdk.query(collectionOf(session, table), ...conditions);
  let live = false;
  // Without metadata there is neither a sign of the link nor of an own write's acknowledgement.
  const options = { includeMetadataChanges: true } as const;
  const stop = sdk.onSnapshot(
    query,
    options,
    (snapshot) => {
      try {
        // With fewer rights the documents that are hidden come as removed.
        events.check();
      } catch (error) {
        events.failed(error as SyncLayerError);
        return;
      }
      if (!live) {
        if (snapshot.metadata.fromCache) return;
        live = true;
        events.heard(Math.max(1, snapshot.size));
        // What this first one holds, the pull that follows reads.
        sink.live();
        return;
      }
      let documents = 0;
      for (const { type, doc } of snapshot.docChanges(options)) {
        // A write of the app's own that the server has not taken yet.
        if (doc.metadata.hasPendingWrites) continue;
        if (type === 'removed') sink.change(gone(table, doc));
        else {
          documents += 1;
          // Without a timestamp it is not seen by pulls either.
          const change = fromDocument(table, doc);
          if (change) sink.change(change);
        }
      }
      if (snapshot.metadata.fromCache) events.doubt();
      else events.heard(documents);
    },
    // The SDK never revives it.
    (error) => events.failed(readError(`The listener to "${table.collection}"`, error)),
  );
  return () => {
    try {
      stop();
    } catch {
      // A client whose own code has failed refuses even that.
    }
  };
}
