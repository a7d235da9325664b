import { CHECK_EVERY, PAGE, RETRY_AFTER } from './device.js';
import type { Scenario } from './scenarios.js';
import type { Outcome } from './stage.js';

export interface ReportInput {
  readonly contenders: readonly { readonly name: string; readonly kind?: 'events' | 'resync' | 'webSocket' }[];
  /** One outcome per contender: the sum over all seeds, or why it was left out. */
  readonly results: readonly { readonly scenario: Scenario; readonly outcomes: readonly (Outcome | string)[] }[];
  readonly seeds: readonly number[];
  readonly versions: Readonly<Record<string, string>>;
}

const failed = (outcome: Outcome | string): boolean =>
  typeof outcome !== 'string' && outcome.lost + outcome.duplicate + outcome.regressed > 0;

function cell(outcome: Outcome | string): string {
  if (typeof outcome === 'string') return 'left out';
  return failed(outcome) ? `**${outcome.lost} / ${outcome.duplicate} / ${outcome.regressed}**` : '0 / 0 / 0';
}

function table({ contenders, results }: ReportInput): string {
  const head = ['fault', ...contenders.map(({ name }) => name)];
  const rows = results.map(({ scenario, outcomes }) => [scenario.name, ...outcomes.map(cell)]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, n) => text.padEnd(widths[n] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}

/** For each failure: what its documentation promises. One that nobody has explained yet says so. */
function explanations({ contenders, results }: ReportInput): string {
  const lines = results.flatMap(({ scenario, outcomes }) => {
    const names = new Map<string, string[]>();
    for (const [index, { name, kind }] of contenders.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined || (typeof outcome !== 'string' && !failed(outcome))) continue;
      const left = typeof outcome === 'string' ? `left out, ${outcome}.` : undefined;
      const why = left ?? (kind && scenario.why?.[kind]) ?? 'Not explained yet.';
      names.set(why, [...(names.get(why) ?? []), name]);
    }
    return [...names].map(([why, those]) => `- **${scenario.name}** (${those.join('; ')}): ${why}`);
  });
  return lines.length > 0 ? lines.join('\n') : 'Nothing failed.';
}

function requests({ contenders, results }: ReportInput): string {
  const [quiet] = results;
  const counts = contenders.map(({ name }, index) => {
    const outcome = quiet?.outcomes[index];
    return `${name} ${typeof outcome === 'object' ? outcome.requests : '-'}`;
  });
  return `Requests that the backend answered in "${quiet?.scenario.name}", all seeds together: ${counts.join('; ')}.`;
}

/** The run as a page. Every figure in it comes from `results`. */
export function report(input: ReportInput): { readonly table: string; readonly page: string } {
  const { seeds, versions } = input;
  const date = new Date().toISOString().slice(0, 10);
  const page = `# The same faults on SyncLayer and on RxDB

Made by \`npm run bench:faults\` on ${date}, with ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')};
seeds ${seeds.join(', ')}, added up. Do not edit: run it again.

Each cell is **lost / duplicate / regressed**, and should be 0 / 0 / 0:

- *lost*: records that are not on the device as in the backend, once all faults are over and it has had time to catch up
  (missing, older, or deleted there and still here), and edits of the device that are not in the backend;
- *duplicate*: events that told the app what it had just been told, and edits that were committed twice;
- *regressed*: events that took the app back to an older row.

${table(input)}

${requests(input)}

## Why

${explanations(input)}

## What was compared

One backend (\`backend.ts\`): 200 rows in memory, over WebSockets, behind a TCP proxy that cuts. Each contender has one of its
own, filled by the same seed. Faults are made in the backend and in the proxy, never in a client. Deletes leave tombstones
and checkpoints count commits, except where a fault says otherwise.

All of them: retry after ${RETRY_AFTER} ms, pages of ${PAGE} rows, data in memory, and one regular look at the backend every ${CHECK_EVERY} ms.
A device has ended when it is equal to the backend, when it is connected and six such looks have brought nothing, or after 20 s.

- **SyncLayer**: a custom transport of some 100 lines (\`synclayer-device.ts\`), as [docs/custom-transport.md](../../docs/custom-transport.md)
  shows it. The regular look is its audit (\`auditInterval\`, by default every 5 minutes: an event that is lost without a word
  is found that late). Its transport does not number its events, so that holes are not noticed before. The checkpoint of time
  steps back by 10 s, the default; the late commits here are late by 1 to 8 s. Later ones are found by the audit only.
- **RxDB, events**: \`replicateRxCollection\` as its [documentation](https://rxdb.info/replication.html) describes it: a stream of
  documents with their checkpoint, \`RESYNC\` each time that the stream begins. Better than the example there in three points: also
  the first time, and only once the backend has confirmed the subscription; and requests fail when the connection ends, so that
  RxDB repeats them. \`reSync()\` in an interval, as advised for backends without reliable events. Events that lack fields become
  \`RESYNC\`. A conflict handler keeps the newer write, where RxDB's default drops the device's. The push handler
  compares \`assumedMasterState\` with the row, and takes a repeated write for done.
- **RxDB, RESYNC only**: the same, but every event becomes \`RESYNC\`: the documented way for a backend that "is not able to provide a
  full pullStream$". Each event costs a pull then, and none is trusted.
- **RxDB WebSocket**: \`replicateWithWebsocketServer\`, its own client, against our backend speaking its protocol. Its times cannot be
  set: it waits 1 s and more before it connects again. The documentation says that it is made for server-to-server replication and
  "not made for client-server replication"; it is here because it is the client that RxDB itself ships for a socket.

## What this does not show

- Speed, stores on disk, several tabs, conflicts between two devices: in these faults nobody else writes the rows that a device edits.
- Timing is real: counts differ by a few between runs where events and cuts meet. What is 0 and what is not should stay.
- RxDB's other replications (GraphQL, CouchDB, Supabase, its server) were not tried.
- We wrote both sides. If a configuration does RxDB an injustice, please open an issue: \`rxdb-device.ts\` is some 150 lines.
`;
  return { table: table(input), page };
}
