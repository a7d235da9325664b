/** Runs inside a page: plans over a real server, with IndexedDB. Bundled by `test/browser/indexeddb-convergence.test.ts`. */

import { websocketTransport } from '../../adapters/websocket/index.js';
import { indexedDbStore } from '../../src/store/indexeddb.js';
import { handles, pass } from './page-handles.js';
import type { Plan } from './plan.js';
import { type Backend, run, type Tally, type Target } from './run.js';
import { heartbeat, serverCapabilities } from './server-facts.js';

/** What the test process does with the real backend. Each method of it is called by name. */
export type Hand = (method: string, ...args: readonly unknown[]) => Promise<unknown>;

interface Remote extends Backend {
  readonly url: string;
  readonly baseUrl: string;
}

const target: Target<Remote> = {
  name: 'websocket in a page',
  capabilities: serverCapabilities,
  async backend() {
    const { hand } = globalThis;
    const { url, baseUrl } = (await hand('open')) as Pick<Remote, 'url' | 'baseUrl'>;
    const call =
      (method: string) =>
      async (...args: readonly unknown[]): Promise<void> =>
        void (await hand(method, ...args));
    return {
      url,
      baseUrl,
      write: call('write'),
      delete: call('delete'),
      // A Map does not travel.
      read: async (collection) => new Map((await hand('read', collection)) as [string, never][]),
      cut: call('cut'),
      cutAfter: call('cutAfter'),
      hang: call('hang'),
      restart: call('restart'),
      close: call('close'),
    };
  },
  create: ({ url, baseUrl }) => websocketTransport({ url, baseUrl, ...heartbeat }),
};

let databases = 0;

/** Fails if somebody has it open. */
const deleted = (name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`synclayer:${name}`);
    request.onsuccess = () => resolve();
    request.onblocked = () => reject(new Error(`The database ${name} is still open.`));
    request.onerror = () => reject(request.error);
  });

globalThis.runPlan = async (plan) => {
  const names: string[] = [];
  const tally = await run(target, plan, {
    pass,
    patience: 10_000,
    farewell: 3000,
    handles,
    store: () => {
      const name = `convergence-${databases++}`;
      names.push(name);
      return () => indexedDbStore({ name });
    },
  });
  await Promise.all(names.map(deleted));
  return tally;
};

declare global {
  /** Given to the page by the test. */
  var hand: Hand;
  /** Set by the page's script. */
  var runPlan: (plan: Plan) => Promise<Tally>;
}
