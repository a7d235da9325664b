/**
 * What an app downloads for each entry point, minified and gzipped, dependencies included. Counted are the entry chunk
 * and all that it imports statically; what is reached only by import() is loaded when it is used, so it has its own row.
 */
import { weigh } from './weigh.js';

interface Measure {
  /** Entry points, with what of them is used; everything, where nothing is named. */
  readonly imports: Readonly<Record<string, string>>;
  /** Weighed without what these bring: what an adapter adds. */
  readonly beyond?: Readonly<Record<string, string>>;
  /** What it loads by itself after the start, counted with it: names of chunks. */
  readonly parts?: readonly string[];
  /** In bytes. Above it the run fails. */
  readonly limit?: number;
}

const measures: readonly Measure[] = [
  // What an app has at the least.
  { imports: { synclayer: '{ createSyncLayer }', 'synclayer/websocket': '{ websocketTransport }' }, limit: 29_000 },
  // Once it is linked, and sends edits.
  {
    imports: { synclayer: '{ createSyncLayer }', 'synclayer/websocket': '{ websocketTransport }' },
    parts: ['work', 'live'],
    limit: 47_600,
  },
  { imports: { synclayer: '', 'synclayer/websocket': '' }, limit: 31_000 },
  { imports: { synclayer: '' } },
  { imports: { 'synclayer/websocket': '' } },
  {
    imports: { synclayer: '{ createSyncLayer }', 'synclayer/supabase': '{ supabaseTransport }' },
    beyond: { synclayer: '{ createSyncLayer }' },
    limit: 7500,
  },
  {
    imports: { synclayer: '{ createSyncLayer }', 'synclayer/firestore': '{ firestoreTransport }' },
    beyond: { synclayer: '{ createSyncLayer }' },
    limit: 8000,
  },
  {
    imports: { synclayer: '{ createSyncLayer }', 'synclayer/appsync': '{ appsyncTransport }' },
    beyond: { synclayer: '{ createSyncLayer }' },
    limit: 8500,
  },
  {
    imports: { synclayer: '{ createSyncLayer }', 'synclayer/hasura': '{ hasuraTransport }' },
    beyond: { synclayer: '{ createSyncLayer }' },
    limit: 6950,
  },
];

const exporting = (imports: Measure['imports']): string =>
  Object.entries(imports)
    .map(([name, used], index) => `export ${used || `* as entry${index}`} from '${name}';`)
    .join('\n');

const kB = (bytes: number): string => `${(bytes / 1000).toFixed(2)} kB`;
const row = (name: string, size: string, limit = '', verdict = ''): void =>
  console.log(`${name.padEnd(44)}${size.padStart(10)}${limit.padStart(12)}  ${verdict}`.trimEnd());

let failed = false;
row('min+gzip, dependencies included', 'size', 'limit');
for (const measure of measures) {
  const { size: all, lazy } = await weigh(exporting(measure.imports), { parts: measure.parts });
  const size = all - (measure.beyond ? (await weigh(exporting(measure.beyond))).size : 0);
  const over = measure.limit !== undefined && size > measure.limit;
  failed ||= over;
  const verdict = measure.limit === undefined ? '' : over ? `over by ${kB(size - measure.limit)}` : 'ok';
  const names = Object.entries(measure.imports).map(([name, used]) => used || name);
  const without = measure.beyond ? `, without ${Object.keys(measure.beyond).join(' + ')}` : '';
  const more = measure.parts ? `, with ${measure.parts.join(' and ')}` : '';
  row(names.join(' + ') + more + without, kB(size), measure.limit === undefined ? '' : kB(measure.limit), verdict);
  if (names.length > 1) for (const chunk of lazy) row(`  loaded when used: ${chunk.name}`, kB(chunk.size));
}
if (failed) process.exit(1);
