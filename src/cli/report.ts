import type { Check } from '../adapter-kit/doctor/tools.js';

const marks = { ok: '✓', problem: '✗', unknown: '?' } as const;

const indented = (text: string): string => text.replaceAll(/^/gm, '    ');

/** A check as it is printed: the mark, what was looked at, and below it what to do. */
export const lineOf = ({ what, state, fix }: Check): string =>
  `${marks[state]} ${what}${fix === undefined || state === 'ok' ? '' : `\n${indented(fix)}`}`;

/** The last line. */
export function summaryOf(checks: readonly Check[]): string {
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  const unknown = count('unknown') > 0 ? `, ${count('unknown')} could not be told` : '';
  return `${count('ok')} well, ${count('problem')} to put right${unknown}`;
}
