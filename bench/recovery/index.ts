import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { websocketTransport } from '../../adapters/websocket/index.js';
import { createSyncLayer } from '../../src/index.js';
import { asWritten, type Bench, median, ratio, thousands } from '../section.js';

/** As SyncLayer asks. */
const PAGE = 500;

/** The pages themselves: asked for one after the other, parsed, and put into a Map. */
async function fetchPages(url: string, since: number): Promise<number> {
  const start = performance.now();
  const socket = new WebSocket(url);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  const rows = new Map<string, unknown>();
  const ask = (from: number): void =>
    socket.send(
      JSON.stringify({
        type: 'subscribe',
        collection: 'todos',
        metadata: { requestId: `${from}`, since: from, limit: PAGE },
      }),
    );
  await new Promise<void>((resolve) => {
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as {
        type: string;
        data: { records: { id: string; data: unknown }[] };
        metadata: { seq: number };
      };
      if (message.type !== 'sync') return;
      for (const { id, data } of message.data.records) rows.set(id, data);
      if (message.data.records.length === 0) resolve();
      else ask(message.metadata.seq);
    });
    ask(since);
  });
  const took = performance.now() - start;
  socket.close();
  return took;
}

/** A client that comes back, and what it missed. */
export const recovery: Bench = async ({ quick, say }) => {
  const [size, missed, rounds] = quick ? [5000, 500, 3] : [100_000, 10_000, 7];
  const host = fork(join(import.meta.dirname, 'host.ts'), [String(size)], { execArgv: [...asWritten] });
  const [{ url }] = (await once(host, 'message')) as [{ url: string }];
  const sync = await createSyncLayer({ transport: websocketTransport({ url }), collections: ['todos'] });
  const live = async (): Promise<unknown> =>
    sync.status.phase === 'live' || sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  await live();
  const times = { ours: [] as number[], bare: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    say(`recovery, round ${round + 1} of ${rounds}`);
    await sync.pause();
    host.send({ change: missed });
    const [{ first, count }] = (await once(host, 'message')) as [{ first: number; count: number }];
    const seq = first - 1;
    // The first to ask pays for what the server then has ready.
    await fetchPages(url, seq);
    const bare = async (): Promise<unknown> => times.bare.push(await fetchPages(url, seq));
    if (round % 2 === 0) await bare();
    const start = performance.now();
    sync.resume();
    await live();
    times.ours.push(performance.now() - start);
    if (round % 2 === 1) await bare();
    const [newest] = await sync.collection<{ updatedAt: number }>('todos').orderBy('updatedAt', 'desc').limit(1).get();
    if (newest?.updatedAt !== count) throw new Error(`It is not consistent: ${newest?.updatedAt}, not ${count}.`);
  }
  await sync.close();
  host.disconnect();
  const [ours, bare] = [median(times.ours), median(times.bare)];
  const text = `A client with ${thousands(size)} rows is away while ${thousands(missed)} of them change. From its return until it is consistent and live:
${ours.toFixed(0)} ms. The same pages asked for, parsed and put into a Map: ${bare.toFixed(0)} ms. **${ratio(ours / bare)}**, median of ${rounds}.`;
  return { title: 'Recovery', text };
};
