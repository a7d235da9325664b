/**
 * The same faults on SyncLayer and on RxDB's replication, against the same backend. Run with `npm run bench:faults`, with
 * `-- --seeds 5` for more. Prints a table, and writes it to bench/faults/RESULTS.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { seeded } from '../../test/seeded.js';
import { type Backend, startBackend } from './backend.js';
import type { Device } from './device.js';
import { report } from './report.js';
import { rxdbDevice, rxdbWebSocketDevice } from './rxdb-device.js';
import { type Scenario, scenarios } from './scenarios.js';
import { type Outcome, play } from './stage.js';
import { syncLayerDevice } from './synclayer-device.js';

interface Contender {
  readonly name: string;
  /** Which of RxDB's ways it is. */
  readonly kind?: 'events' | 'resync' | 'webSocket';
  open(backend: Backend, scenario: Scenario): Promise<Device>;
  /** Why a scenario is not for it. */
  skips?(scenario: Scenario): string | undefined;
}

const contenders: readonly Contender[] = [
  { name: 'SyncLayer', open: (backend, { options }) => syncLayerDevice(backend, options) },
  { name: 'RxDB, events', kind: 'events', open: (backend) => rxdbDevice(backend, 'events') },
  { name: 'RxDB, RESYNC only', kind: 'resync', open: (backend) => rxdbDevice(backend, 'resync') },
  { name: 'RxDB WebSocket', kind: 'webSocket', open: rxdbWebSocketDevice, skips: ({ notWebSocket }) => notWebSocket },
];

/** Seeds side by side: RxDB without its paid part opens 16 collections in a process, and there are three RxDBs. */
const AT_ONCE = 3;

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '3' }, only: { type: 'string' } } });
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);
const add = (a: Outcome, b: Outcome): Outcome => ({
  lost: a.lost + b.lost,
  duplicate: a.duplicate + b.duplicate,
  regressed: a.regressed + b.regressed,
  requests: a.requests + b.requests,
});

async function run(contender: Contender, scenario: Scenario): Promise<Outcome | string> {
  const skipped = contender.skips?.(scenario);
  if (skipped !== undefined) return skipped;
  const outcomes: Outcome[] = [];
  const once = async (seed: number): Promise<void> => {
    const backend = await startBackend(scenario.options);
    const outcome = await play(backend, () => contender.open(backend, scenario), seeded(seed), scenario.run);
    await backend.close();
    outcomes.push(outcome);
  };
  for (let from = 0; from < seeds.length; from += AT_ONCE)
    await Promise.all(seeds.slice(from, from + AT_ONCE).map(once));
  return outcomes.reduce(add);
}

// RxDB's WebSocket client writes to the console at each lost connection.
const { log } = console;
console.log = () => undefined;

const chosen = scenarios.filter(({ name }) => values.only === undefined || name.includes(values.only));
const results: { scenario: Scenario; outcomes: (Outcome | string)[] }[] = [];
for (const scenario of chosen) {
  // Side by side, each with a backend of its own: they do not see one another.
  const outcomes = await Promise.all(contenders.map((contender) => run(contender, scenario)));
  results.push({ scenario, outcomes });
  log(`${results.length} of ${chosen.length}: ${scenario.name}`);
}

const version = (name: string): string => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
const own = JSON.parse(readFileSync('package.json', 'utf8')).version as string;
const text = report({
  contenders,
  results,
  seeds,
  versions: { synclayer: own, rxdb: version('rxdb'), rxjs: version('rxjs'), ws: version('ws'), node: process.version },
});
log(`\n${text.table}`);
if (values.only === undefined) writeFileSync('bench/faults/RESULTS.md', text.page);
process.exit(0);
