/** Runs inside the page: the store suite, and what the browser tests need of the store. Bundled by `store-site.ts`. */
import { isSyncLayerError, type SyncLayerError } from '../../src/base/errors.js';
import { indexedDbStore } from '../../src/store/indexeddb.js';
import { createJournal } from '../../src/store/journal.js';
import type { LocalStore, StoreTable } from '../../src/store/store.js';
import { storeCases } from '../conformance/store-suite.js';

/** An error as the test process gets it: a page's own error objects do not travel. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

const failureOf = (error: unknown): Failure =>
  isSyncLayerError(error)
    ? { code: error.code, message: error.message }
    : { code: 'UNEXPECTED', message: error instanceof Error ? `${error.stack}` : String(error) };

const failing = (work: Promise<unknown>): Promise<Failure | undefined> => work.then(() => undefined, failureOf);

let places = 0;

export const page = {
  createJournal,

  store: (name: string): LocalStore => indexedDbStore({ name }),

  failing,

  /** Runs one case of the suite in a database of its own. */
  async runCase(name: string): Promise<Failure | undefined> {
    const found = storeCases.find((one) => one.name === name);
    if (found === undefined) return { code: 'UNEXPECTED', message: `There is no case '${name}'` };
    const place = `suite-${places++}`;
    const failure = await failing(found.run({ store: () => indexedDbStore({ name: place }) }));
    // A connection that is still open would block this for ever; the test's timeout would tell.
    await page.deleted(place);
    return failure;
  },

  /** Deletes a store's database; resolves once nobody has it open any more. */
  deleted: (name: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(`synclayer:${name}`);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error);
    }),

  async read(store: LocalStore, table: StoreTable = 'rows', collection = 'todos'): Promise<[string, unknown][]> {
    const entries: [string, unknown][] = [];
    for await (const rows of store.read(table, collection)) for (const { id, value } of rows) entries.push([id, value]);
    return entries;
  },

  /**
   * Writes through the journal until the browser dies. Append n writes n in a row of its own, in a row that each append
   * overwrites, and in the cursor; `report` gets each n whose flush resolved.
   */
  async writeForEver(name: string, first: number, report: (n: number) => void): Promise<void> {
    const store = indexedDbStore({ name });
    await store.open();
    const errors: SyncLayerError[] = [];
    const journal = createJournal(store, { onError: (error) => errors.push(error) });
    for (let n = first; errors.length === 0; n++) {
      journal.append([
        { table: 'rows', key: ['todos', `row-${n}`], value: { n, text: 'x'.repeat(n % 300) } },
        { table: 'rows', key: ['todos', 'latest'], value: { n } },
        { table: 'outbox', key: ['todos', `op-${n}`], value: { n } },
        { table: 'outbox', key: ['todos', `op-${n - 1}`], value: undefined },
        { table: 'meta', key: ['todos', 'cursor'], value: n },
      ]);
      if (n % 5 > 1) continue;
      await journal.flushed();
      report(n);
    }
    throw errors[0];
  },
};

declare global {
  /** Set by the page's script. */
  var kit: typeof page;
}
globalThis.kit = page;
