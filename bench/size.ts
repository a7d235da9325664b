import { execFileSync } from 'node:child_process';
import { weigh } from '../scripts/weigh.js';
import { type Bench, table } from './section.js';

interface Subject {
  readonly name: string;
  /** Of: local persistence, live queries, two-way sync. */
  readonly has: string;
  readonly program: string;
  /** Chunks that it loads later, and that such an app needs. */
  readonly later?: readonly string[];
}

const subjects: readonly Subject[] = [
  {
    name: 'SyncLayer, WebSocket, IndexedDB',
    has: 'IndexedDB, live queries, sync with conflicts',
    program: `export { createSyncLayer } from 'synclayer'; export { websocketTransport } from 'synclayer/websocket';`,
    later: ['indexeddb.js'],
  },
  {
    name: 'RxDB, Dexie, its WebSocket replication',
    has: 'IndexedDB, live queries, sync with conflicts',
    program: `export { createRxDatabase } from 'rxdb/plugins/core'; export { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
      export { replicateWithWebsocketServer } from 'rxdb/plugins/replication-websocket';`,
  },
  {
    name: 'TanStack DB',
    has: 'live queries; storage and transport are yours',
    program: `export { createCollection, createLiveQueryCollection, eq, BTreeIndex } from '@tanstack/db';`,
  },
  {
    name: 'Legend-State 2, IndexedDB',
    has: 'IndexedDB, observables; sync is yours',
    program: `export { observable } from '@legendapp/state'; export { persistObservable } from '@legendapp/state/persist';
      export { ObservablePersistIndexedDB } from '@legendapp/state/persist-plugins/indexeddb';`,
  },
  {
    name: 'Amplify DataStore',
    has: 'IndexedDB, live queries, sync with AppSync',
    program: `export { Amplify } from 'aws-amplify'; export { DataStore } from 'aws-amplify/datastore';`,
  },
];

/** What a browser downloads. */
export const size: Bench = async ({ say }) => {
  say('building');
  execFileSync('npm', ['run', 'build'], { stdio: 'ignore' });
  const rows: string[][] = [];
  for (const { name, has, program, later = [] } of subjects) {
    say(`size of ${name}`);
    const { size: first, lazy } = await weigh(program, { external: [] });
    const more = lazy.filter((chunk) => later.includes(chunk.name)).reduce((sum, chunk) => sum + chunk.size, 0);
    rows.push([name, `${((first + more) / 1000).toFixed(1)} kB`, has]);
  }
  const text = `Bundled by esbuild, minified, gzipped, dependencies included; what \`npm run size\` says of each entry point.

${table(['', 'min+gzip', 'what it has'], rows)}`;
  return { title: 'Size', text };
};
