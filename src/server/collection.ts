import type { Row } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';
import type { Committer } from './committer.js';
import type { Settings } from './options.js';
import { parseMessage } from './parse.js';
import type { Write } from './write-rules.js';

/** A collection as the server itself sees it: no `authorize`, and every subscriber gets the change. */
export interface ServerCollection {
  get(id: string): Row | undefined;
  /** Every live record by id, oldest change first. */
  all(): Map<string, Row>;
  count(): number;
  /** Replaces the record; gives its version. Throws VALIDATION_FAILED if `validate` or the id refuses it. */
  save(id: string, data: Row): number;
  /** Gives the version of the delete. */
  delete(id: string): number;
}

export function serverCollection(
  name: string,
  { settings, committer }: { readonly settings: Settings; readonly committer: Committer },
): ServerCollection {
  const { store } = settings;

  function write(type: Write['type'], recordId: string, row?: Row): number {
    // Through JSON and the same checks as a client's, so that what is stored is what goes over the wire.
    const data: unknown = row && JSON.parse(JSON.stringify(row));
    const parsed = parseMessage({ type, collection: name, recordId, data });
    if (parsed.type === 'invalid') throw refusal(parsed.reason);
    const outcome = committer.write(parsed as Write);
    if (outcome.kind === 'applied') return outcome.version;
    throw outcome.kind === 'refused' ? refusal(outcome.reason) : refusal('conflict');
  }

  const refusal = (reason: string) =>
    new SyncLayerError('VALIDATION_FAILED', `The server cannot write to '${name}': ${reason}`, { adapter: 'server' });

  return {
    get(id) {
      committer.flush();
      return store.get(name, id)?.data ?? undefined;
    },
    all() {
      committer.flush();
      const rows = new Map<string, Row>();
      for (const { id, data } of store.page(name, { after: 0, limit: Number.MAX_SAFE_INTEGER })) {
        if (data) rows.set(id, data);
      }
      return rows;
    },
    count() {
      committer.flush();
      return store.count(name);
    },
    save: (id, data) => write('insert', id, data),
    delete: (id) => write('delete', id),
  };
}
