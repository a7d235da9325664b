import { type Bench, median, ratio, table } from '../section.js';
import { appsync } from './appsync.js';
import { firestore } from './firestore.js';
import { hasura } from './hasura.js';
import { type Receiver, ROWS, type Stage } from './receiver.js';
import { supabase } from './supabase.js';
import { websocket } from './websocket.js';

const BURST = 100;

const stages: Readonly<Record<string, () => Promise<Stage>>> = {
  WebSocket: websocket,
  Supabase: supabase,
  Hasura: hasura,
  AppSync: appsync,
  Firestore: firestore,
};

/** CPU time, ms: an SDK may wait for a timer with each frame, and the machine may have other work. */
function clock(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Microseconds a frame. `burst`: so many come before the app has a turn, as from one chunk of the network. */
async function deliver({ frame, told }: Receiver, from: number, count: number, burst: number): Promise<number> {
  const frames = Array.from({ length: count }, (_, index) => frame(from + index));
  const start = clock();
  for (let first = 0; first < count; first += burst) {
    const last = Math.min(first + burst, count) - 1;
    const seen = told(from + last);
    for (const { arrive } of frames.slice(first, last + 1)) arrive();
    await seen;
  }
  return ((clock() - start) / count) * 1000;
}

function parse({ frame }: Receiver, from: number, count: number): number {
  const frames = Array.from({ length: count }, (_, index) => frame(from + index));
  const start = clock();
  for (const each of frames) each.parse();
  return ((clock() - start) / count) * 1000;
}

/** What a frame costs on its way through an adapter, from its arrival to the watcher. */
export const wire: Bench = async ({ quick, say }) => {
  const [most, rounds] = quick ? [500, 3] : [5000, 9];
  const rows: string[][] = [];
  // One adapter alone: `WIRE=Hasura`.
  for (const [name, start] of Object.entries(stages)) {
    if (!(process.env.WIRE ?? name).split(',').includes(name)) continue;
    say(`frames of ${name}`);
    const { ours, bare, slow, close } = await start();
    const count = slow ? most / 10 : most;
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
    'parsing alone',
    "the SDK's callback",
    'watcher, one by one',
    `watcher, ${BURST} at a time`,
    'one by one to the SDK',
  ];
  const text = `CPU time from a frame's arrival (the socket's \`message\` event, for Firestore the \`data\` of its gRPC stream) until the app is
told, beside parsing the same frames and doing nothing else (\`JSON.parse\`; Firestore's are protobuf) and beside the callback of the
backend's own SDK: supabase-js, graphql-ws, Amplify, \`onSnapshot\`. The watcher has a live query (\`orderBy\`, \`limit 50\`) over ${ROWS}
rows, which the SDK's callback has not. Median of ${rounds} rounds of ${most} frames, for Firestore of ${most / 10}.

${table(head, rows)}`;
  return { title: 'Wire', text };
};
