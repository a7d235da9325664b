/**
 * Runs the convergence tests with ever new seeds: `npm run soak -- --minutes 10 [--seed 1] [--scale 5] [--only memory]`.
 * Stops at the first failure, and says how to repeat it. The same seed gives the same plans.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { findChromium } from '../test/browser/chromium.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    /** How many times the plans of CI in one round. */
    scale: { type: 'string', default: '5' },
    /** A part of a test file's name. */
    only: { type: 'string', default: '' },
  },
});
const [minutes, first, scale] = [values.minutes, values.seed, values.scale].map(Number) as [number, number, number];
if (![minutes, first, scale].every(Number.isFinite)) throw new Error('--minutes, --seed and --scale take numbers.');

const files = [
  'memory',
  'failover',
  'failover-websocket',
  'mirror',
  'websocket',
  'mqtt',
  'supabase',
  'firestore',
  'appsync',
  'hasura',
].map((name) => `test/convergence/${name}.test.ts`);
if (findChromium() !== undefined) files.push('test/browser/indexeddb-convergence.test.ts');
const chosen = files.filter((file) => file.includes(values.only));
if (chosen.length === 0) throw new Error(`No file matches --only ${values.only}: ${files.join(', ')}`);

const startedAt = Date.now();
const passed = (): number => (Date.now() - startedAt) / 60_000;
let plans = 0;
let seed = first;
do {
  const { status, stdout, stderr } = spawnSync('vitest', ['run', ...chosen], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, NO_COLOR: '1', SYNCLAYER_SEED: String(seed), SYNCLAYER_SCALE: String(scale) },
  });
  if (status !== 0) {
    console.log(stdout, stderr);
    console.log(`FAILED with seed ${seed}, after ${plans} plans that went well. The command above repeats it alone;`);
    console.log(`npm run soak -- --minutes 0 --seed ${seed} --scale ${scale} repeats its round.`);
    process.exit(1);
  }
  for (const [, count] of stdout.matchAll(/seed -?\d+, (\d+) plans/g)) plans += Number(count);
  console.log(`${passed().toFixed(1)} of ${minutes} min: ${plans} plans, all went well (seed ${seed})`);
  seed += 1;
} while (passed() < minutes);
