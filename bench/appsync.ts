/**
 * An outage, and how long after the server's return an app holds all rows again: SyncLayer beside Amplify's own subscriptions, on
 * the same server in one run. Run with `npm run bench:appsync`; it takes about six minutes.
 */
import { Amplify } from 'aws-amplify';
import { generateClient } from 'aws-amplify/api';
import { appsyncTransport } from '../adapters/appsync/index.js';
import { createSyncLayer } from '../src/index.js';
import { startAppsyncProcess } from '../test/peers/appsync/start-process.js';

const OUTAGES = (process.env.OUTAGES ?? '2,15,65').split(',').map(Number);
/** How long after the return of the server rows are written, at most, seconds. */
const PATIENCE = 90;
/** Between two rows, ms. */
const PACE = 500;
const KEY = 'da2-of-this-bench';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// Amplify makes `wss` of any address; the server is on this machine, without a certificate.
const Platform = globalThis.WebSocket;
globalThis.WebSocket = class extends Platform {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(String(url).replace('wss://127.0.0.1', 'ws://127.0.0.1'), protocols);
  }
};

const peer = await startAppsyncProcess({
  models: [{ name: 'Todo', fields: { text: 'String' }, versioned: true }],
  auth: { apiKey: KEY },
});

const sync = await createSyncLayer({
  transport: appsyncTransport({
    url: peer.endpoint,
    auth: { type: 'apiKey', apiKey: KEY },
    collections: { todos: { table: 'Todo', fields: ['text'], versioned: true } },
  }),
  collections: ['todos'],
  websocketReconnectDelay: 1000,
  maxReconnectDelay: 1000,
});
const held = new Set<string>();
sync.collection('todos').watch((rows) => {
  for (const { id } of rows) held.add(String(id));
});

Amplify.configure({ API: { GraphQL: { endpoint: peer.endpoint, apiKey: KEY, defaultAuthMode: 'apiKey' } } });
const heard = new Set<string>();
let amplifyErrors = 0;
const events = generateClient().graphql({
  query: 'subscription { onCreateTodo { id text createdAt updatedAt _version _deleted _lastChangedAt } }',
}) as unknown as {
  subscribe(observer: object): { unsubscribe(): void };
};
const amplify = events.subscribe({
  next: ({ data }: { data: { onCreateTodo: { id: string } } }) => heard.add(data.onCreateTodo.id),
  error: () => {
    amplifyErrors += 1;
  },
});

let written = 0;
async function write(): Promise<string> {
  written += 1;
  const id = `row ${written}`;
  await peer.write('Todo', id, { text: 'x' });
  return id;
}

async function bothHear(): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const id = await write();
    await sleep(200);
    if (held.has(id) && heard.has(id)) return;
  }
  throw new Error('The two are not both live before the outage.');
}

const seconds = (ms: number | undefined): string =>
  ms === undefined ? `not within ${PATIENCE} s` : `${(ms / 1000).toFixed(2)} s`;

const lines: string[] = [];
try {
  for (const outage of OUTAGES) {
    await bothHear();
    const first = written;
    await peer.kill();
    await sleep(outage * 1000);
    await peer.start();
    const back = performance.now();
    const ids: string[] = [];
    let ours: number | undefined;
    let theirs: number | undefined;
    // The moment of each is looked for ten times as often as a row is written.
    const watch = (): number => performance.now() - back;
    while (watch() < PATIENCE * 1000 && (ours === undefined || theirs === undefined || watch() < 5000)) {
      ids.push(await write());
      for (let look = 0; look < 10; look++) {
        await sleep(PACE / 10);
        const now = watch();
        // All that was written by then, from the first row on.
        if (ours === undefined && ids.every((id) => held.has(id))) ours = now;
        if (theirs === undefined && ids.some((id) => heard.has(id))) theirs = now;
      }
    }
    await sleep(500);
    const lost = (seen: ReadonlySet<string>): number => ids.filter((id) => !seen.has(id)).length;
    lines.push(
      `${String(outage).padStart(6)} s   SyncLayer ${seconds(ours).padStart(16)}, ${lost(held)} of ${ids.length} rows lost` +
        `   Amplify ${seconds(theirs).padStart(16)}, ${lost(heard)} of ${ids.length} rows lost`,
    );
    console.log(lines.at(-1));
    if (lost(held) > 0) throw new Error(`SyncLayer lost rows after row ${first}.`);
  }
} finally {
  amplify.unsubscribe();
  await sync.close();
  await peer.close();
}
console.log(`\nOutage, and the time from the server's return to an app that hears again
${lines.join('\n')}
Amplify told its subscriber of ${amplifyErrors} errors.`);
// A timer of Amplify's would keep the process for a while.
process.exit(0);
