/**
 * Writes the table of the link's states into docs/architecture.md, from the code. With `--check` it changes nothing, and fails where
 * the page says something else.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type LinkAction, linkTable } from '../src/sync/supervisor/link-table.js';

const PAGE = 'docs/architecture.md';
const begin = '<!-- The table is written by scripts/architecture.ts. -->';
const end = '<!-- End of the table. -->';

const meanings: { readonly [Action in Exclude<LinkAction, 'stay'>]: string } = {
  connect: 'a first attempt, if the app wants a link and may have one',
  retry: 'the next attempt; failures go on being counted',
  renew: 'an attempt with another token; failures are forgotten',
  renewAgain: 'the next attempt with another token',
  renewIfWanted: '`renew`, if the app wants a link and may have one',
  renewOrPoll: '`renew` in that case, else `poll`',
  poll: 'a read with another token, at once',
  pollAgain: 'the next read with another token',
  arrive: '`connected`: the collections subscribe and catch up',
  catchUp: 'every collection reads what it may have missed',
  fail: '`backing-off`, `needs-auth` after a second refusal of the token, or `failed` for what time does not mend',
  refuse: '`polling-refused` after a second refusal of the token',
  reset: 'failures and refusals are forgotten',
  leave: '`off`: the attempt is given up, the link closed',
  rest: '`off`',
  end: '`closed`',
};

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const events = Object.keys(linkTable.off);
const table = [
  row(['', ...events]),
  row(['---', ...events.map(() => '---')]),
  ...Object.entries(linkTable).map(([state, cells]) =>
    row([`**${state}**`, ...Object.values(cells).map((action) => (action === 'stay' ? '' : action))]),
  ),
  '',
  row(['action', 'what it leads to']),
  row(['---', '---']),
  ...Object.entries(meanings).map(([action, meaning]) => row([action, meaning])),
].join('\n');

const page = readFileSync(PAGE, 'utf8');
const [before, rest] = page.split(begin);
const after = rest?.split(end)[1];
if (before === undefined || after === undefined) throw new Error(`${PAGE} needs the lines "${begin}" and "${end}".`);
const written = `${before}${begin}\n\n${table}\n\n${end}${after}`;
if (written !== page) {
  if (process.argv.includes('--check')) {
    console.error(`${PAGE} shows another table than the code: run \`npm run docs\`.`);
    process.exit(1);
  }
  writeFileSync(PAGE, written);
}
