import type { RecordKey } from '../../transport/transport.js';
import { type ServerState, UNKNOWN } from '../replica-state.js';
import type { Ledger } from './ledger.js';

/** What a list of the backend's keys says about a collection. `applyState`: takes what the backend holds of a record. */
export function createKeyLists(ledger: Ledger, applyState: (id: string, state: ServerState) => void) {
  const { server, pending, batch, noteServer, setPending, amendHead, serverState } = ledger;

  return {
    /** Deletes rows that a *complete* list of the backend's keys lacks, but for those that changed meanwhile. */
    removeMissing(exists: { has(id: string): boolean }, touched: ReadonlySet<string>): void {
      batch.run(() => {
        for (const [id, version] of [...server.versions]) {
          if (exists.has(id) || touched.has(id)) continue;
          const edits = pending.get(id);
          // The row never was in this backend, so it cannot have been deleted there: the edit goes out as an insert.
          if (version === UNKNOWN && edits) amendHead(id, edits, { base: null });
          applyState(id, { row: null, version, inferred: true });
        }
        // A row of our own that was taken and deleted since: the answer to its push, once it comes, is of before that.
        for (const [id, { server: from, entries }] of pending)
          if (entries[0].sent && !from.row && !exists.has(id)) setPending(id, { ...from, inferred: true }, entries);
      });
    },

    /** The backend has no tombstones of these any more, nor rows that the filter leaves out. */
    forgetTombstones(ids: Iterable<string>): void {
      batch.run(() => {
        for (const id of ids) {
          const { row, version } = serverState(id);
          if (!row && !pending.has(id)) noteServer(id, { row, version, inferred: true });
        }
      });
    },

    /** Of these keys, those that are missing here, or have another version there. */
    outdated: (keys: ReadonlyMap<string, RecordKey>): string[] =>
      [...keys.values()]
        .filter(({ recordId, version }) => {
          const known = serverState(recordId);
          if (known.version === null || known.inferred || (!known.row && !known.excluded)) return true;
          return version !== undefined && version !== known.version;
        })
        .map(({ recordId }) => recordId),
  };
}
