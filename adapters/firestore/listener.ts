import type { QueryConstraint, QueryDocumentSnapshot } from 'firebase/firestore';
import type { ChangeSink, SyncLayerError } from '../../src/adapter-kit/kit.js';
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
  /** Documents that the server has just sent. */
  found(documents: readonly QueryDocumentSnapshot[]): void;
  /** A document has no timestamp. */
  unstamped(): void;
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
  /** The first snapshot has come. It holds all, which is paid for: also what was changed unheard, and left its time alone. */
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
      const { fromCache } = snapshot.metadata;
      if (!live && fromCache) return;
      const news = live ? snapshot.docChanges(options) : snapshot.docs.map((doc) => ({ type: 'added', doc }));
      const documents: QueryDocumentSnapshot[] = [];
      for (const { type, doc } of news) {
        // A write of the app's own that the server has not taken yet.
        if (doc.metadata.hasPendingWrites) continue;
        if (type === 'removed') {
          sink.change(gone(table, doc));
          continue;
        }
        documents.push(doc);
        const change = fromDocument(table, doc);
        if (change) sink.change(change);
        else events.unstamped();
      }
      events.found(documents);
      if (fromCache) events.doubt();
      else events.heard(live ? documents.length : Math.max(1, documents.length));
      if (live) return;
      live = true;
      sink.live();
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
