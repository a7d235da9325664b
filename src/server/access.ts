import type { Row } from '../base/change.js';
import { deepEqual, pathReader } from '../base/json.js';
import type { WireFilter } from '../base/protocol.js';
import type { Settings, SyncUser } from './options.js';

/** Whether a reader may see a row. */
export type Sees = (recordId: string, row: Row) => boolean;

export interface Access {
  exists(collection: string): boolean;
  /** Who may subscribe may pull as well. */
  subscribe(user: SyncUser | null, collection: string): boolean | Promise<boolean>;
  write(
    user: SyncUser | null,
    change: { collection: string; recordId: string; row: Row | null; previous: Row | null },
  ): boolean | Promise<boolean>;
  /** Undefined: every row, so that the common case costs nothing per row. */
  reader(user: SyncUser | null, collection: string, filter?: WireFilter): Sees | undefined;
}

/** Compiles a filter: fields equal to values, dots reach into objects. Undefined: every row passes. */
export function matcher(filter: WireFilter | undefined): ((row: Row) => boolean) | undefined {
  const tests = Object.entries(filter?.where ?? {}).map(([path, value]) => ({ read: pathReader(path), value }));
  if (tests.length === 0) return undefined;
  return (row) => tests.every(({ read, value }) => deepEqual(read(row), value));
}

/** What users may do: the app's `authorize`, made safe. Whatever is not a clear yes is a no. */
export function createAccess({ authorize, collections, log }: Settings): Access {
  const known = collections && new Set(collections);
  const isYes = (answer: unknown) => answer === true;
  const failed = (action: string) => (error: unknown) => {
    log('error', `authorize failed for ${action}; it was taken for a no`, { error });
    return false;
  };

  function ask(request: Parameters<NonNullable<typeof authorize>>[0]): boolean | Promise<boolean> {
    if (!authorize) return true;
    try {
      const answer = authorize(request);
      return answer instanceof Promise ? answer.then(isYes, failed(request.action)) : isYes(answer);
    } catch (error) {
      return failed(request.action)(error);
    }
  }

  function mayRead(user: SyncUser | null, collection: string, recordId: string, row: Row): boolean {
    const answer = ask({ action: 'read', user, collection, recordId, row });
    if (typeof answer === 'boolean') return answer;
    log('error', "authorize must answer action 'read' at once, without a promise; the row was withheld", {
      collection,
    });
    return false;
  }

  return {
    exists: (collection) => !known || known.has(collection),
    subscribe: (user, collection) => ask({ action: 'subscribe', user, collection }),
    write: (user, change) => ask({ action: 'write', user, ...change }),
    reader(user, collection, filter) {
      const matches = matcher(filter);
      if (!authorize) return matches && ((_id, row) => matches(row));
      return (recordId, row) => (!matches || matches(row)) && mayRead(user, collection, recordId, row);
    },
  };
}
