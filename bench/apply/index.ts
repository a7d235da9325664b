import { type Bench, measured, median, megabytes, ratio, table, thousands } from '../section.js';
import type { ApplyFigures } from './measure.js';

const PEERS = ['rxdb', 'tanstack-db', 'tinybase'];
const NAMES: Readonly<Record<string, string>> = {
  synclayer: 'SyncLayer',
  rxdb: 'RxDB, memory storage',
  'tanstack-db': 'TanStack DB, indexed',
  tinybase: 'TinyBase',
  map: 'a plain Map',
};

type Figures = Readonly<Record<string, ApplyFigures>>;

const best = (figures: Figures, of: 'insert' | 'update'): number =>
  Math.max(...PEERS.map((peer) => figures[peer]?.[of] ?? 0));

/** First reads and single updates, at growing sizes. */
export const apply: Bench = async ({ quick, say }) => {
  const rounds = quick ? 1 : 3;
  const measure = async (subjects: readonly string[], size: number): Promise<Figures> => {
    const found = new Map<string, ApplyFigures[]>(subjects.map((name) => [name, []]));
    // Round by round, so that what else the machine does meets all of them.
    for (let round = 0; round < rounds; round++)
      for (const name of subjects) {
        say(`${NAMES[name]}, ${thousands(size)} rows, round ${round + 1} of ${rounds}`);
        found.get(name)?.push(await measured<ApplyFigures>('bench/apply/measure.ts', name, String(size)));
      }
    return Object.fromEntries(
      [...found].map(([name, all]) => {
        const [insert, heap] = [median(all.map((one) => one.insert)), median(all.map((one) => one.heap))];
        return [name, { insert, heap, ...(name !== 'map' && { update: median(all.map((one) => one.update ?? 0)) }) }];
      }),
    );
  };

  const everybody = ['map', 'synclayer', ...PEERS];
  const sizes = quick ? [10_000] : [10_000, 100_000];
  const parts: string[] = [];
  let ours: ApplyFigures | undefined;
  let smallest: ApplyFigures | undefined;
  for (const size of sizes) {
    const figures = await measure(everybody, size);
    ours = figures.synclayer;
    smallest ??= ours;
    const floor = figures.map;
    const rows = everybody.map((name) => {
      const { insert = 0, update, heap = 0 } = figures[name] ?? {};
      const told = update === undefined ? '' : thousands(update);
      return [NAMES[name] ?? name, thousands(insert), told, megabytes(heap)];
    });
    parts.push(`${thousands(size)} rows\n\n${table(['', 'rows/s', 'updates/s', 'heap'], rows)}`);
    if (!ours || !floor) continue;
    parts.push(
      `Against the best peer: rows ${ratio(ours.insert / best(figures, 'insert'))}, ` +
        `updates ${ratio((ours.update ?? 0) / best(figures, 'update'))}. ` +
        `Heap against the Map: ${ratio(ours.heap / floor.heap)}.`,
    );
  }
  if (!quick) {
    const { synclayer } = await measure(['synclayer'], 1_000_000);
    if (synclayer && smallest?.update && synclayer.update) {
      parts.push(
        `1,000,000 rows, SyncLayer alone: ${thousands(synclayer.insert)} rows/s, ${thousands(synclayer.update)} updates/s, ` +
          `heap ${megabytes(synclayer.heap)}. An update costs ${ratio(smallest.update / synclayer.update)} of one among 10,000 rows.`,
      );
    }
  }
  const text = `Pages of 1,000 rows through a transport into the memory store. Then up to 20,000 updates of random rows, one
at a time, each told to a live query (\`done == false\`, \`orderBy updatedAt desc\`, \`limit 50\`) before the next. Median of
${rounds}; each run in a process of its own, the subjects in turns. Heap: after the load, garbage collected.

${parts.join('\n\n')}`;
  return { title: 'Apply', text };
};
