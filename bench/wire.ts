import { createClient } from '@supabase/supabase-js';
import { supabaseTransport } from '../adapters/supabase/index.js';
import { placeOf, setupSql } from '../adapters/supabase/tools/setup.js';
import { websocketTransport } from '../adapters/websocket/index.js';
import { createSyncLayer, type RealtimeTransport } from '../src/index.js';
import { createSyncServer } from '../src/server/index.js';
import { startSupabasePeer } from '../test/peers/supabase/index.js';
import { type Bench, median, ratio, table } from './section.js';

const ROWS = 1000;
const BURST = 100;

/** Hands frames to whoever listens on a socket, as if they had come over it. */
interface Receiver {
  /** A frame that changes a row; `count` is what the app sees of it. */
  frame(count: number): string;
  /** Resolves when the app has been told of this count. */
  told(count: number): Promise<void>;
  readonly socket: WebSocket;
  close(): Promise<unknown>;
}

/** The platform's WebSocket, and the last one made. */
function tap() {
  const made: WebSocket[] = [];
  const frames: string[] = [];
  class Tapped extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      made.push(this);
      this.addEventListener('message', ({ data }) => void frames.push(String(data)));
    }
  }
  return { Tapped, frames, socket: (): WebSocket => made.at(-1) as WebSocket };
}

function waiter() {
  let wanted: unknown;
  let resolve = (): void => undefined;
  return {
    saw: (count: unknown): void => void (count === wanted && resolve()),
    told: (count: number): Promise<void> =>
      new Promise((done) => {
        wanted = count;
        resolve = done;
      }),
  };
}

async function watched(transport: RealtimeTransport, saw: (count: unknown) => void) {
  const sync = await createSyncLayer({ transport, collections: ['todos'] });
  sync
    .collection<{ count: number }>('todos')
    .orderBy('count', 'desc')
    .limit(50)
    .watch(([row]) => saw(row?.count));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  return sync;
}

/** A frame as the server sent it, and the same with other contents. */
async function template(
  frames: readonly string[],
  cause: () => unknown,
  is: (frame: string) => boolean,
): Promise<string> {
  await cause();
  for (;;) {
    const found = frames.find(is);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function websocket(): Promise<{ ours: Receiver; close(): Promise<unknown> }> {
  const server = await createSyncServer({ collections: ['todos'] });
  const todos = server.collection('todos');
  for (let index = 0; index < ROWS; index++)
    todos.save(`row-${index}`, { text: `Task ${index}`, done: false, count: 0 });
  const { Tapped, frames, socket } = tap();
  const { saw, told } = waiter();
  const sync = await watched(websocketTransport({ url: server.url, WebSocket: Tapped }), saw);
  const sent = await template(
    frames,
    () => todos.save('row-0', { text: 'Task 0', done: false, count: 1 }),
    (frame) => frame.includes('"update"'),
  );
  const base = JSON.parse(sent) as { data: object; metadata: { seq: number } };
  const frame = (count: number): string => {
    const [recordId, seq] = [`row-${count % ROWS}`, base.metadata.seq + count - 1];
    return JSON.stringify({
      ...base,
      recordId,
      data: { ...base.data, count },
      metadata: { ...base.metadata, seq, version: seq },
    });
  };
  return { ours: { frame, told, socket: socket(), close: () => sync.close() }, close: () => server.close() };
}

async function supabase(): Promise<{ ours: Receiver; bare: Receiver; close(): Promise<unknown> }> {
  const peer = await startSupabasePeer({
    schema: `create table todos (id text primary key, count int not null default 0, text text, done boolean);
      ${setupSql([placeOf('todos')], 'postgres_changes')}
      grant all on todos to anon;
      insert into todos (id, text, done) select 'row-' || n, 'Task ' || n, false from generate_series(0, ${ROWS - 1}) n`,
  });
  const mine = tap();
  const my = waiter();
  const sync = await watched(supabaseTransport({ url: peer.url, key: peer.anonKey, WebSocket: mine.Tapped }), my.saw);
  const theirs = tap();
  const their = waiter();
  const client = createClient(peer.url, peer.anonKey, { realtime: { transport: theirs.Tapped } });
  await new Promise<void>((live) => {
    client
      .channel('bench')
      .on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ new: row }) =>
        their.saw((row as { count?: number }).count),
      )
      .on('system', {}, ({ extension }: { extension?: string }) => extension === 'postgres_changes' && live())
      .subscribe();
  });
  const change = (): Promise<unknown> => peer.sql("update todos set count = 1 where id = 'row-0'");
  const receiver = async (from: ReturnType<typeof tap>, told: Receiver['told'], close: Receiver['close']) => {
    const sent = await template(from.frames, change, (frame) => frame.includes('"UPDATE"'));
    const base = JSON.parse(sent) as [null, null, string, string, { data: { record: object } }];
    const [, , topic, event, payload] = base;
    const frame = (count: number): string => {
      const updated_at = new Date(Date.now() + 60_000 + count).toISOString();
      const record = { ...payload.data.record, id: `row-${count % ROWS}`, count, updated_at };
      return JSON.stringify([null, null, topic, event, { ...payload, data: { ...payload.data, record } }]);
    };
    return { frame, told, socket: from.socket(), close };
  };
  return {
    ours: await receiver(mine, my.told, () => sync.close()),
    bare: await receiver(theirs, their.told, () => client.removeAllChannels()),
    close: () => peer.close(),
  };
}

/** Microseconds a frame. `burst`: so many come before the app has a turn, as from one chunk of the network. */
async function deliver({ socket, frame, told }: Receiver, from: number, count: number, burst: number): Promise<number> {
  const events = Array.from(
    { length: count },
    (_, index) => new MessageEvent('message', { data: frame(from + index) }),
  );
  const start = performance.now();
  for (let first = 0; first < count; first += burst) {
    const last = Math.min(first + burst, count) - 1;
    const seen = told(from + last);
    for (const event of events.slice(first, last + 1)) socket.dispatchEvent(event);
    await seen;
  }
  return ((performance.now() - start) / count) * 1000;
}

function parse({ frame }: Receiver, from: number, count: number): number {
  const frames = Array.from({ length: count }, (_, index) => frame(from + index));
  let fields = 0;
  const start = performance.now();
  for (const text of frames) fields += Object.keys(JSON.parse(text) as object).length;
  return fields > 0 ? ((performance.now() - start) / count) * 1000 : 0;
}

/** What a frame costs on its way through an adapter, from the socket's event to the watcher. */
export const wire: Bench = async ({ quick, say }) => {
  const [count, rounds] = quick ? [500, 3] : [5000, 9];
  const rows: string[][] = [];
  for (const [name, start] of [
    ['WebSocket', websocket],
    ['Supabase', supabase],
  ] as const) {
    say(`frames of ${name}`);
    const { ours, close, ...more } = await start();
    const bare = 'bare' in more ? (more.bare as Receiver) : undefined;
    const times: Record<'parse' | 'bare' | 'one' | 'burst', number[]> = { parse: [], bare: [], one: [], burst: [] };
    let from = 2;
    const next = (): number => {
      from += count;
      return from;
    };
    for (let round = 0; round < rounds; round++) {
      times.parse.push(parse(ours, from, count));
      times.one.push(await deliver(ours, next(), count, 1));
      times.burst.push(await deliver(ours, next(), count, BURST));
      if (bare) times.bare.push(await deliver(bare, next(), count, 1));
    }
    await ours.close();
    await bare?.close();
    await close();
    const [floor, sdk, one, burst] = [times.parse, times.bare, times.one, times.burst].map(median) as [
      number,
      number,
      number,
      number,
    ];
    const us = (value: number): string => `${value.toFixed(1)} us`;
    rows.push([
      name,
      us(floor),
      bare ? us(sdk) : '',
      `${us(one)}, ${ratio(one / floor)}`,
      `${us(burst)}, ${ratio(burst / floor)}`,
      bare ? ratio(one / sdk) : '',
    ]);
  }
  const head = [
    '',
    '`JSON.parse`',
    "the SDK's callback",
    'watcher, one by one',
    `watcher, ${BURST} at a time`,
    'one by one to the SDK',
  ];
  const text = `From the socket's \`message\` event until the app is told, beside \`JSON.parse\` of the same frames. The watcher has a live
query (\`orderBy\`, \`limit 50\`) over ${ROWS} rows. Median of ${rounds} rounds of ${count} frames.

${table(head, rows)}`;
  return { title: 'Wire', text };
};
