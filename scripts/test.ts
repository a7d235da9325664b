/** Runs every stage, also after one has failed, and ends with the line `N passed, N failed`. `npm test -- lint unit` runs only those. */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { findChromium } from '../test/browser/chromium.js';
import { whyNoEmulator } from '../test/peers/firestore/find-emulator.js';
import { whyNoPostgres } from '../test/peers/postgres/why-no-postgres.js';
import { isInstalled } from './installed.js';

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed and why, said once more at the end: of a long run only the end is read. */
  readonly why?: readonly string[];
}
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { status: string; fullName: string; failureMessages: readonly string[] }[];
  }[];
}
interface Stage {
  readonly name: string;
  run(): Outcome;
}

/** It ends what hangs; on a busy machine a stage takes many times as long as on an idle one. */
const STAGE_TIMEOUT_MS = 120 * 60_000;
const reports = mkdtempSync(join(tmpdir(), 'synclayer-test-'));

function succeeds(command: string, ...args: string[]): boolean {
  const { status, signal, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: STAGE_TIMEOUT_MS,
  });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  else if (signal !== null) console.error(`${command}: ended by ${signal}`);
  return status === 0;
}

const script = (name: string): Stage => ({
  name,
  run: () => (succeeds('npm', 'run', '--silent', name) ? one('passed') : one('failed')),
});

const one = (kind: 'passed' | 'failed' | 'skipped'): Outcome => ({ passed: 0, failed: 0, skipped: 0, [kind]: 1 });

const failuresOf = ({ testResults }: Report): string[] =>
  testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    const file = relative(process.cwd(), name);
    if (failed.length === 0) return message === '' ? [] : [`${file}: ${message}`];
    return failed.map((test) => `${file}: ${test.fullName}\n${test.failureMessages.join('\n').slice(0, 2000)}`);
  });

const inCI = process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false';

/** What some tests start, and why it does not run here. */
const backends = [
  {
    why: await whyNoPostgres(),
    fix: 'Run npm ci.',
    peers: 'postgres|supabase|supabase-adapter|hasura|hasura-adapter|hasura-tools|migrate-backends',
  },
  { why: whyNoEmulator(), fix: '', peers: 'firestore|firestore-adapter|firestore-tools|migrate-backends' },
];

/** The files of a suite that are left out since they start something that does not run here, and why. */
function leftOut(name: string): { readonly file: string; readonly why: string }[] {
  return backends.flatMap(({ why, fix, peers }) => {
    if (why === undefined) return [];
    const [own, used] = [`/peers/(${peers})/`, `from '.*/peers/(${peers})/`].map((text) => new RegExp(text));
    const starts = (file: string): boolean => own?.test(file) || used?.test(readFileSync(file, 'utf8')) || false;
    return globSync(`test/${name}/**/*.test.ts`)
      .filter((file) => starts(file.replaceAll('\\', '/')))
      .map((file) => ({ file, why: `${why}. ${fix}` }));
  });
}

const suite = (name: string, missing: readonly { readonly file: string; readonly why: string }[] = []): Stage => ({
  name,
  run: () => {
    const report = join(reports, `${name}.json`);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const left = [...leftOut(name), ...missing];
    for (const { file, why } of left) console.error(`${inCI ? 'FAILED' : 'SKIPPED'} ${file}: ${why}`);
    const excluded = left.flatMap(({ file }) => ['--exclude', file]);
    const ok = succeeds('vitest', 'run', '--project', name, ...reporters, ...excluded);
    let passed = 0;
    let failed = 0;
    let skipped = 0;
    let why: string[] = [];
    try {
      const result: Report = JSON.parse(readFileSync(report, 'utf8'));
      passed = result.numPassedTests;
      failed = result.numFailedTests;
      skipped = result.numPendingTests + result.numTodoTests;
      why = failuresOf(result);
    } catch {
      console.error(`${name}: vitest left no report`);
      failed = 1;
    }
    // A file that does not load and an unhandled rejection fail no single test, and a run of no test proves nothing.
    if (failed === 0 && (!ok || passed === 0)) failed = 1;
    return { passed, failed: failed + (inCI ? left.length : 0), skipped: skipped + (inCI ? 0 : left.length), why };
  },
});

const browserSuite = (name: string): Stage => ({
  name,
  run: () => {
    if (findChromium() !== undefined) return suite(name).run();
    console.error(
      `${inCI ? 'FAILED' : 'SKIPPED'} ${name}: no Chromium here. Install one (apt-get install chromium) or set CHROME_PATH.`,
    );
    return one(inCI ? 'failed' : 'skipped');
  },
});

/** AWS's simulator is not among this project's packages: CI installs it, elsewhere whoever asks for it. */
const simulatorSuite = (name: string): Stage => ({
  name,
  run: () => {
    if (!inCI && !isInstalled('simulator')) {
      console.error(`SKIPPED ${name}: AppSync's simulator is not installed. npm run test:${name} does it (65 MB).`);
      return one('skipped');
    }
    return succeeds('tsx', 'scripts/install.ts', 'simulator') ? suite(name).run() : one('failed');
  },
});

/** The bundlers are not among this project's packages either. They are small enough to be installed wherever npm can. */
const packageSuite = (name: string): Stage => ({
  name,
  run: () => {
    const installed = succeeds('tsx', 'scripts/install.ts', 'bundlers');
    const why =
      'the bundlers are not installed. Run npx tsx scripts/install.ts bundlers where npm can download them (110 MB).';
    return suite(name, installed ? [] : [{ file: 'test/package/bundlers.test.ts', why }]).run();
  },
});

const special: Readonly<Record<string, (name: string) => Stage>> = {
  browser: browserSuite,
  package: packageSuite,
  'appsync-simulator': simulatorSuite,
};

const order = ['unit', 'conformance', 'peers', 'faults', 'seed-guide', 'browser', 'package'];
const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
const suites = [...new Set(globSync('test/*/**/*.test.ts').map((file) => file.split(/[\\/]/)[1] ?? ''))]
  .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
  .map((name) => special[name]?.(name) ?? suite(name));
const stages: readonly Stage[] = [script('lint'), script('typecheck'), script('build'), script('size'), ...suites];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  console.error(`No stage ${unknown.join(', ')}. There are: ${stages.map(({ name }) => name).join(', ')}.`);
  process.exit(1);
}

console.log(`Node ${process.version}`);
const chosen = wanted.length === 0 ? stages : stages.filter(({ name }) => wanted.includes(name));
const results = chosen.map(({ name, run }) => {
  console.log(`\n=== ${name}`);
  const started = Date.now();
  const outcome = run();
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`=== ${name}: ${outcome.failed === 0 ? 'ok' : 'FAILED'} in ${seconds} s`);
  return { name, seconds, ...outcome };
});
rmSync(reports, { recursive: true });

console.log(
  `\n${'stage'.padEnd(16)}${'passed'.padStart(8)}${'failed'.padStart(8)}${'skipped'.padStart(9)}${'seconds'.padStart(9)}`,
);
for (const { name, passed, failed, skipped, seconds } of results)
  console.log(
    `${name.padEnd(16)}${String(passed).padStart(8)}${String(failed).padStart(8)}${String(skipped).padStart(9)}${seconds.padStart(9)}`,
  );
for (const { name, why = [] } of results) for (const failure of why) console.log(`\n${name}: ${failure}`);
const total = (kind: 'passed' | 'failed' | 'skipped'): number => results.reduce((sum, result) => sum + result[kind], 0);
const skipped = total('skipped') > 0 ? `, ${total('skipped')} skipped` : '';
console.log(`\n${total('passed')} passed, ${total('failed')} failed${skipped}`);
process.exitCode = total('failed') > 0 ? 1 : 0;
