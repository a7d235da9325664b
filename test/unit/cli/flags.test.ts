import { expect, test } from 'vitest';
import { flagProblem } from '../../../src/cli/flags.js';

const args = {
  backend: { type: 'positional' },
  state: { type: 'string', valueHint: 'file' },
  'dry-run': { type: 'boolean' },
} as const;

test.each([['supabase --dry-run --state a.db'], ['--state=a.db supabase'], ['--no-dry-run'], ['--state=a=b.db']])(
  '%s is as declared',
  (line) => {
    expect(flagProblem(line.split(' '), args)).toBeUndefined();
  },
);

test.each([
  ['--dryrun', '--dryrun is not an option; did you mean "--dry-run"?'],
  ['--dryRun', '--dryRun is not an option; did you mean "--dry-run"?'],
  ['-dry-run', '-dry-run is not an option; did you mean "--dry-run"?'],
  ['--zzz=1', '--zzz is not an option; known are --state, --dry-run'],
  ['--no-state', '--no-state is not an option; did you mean "--state"?'],
  ['--constructor', '--constructor is not an option; known are --state, --dry-run'],
  // The value of --state it would be, and the run a real one.
  ['--state --dry-run', '--state needs a value: --state <file>'],
  ['--state', '--state needs a value: --state <file>'],
  ['--state=', '--state needs a value: --state <file>'],
  ['--dry-run=no', '--dry-run takes no value.'],
  ['supabase dry-run', '"dry-run" is not expected here: an option begins with --.'],
])('%s is refused', (line, problem) => {
  expect(flagProblem(line.split(' '), args)).toBe(problem);
});
