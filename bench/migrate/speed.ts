/**
 * How fast a backfill is, beside what the slower side takes in bulk: its transport's own pushes of the same rows, one after the
 * other, and for Firestore its SDK's own batches. Each in the same run. Run with `npm run bench:migrate [-- rows]`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createMigration } from '../../src/migrate/index.js';
import { createPeerProcess } from '../../src/testing/index.js';
import { resolveTransport } from '../../src/transport/registry.js';
import type { OutgoingChange } from '../../src/transport/transport.js';
import { firestorePlace } from '../../test/peers/migrate/places.js';

const many = Number(process.argv[2] ?? 20_000);
/** The emulator takes some hundred rows a second. */
const few = Math.min(many, 2000);
const folder = mkdtempSync(join(tmpdir(), 'synclayer-speed-'));
const { signal } = new AbortController();
const serverFile = fileURLToPath(new URL('../../test/peers/websocket/server-process.ts', import.meta.url));

type Named = { readonly type: string };

const rowOf = (index: number) => ({
  id: `own${index}`,
  owner: 'seed',
  text: `Row ${index}`,
  n: index,
  price: `${index}.50`,
  done: index % 2 === 0,
  meta: { i: index, list: [index, null, 'x'] },
  note: null,
});

const insert = (collection: string, index: number): OutgoingChange => ({
  type: 'insert',
  collection,
  recordId: `own${index}`,
  opId: crypto.randomUUID(),
  data: rowOf(index),
  base: null,
  baseVersion: null,
  timestamp: Date.now(),
});

const perSecond = (since: number, rows: number): number => Math.round((rows / (performance.now() - since)) * 1000);

/** Rows a second that a transport takes, 500 in a push. */
async function ownPushes(config: Named, collection: string, rows: number): Promise<number> {
  const transport = await resolveTransport(config);
  await transport.connect({ signal });
  const since = performance.now();
  for (let from = 0; from < rows; from += 500) {
    const changes = Array.from({ length: Math.min(500, rows - from) }, (_, index) => insert(collection, from + index));
    const bad = (await transport.push(changes, { signal })).find(({ type }) => type !== 'applied');
    if (bad) throw new Error(`A push came to ${bad.type}.`);
  }
  const speed = perSecond(since, rows);
  await transport.close();
  return speed;
}

/** Rows a second that Firestore's SDK takes, 500 in a batch. */
async function ownBatches(
  { emulator }: Named & { readonly emulator?: string },
  rows: number,
  projectId = 'batches',
): Promise<number> {
  const [{ initializeApp }, sdk] = [await import('firebase/app'), await import('firebase/firestore')];
  const db = sdk.getFirestore(initializeApp({ projectId }, projectId));
  const [host = '', port] = emulator?.split(':') ?? [];
  sdk.connectFirestoreEmulator(db, host, Number(port));
  const since = performance.now();
  for (let from = 0; from < rows; from += 500) {
    const batch = sdk.writeBatch(db);
    for (let index = from; index < Math.min(rows, from + 500); index += 1)
      batch.set(sdk.doc(db, 'todos', `own${index}`), { ...rowOf(index), updatedAt: sdk.serverTimestamp() });
    await batch.commit();
  }
  const speed = perSecond(since, rows);
  await sdk.terminate(db);
  return speed;
}

async function backfill(name: string, from: Named, to: Named, rows: number): Promise<number> {
  const migration = createMigration({
    from: { transport: await resolveTransport(from) },
    to: { transport: await resolveTransport(to) },
    collections: ['todos'],
    stateFile: join(folder, `${name}.db`),
  });
  const since = performance.now();
  await migration.backfill();
  const speed = perSecond(since, rows);
  if (!(await migration.verify()).equal) throw new Error(`${name}: there are differences.`);
  await migration.close();
  return speed;
}

const say = (name: string, speed: number, beside: Readonly<Record<string, number>>): void =>
  console.log(
    `${name}: ${speed} rows/s; ${Object.entries(beside)
      .map(([what, own]) => `${what} ${own} rows/s, ratio ${(speed / own).toFixed(2)}`)
      .join('; ')}`,
  );

async function server(name: string) {
  const { port, close } = await createPeerProcess({
    command: process.execPath,
    args: (at) => ['--import', 'tsx', serverFile, join(folder, `${name}.server.db`), String(at)],
    ready: /^ws:.*:(\d+)\/ws$/m,
  });
  return { config: { type: 'websocket', url: `ws://127.0.0.1:${port}/ws` }, close };
}

/** In a process of its own, as the others are. */
async function supabaseProcess() {
  const file = fileURLToPath(new URL('supabase-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  return {
    config: JSON.parse(String(line)) as Named,
    async close() {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
    },
  };
}

const places = [];
try {
  const [supabase, firestore] = [await supabaseProcess(), await firestorePlace()];
  const [one, two] = [await server('one'), await server('two')];
  places.push(supabase, firestore, one, two);
  const configs = { supabase: supabase.config, firestore: firestore.config.transport as Named };
  const [small, large] = [await server('small'), one];
  places.push(small);
  await ownPushes(large.config, 'todos', many);
  await ownPushes(small.config, 'todos', few);
  const sockets = await ownPushes(two.config, 'notes', many);
  say('WebSocket to WebSocket', await backfill('sockets', large.config, two.config, many), {
    'its own pushes': sockets,
  });
  const table = await ownPushes(configs.supabase, 'notes', many);
  say('WebSocket to Supabase', await backfill('table', large.config, configs.supabase, many), {
    "Supabase's own pushes": table,
  });
  // A Java that has just started is ten times slower.
  await ownBatches(configs.firestore, few, 'warm');
  const documents = await ownPushes(configs.firestore, 'notes', few);
  const batches = await ownBatches(configs.firestore, few);
  say('WebSocket to Firestore', await backfill('documents', small.config, configs.firestore, few), {
    "Firestore's own pushes": documents,
    "its SDK's batches": batches,
  });
} finally {
  for (const place of places) await place.close();
  rmSync(folder, { recursive: true });
}
