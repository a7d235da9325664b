import { defineCommand } from 'citty';
import { SyncLayerError } from '../../base/errors.js';
import type { RunOptions } from './open.js';
import { textOf } from './print.js';
import { createProgress } from './progress.js';
import { exitCodes, run, type Stop } from './run.js';

const text = (description: string, valueHint: string) => ({ type: 'string', description, valueHint }) as const;
const flag = (description: string) => ({ type: 'boolean', description }) as const;

const args = {
  from: { ...text('The configuration of the backend that is used now', 'file'), required: true },
  to: { ...text('The configuration of the one to move to', 'file'), required: true },
  state: { ...text('What is remembered between runs; holds the rows', 'file'), default: 'migrate.db' },
  collections: text('Only these, with commas. Default: those of --from', 'names'),
  'dry-run': flag('Only the plan. Nothing is written'),
  verify: flag('Only compare both sides. Writes nothing, unless --repair is given, too'),
  follow: flag('Go on carrying live changes over, until Ctrl-C'),
  'cut-over': flag('Copy, follow, and move the clients to --to. Needs --flag'),
  reverse: flag('After the cut-over: carry changes back, until Ctrl-C, so that going back loses nothing'),
  'go-back': flag('Move the clients back to --from. Needs --flag'),
  repair: flag('Where the comparison finds missing or different rows, write them once more'),
  'allow-deletes': flag('Many rows vanished from the source, and shall be deleted at the target, too'),
  flag: text('Where clients read the phase: a .json file to be written, or a module with write(phase)', 'file'),
  grace: text('ms from "hold" until no client writes any more. Default 30000', 'ms'),
  quiet: text('ms without a change before the last comparison. Default 10000', 'ms'),
  'max-hold': text('ms that clients are held at most. Default 300000', 'ms'),
  accept: text('Fields that may be lost, as todos.price, with commas', 'fields'),
  rate: text('Most rows written in a second. Default: no limit', 'rows'),
  page: text('Rows read at a time. Default 1000', 'rows'),
  'give-up': text('ms that a backend may be out of reach. Default 600000; for --dry-run 30000', 'ms'),
  report: text('Write a page about it. Default: none', 'file.html'),
  json: flag('Print the report as JSON on stdout'),
} as const;

const list = (value: string | undefined): string[] | undefined =>
  value
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function number(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const result = Number(value);
  if (value.trim() === '' || !(result >= 0))
    throw new SyncLayerError('CONFIG_INVALID', `--${name} must be a number, not "${value}".`);
  return result;
}

const steps = {
  'dry-run': 'plan',
  verify: 'verify',
  follow: 'follow',
  'cut-over': 'cut-over',
  reverse: 'reverse',
  'go-back': 'go-back',
} as const;

/** The one step that was asked for. */
function stepOf(given: { readonly [step in keyof typeof steps]?: boolean | undefined }): RunOptions['step'] {
  const chosen = (Object.keys(steps) as (keyof typeof steps)[]).filter((name) => given[name]);
  if (chosen.length > 1) {
    const flags = chosen.map((name) => `--${name}`).join(' and ');
    throw new SyncLayerError('CONFIG_INVALID', `${flags} cannot go together.`);
  }
  return chosen[0] ? steps[chosen[0]] : 'copy';
}

/** Ctrl-C and SIGTERM. */
function listenForStop(tell: (line: string) => void): Stop & { end(): void } {
  const controller = new AbortController();
  let waiting = false;
  let asked: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const onSignal = (): void => {
    if (waiting) {
      waiting = false;
      tell('Stopping: what has changed is carried over, and compared. Once more ends it at once.');
      asked();
    } else controller.abort(new SyncLayerError('CLOSED', 'Stopped.'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    asked: first,
    signal: controller.signal,
    await() {
      waiting = true;
      tell('Following. Ctrl-C ends it.');
    },
    end() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/** `npx synclayer migrate`. */
export default defineCommand({
  meta: {
    name: 'migrate',
    description:
      'Move data from one backend to another while both are used. Exit code 0: equal; 1: not; 2: wrong configuration; 3: a backend failed; 130: stopped',
  },
  args,
  async run({ args: given }) {
    const options: RunOptions = {
      from: given.from,
      to: given.to,
      state: given.state,
      collections: list(given.collections),
      accept: list(given.accept) ?? [],
      rate: number('rate', given.rate),
      page: number('page', given.page),
      flag: given.flag,
      grace: number('grace', given.grace),
      quiet: number('quiet', given.quiet),
      maxHold: number('max-hold', given['max-hold']),
      giveUp: number('give-up', given['give-up']),
      step: stepOf(given),
      repair: given.repair ?? false,
      allowDeletes: given['allow-deletes'] ?? false,
      report: given.report,
    };
    const progress = createProgress(process.stderr);
    const stop = listenForStop(progress.line);
    try {
      const report = await run(options, progress, stop);
      progress.end();
      if (given.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      else process.stdout.write(`${textOf(report)}\n`);
      if (report.error !== undefined) process.stderr.write(`${report.error}\n`);
      process.exitCode = exitCodes[report.outcome];
    } finally {
      progress.end();
      stop.end();
    }
  },
});
