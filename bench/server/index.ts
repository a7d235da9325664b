import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { createSyncServer, sqliteServerStore } from '../../src/server/index.js';
import { asWritten, type Bench, median, ratio, type Say, table, thousands } from '../section.js';

const NAMES: Readonly<Record<string, string>> = { synclayer: 'SyncLayer', ws: 'bare `ws`', 'socket.io': 'socket.io' };

/** A connection that counts what comes. */
interface Client {
  close(): void;
}

function connect(kind: string, port: number, onChange: () => void): Promise<Client> {
  if (kind === 'socket.io') {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
    socket.on('update', onChange);
    return new Promise((resolve) => socket.once('connect', () => resolve(socket)));
  }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  return new Promise((resolve) => {
    socket.on('message', (data) => {
      const { type } = JSON.parse(String(data)) as { type: string };
      if (type === 'subscribed') resolve(socket);
      else onChange();
    });
    socket.once('open', () => {
      if (kind === 'ws') resolve(socket);
      else socket.send(JSON.stringify({ type: 'subscribe', collection: 'todos' }));
    });
  });
}

interface Cost {
  /** CPU of the server for one change, ms. */
  readonly cpu: number;
  /** Bytes of the server's process for one connection. */
  readonly memory: number;
}

/** What one change costs a server with so many connections, and what those cost. */
async function fanOut(kind: string, sockets: number, changes: number): Promise<Cost> {
  const child = fork(join(import.meta.dirname, 'host.ts'), [kind], { execArgv: ['--expose-gc', ...asWritten] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const stats = async (): Promise<{ cpu: number; memory: number }> => {
    child.send({ stats: true });
    const [answer] = (await once(child, 'message')) as [{ cpu: number; memory: number }];
    return answer;
  };
  let [left, done] = [0, (): void => undefined];
  const onChange = (): void => {
    left -= 1;
    if (left === 0) done();
  };
  const send = (count: number): Promise<void> =>
    new Promise((resolve) => {
      [left, done] = [sockets, resolve];
      child.send({ send: count });
    });
  const empty = await stats();
  const clients: Client[] = [];
  // A few at a time: a listen queue is short.
  while (clients.length < sockets)
    clients.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(50, sockets - clients.length) }, () => connect(kind, port, onChange)),
      )),
    );
  const full = await stats();
  let count = 0;
  for (let warm = 0; warm < changes / 5; warm++) await send(++count);
  await stats();
  for (let change = 0; change < changes; change++) await send(++count);
  const { cpu } = await stats();
  for (const client of clients) client.close();
  child.disconnect();
  await once(child, 'exit');
  return { cpu: cpu / changes, memory: (full.memory - empty.memory) / sockets };
}

/** Durable writes per second: by the server, over one socket, and by the bare statement. */
async function writes(count: number): Promise<{ ours: number; bare: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-bench-'));
  const server = await createSyncServer({
    store: sqliteServerStore({ path: join(folder, 'server.db') }),
    collections: ['todos'],
  });
  const socket = new WebSocket(server.url);
  await once(socket, 'open');
  let [left, done] = [count, (): void => undefined];
  socket.on('message', (data) => {
    if ((JSON.parse(String(data)) as { type: string }).type !== 'ack') return;
    left -= 1;
    if (left === 0) done();
  });
  const start = performance.now();
  await new Promise<void>((resolve) => {
    done = resolve;
    for (let index = 0; index < count; index++) {
      const data = { text: `Task ${index}`, done: false };
      const metadata = { opId: `op-${index}`, baseVersion: null };
      socket.send(JSON.stringify({ type: 'insert', collection: 'todos', recordId: `row-${index}`, data, metadata }));
    }
  });
  const ours = count / ((performance.now() - start) / 1000);
  socket.close();
  await server.close();

  const database = new DatabaseSync(join(folder, 'bare.db'));
  database.exec(
    'pragma journal_mode = wal; pragma synchronous = full; create table rows (id text primary key, data text)',
  );
  const statement = database.prepare('insert into rows values (?, ?)');
  const begin = performance.now();
  for (let index = 0; index < count; index++)
    statement.run(`row-${index}`, JSON.stringify({ text: `Task ${index}`, done: false }));
  const bare = count / ((performance.now() - begin) / 1000);
  database.close();
  await rm(folder, { recursive: true });
  return { ours, bare };
}

async function compare(sockets: number, changes: number, rounds: number, say: Say): Promise<Record<string, Cost>> {
  const found: Record<string, Cost[]> = Object.fromEntries(Object.keys(NAMES).map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++)
    for (const kind of Object.keys(NAMES)) {
      say(`${NAMES[kind]}, ${thousands(sockets)} sockets, round ${round + 1} of ${rounds}`);
      found[kind]?.push(await fanOut(kind, sockets, changes));
    }
  return Object.fromEntries(
    Object.entries(found).map(([kind, costs]) => [
      kind,
      { cpu: median(costs.map(({ cpu }) => cpu)), memory: median(costs.map(({ memory }) => memory)) },
    ]),
  );
}

/** What a change costs a server, and how fast it stores them. */
export const server: Bench = async ({ quick, say }) => {
  const rounds = quick ? 1 : 3;
  const sizes: readonly (readonly [sockets: number, changes: number])[] = quick
    ? [[10, 50]]
    : [
        [1, 10_000],
        [100, 500],
        [2000, 50],
      ];
  const rows: string[][] = [];
  for (const [sockets, changes] of sizes) {
    const { synclayer, ws, 'socket.io': other } = await compare(sockets, changes, rounds, say);
    if (!synclayer || !ws || !other) continue;
    const cell = ({ cpu }: Cost): string => `${cpu.toFixed(3)} ms`;
    const memory = [synclayer, ws, other].map((cost) => `${(cost.memory / 1000).toFixed(0)} kB`).join(', ');
    const ratios = [ratio(ws.cpu / synclayer.cpu), ratio(other.cpu / synclayer.cpu)];
    rows.push([thousands(sockets), cell(synclayer), cell(ws), cell(other), ...ratios, sockets < 100 ? '' : memory]);
  }
  say('durable writes');
  const pairs = [];
  for (let round = 0; round < rounds; round++) pairs.push(await writes(quick ? 500 : 10_000));
  const [ours, bare] = [median(pairs.map((one) => one.ours)), median(pairs.map((one) => one.bare))];
  const head = [
    'sockets',
    'SyncLayer',
    'bare `ws`',
    'socket.io',
    'speed to `ws`',
    'speed to socket.io',
    'memory per socket',
  ];
  const text = `CPU time of the server's process for one change that goes to all, median of ${rounds}. Clients are in another process. SyncLayer's
server checks, numbers and stores the row before it sends; the other two turn it into text and send it.

${table(head, rows)}

Durable writes over one socket, each compared-and-set and acknowledged, with the SQLite store: ${thousands(ours)}/s. The bare statement
(\`insert\`, a commit each, \`synchronous = full\`): ${thousands(bare)}/s. **${ratio(ours / bare)}**: a commit takes what came meanwhile.`;
  return { title: 'Server', text };
};
