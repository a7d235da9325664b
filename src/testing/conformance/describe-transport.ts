import { createBench } from './bench.js';
import type { ConformanceBackend, ConformanceOptions } from './options.js';
import type { Scenario } from './scenario.js';
import { access } from './scenarios/access.js';
import { away } from './scenarios/away.js';
import { closing } from './scenarios/closing.js';
import { contract } from './scenarios/contract.js';
import { edits } from './scenarios/edits.js';
import { limits } from './scenarios/limits.js';
import { live } from './scenarios/live.js';
import { network } from './scenarios/network.js';
import { refusals } from './scenarios/refusals.js';

/** The functions of a test runner: those of vitest, `node:test`, and any that look like them. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: (name: string, options: { readonly timeout: number }, body: () => Promise<void>) => unknown;
}

/** One test of the suite, for whoever runs it without a test runner. */
export interface TransportScenario {
  readonly name: string;
  /** The law that a failure breaks. */
  readonly law: number;
  /** Why it is not for this transport; undefined: it is. */
  readonly leftOut: string | undefined;
  /** Rejects with what went wrong. */
  run(): Promise<void>;
}

const groups: Readonly<Record<string, readonly Scenario[]>> = {
  'the interface': contract,
  'live events': live,
  'while away': away,
  'local edits': edits,
  'refused edits': refusals,
  'the network': network,
  limits,
  'tokens and rights': access,
  close: closing,
};

async function runScenario<B extends ConformanceBackend>(
  scenario: Scenario,
  options: ConformanceOptions<B>,
): Promise<void> {
  const bench = await createBench(options);
  try {
    await scenario.run(bench as never);
    await bench.finish();
  } catch (error) {
    const causes = [...new Set(bench.causes())].slice(-5);
    if (error instanceof Error && causes.length > 0) error.message += `\n${causes.join('\n')}`;
    throw error;
  } finally {
    await bench.release();
    await bench.backend.close();
  }
}

/** A known gap fails for a reason that was given. Once it works, the list must say so. */
async function expectGap(name: string, run: () => Promise<void>): Promise<void> {
  const failed = await run().then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error(`"${name}" works now: take it off knownGaps.`);
}

/**
 * Every scenario of the suite for one transport, as functions.
 *
 * @throws Error if `knownGaps` names a scenario that there is not, or that is left out.
 * @example
 * for (const { name, leftOut, run } of transportScenarios(options)) if (!leftOut) await run();
 */
export function transportScenarios<B extends ConformanceBackend>(options: ConformanceOptions<B>): TransportScenario[] {
  const gaps = options.knownGaps ?? {};
  const scenarios = Object.values(groups)
    .flat()
    .map((scenario): TransportScenario => {
      const { name, law } = scenario;
      const run = (): Promise<void> => runScenario(scenario, options);
      return {
        name,
        law,
        leftOut: scenario.leftOut?.(options as unknown as ConformanceOptions),
        run: name in gaps ? () => expectGap(name, run) : run,
      };
    });
  for (const gap of Object.keys(gaps))
    if (!scenarios.some(({ name, leftOut }) => name === gap && leftOut === undefined))
      throw new Error(
        `knownGaps names "${gap}", which is no scenario for this transport. Its scenarios are listed by transportScenarios().`,
      );
  return scenarios;
}

/**
 * Registers the conformance suite for a transport with a test runner: the laws that SyncLayer promises, as scenarios, over
 * the real transport and a real backend. Which ones run depends on `capabilities` alone. Returns those that were left
 * out, with the reason.
 *
 * @example
 * import { describe, test } from 'node:test'; // or 'vitest'
 * describeTransport({ describe, test }, {
 *   name: 'mine',
 *   capabilities: { push: true, deletes: 'tombstones', cursor: 'sequence', reconnect: 'core', filters: false },
 *   backend: startMyBackend, // a ConformanceBackend: write, delete, read, cut, hang, restart, close
 *   create: ({ url }) => myTransport({ url }),
 * });
 */
export function describeTransport<B extends ConformanceBackend>(
  { describe, test }: TestRunner,
  options: ConformanceOptions<B>,
): { readonly leftOut: readonly { readonly name: string; readonly why: string }[] } {
  const scenarios = new Map(transportScenarios(options).map((scenario) => [scenario.name, scenario]));
  describe(`${options.name}: conformance`, () => {
    for (const [group, members] of Object.entries(groups)) {
      const mine = members
        .flatMap(({ name }) => scenarios.get(name) ?? [])
        .filter(({ leftOut }) => leftOut === undefined);
      if (mine.length === 0) continue;
      describe(group, () => {
        for (const { name, law, run } of mine) {
          const gap = options.knownGaps?.[name];
          const title = `${name} (law ${law})${gap === undefined ? '' : `, a known gap: ${gap}`}`;
          test(title, { timeout: options.timeout ?? 60_000 }, run);
        }
      });
    }
  });
  return {
    leftOut: [...scenarios.values()].flatMap(({ name, leftOut: why }) => (why === undefined ? [] : [{ name, why }])),
  };
}
