import type { CutOverResult, Finding, MigrationPlan, Refusal, SwitchPhase, Verification } from './types.js';

/** All that a run of the command came to. */
export interface MoveReport {
  /** `equal`: both sides are. `stopped`: before anything was written, or all of it. */
  readonly outcome: 'equal' | 'different' | 'blocked' | 'planned' | 'not moved' | 'stopped' | 'failed';
  /** What to do about it, where there is something. */
  readonly advice: string;
  readonly from: string;
  readonly to: string;
  /** When it began, ISO. */
  readonly startedAt: string;
  /** ms. */
  readonly took: number;
  /** Where the clients are. Undefined for a plan, which does not ask. */
  readonly phase?: SwitchPhase | undefined;
  readonly plan?: MigrationPlan | undefined;
  readonly trial?: readonly Finding[] | undefined;
  readonly verification?: Verification | undefined;
  readonly move?: CutOverResult | undefined;
  readonly refused: readonly Refusal[];
  /** Rows that the target had of its own, and that were overwritten. */
  readonly overwritten: number;
  /** How often a backend had to be asked again. */
  readonly retries: number;
  readonly error?: string | undefined;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Ids and values come from users. */
const text = (value: unknown): string => String(value).replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);

const duration = (ms: number): string => {
  const seconds = ms / 1000;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
};

type Cell = string | number;

function table(title: string, heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return '';
  const cell = (value: Cell): string =>
    typeof value === 'number' ? `<td class="n">${value.toLocaleString('en')}</td>` : `<td>${text(value)}</td>`;
  return `<h2>${text(title)}</h2>
<table><thead><tr>${heads.map((head) => `<th>${text(head)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')}
</tbody></table>`;
}

const findings = (title: string, list: readonly Finding[]): string =>
  table(
    title,
    ['Field', 'Level', 'What'],
    list.map(({ collection, field, level, text: what }) => [
      field ? `${collection}.${field}` : collection,
      level,
      what,
    ]),
  );

const headlines: Readonly<Record<MoveReport['outcome'], string>> = {
  equal: 'Both sides are equal',
  different: 'There are differences',
  blocked: 'Not begun: some values would not survive',
  planned: 'A plan. Nothing was written',
  'not moved': 'The clients are where they were',
  stopped: 'Stopped. Run it again to go on',
  failed: 'Failed. Run it again to go on',
};

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}.equal h1{color:#176b2c}.different h1,.blocked h1,.failed h1{color:#a11}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}
.n{text-align:right;font-variant-numeric:tabular-nums}dt{color:#555}dd{margin:0 0 .4rem}dl{display:grid;grid-template-columns:12rem 1fr}`;

/** The report as a page of its own, without a script and without anything from elsewhere. */
export function reportPage(report: MoveReport): string {
  const { plan, trial = [], verification, move, refused } = report;
  const facts: (readonly [string, string])[] = [
    ['From', report.from],
    ['To', report.to],
    ['Begun', report.startedAt],
    ['Took', duration(report.took)],
    ...(report.phase === undefined ? [] : [['Clients are on', report.phase] as const]),
    ...(move ? [['Clients were held for', duration(move.held)] as const] : []),
    ['Asked again', `${report.retries} times`],
    ['Overwritten at the target', `${report.overwritten} rows`],
    ...(report.error === undefined ? [] : [['Error', report.error] as const]),
  ];
  const kinds = (plan?.collections ?? []).flatMap(({ collection, fields }) =>
    Object.entries(fields).map(([field, counts]) => [
      `${collection}.${field}`,
      Object.entries(counts)
        .map(([kind, count]) => `${kind}: ${count}`)
        .join(', '),
    ]),
  );
  const body = [
    `<h1>${text(headlines[report.outcome])}</h1>`,
    report.advice === '' ? '' : `<p>${text(report.advice)}</p>`,
    `<dl>${facts.map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`).join('')}</dl>`,
    table(
      'Compared, row by row',
      ['Collection', 'Rows at the source', 'Rows at the target', 'Missing', 'Extra', 'Different'],
      (verification?.collections ?? []).map(({ collection, rows, missing, extra, different }) => [
        collection,
        rows.from,
        rows.to,
        missing,
        extra,
        different,
      ]),
    ),
    table(
      'Differences',
      ['Collection', 'Id', 'What', 'Fields'],
      (verification?.differences ?? []).map(({ collection, recordId, kind, fields }) => [
        collection,
        recordId,
        kind,
        fields.join(', '),
      ]),
    ),
    table(
      'Refused by the target',
      ['Collection', 'Id', 'Why'],
      refused.map(({ collection, recordId, reason }) => [collection, recordId, reason]),
    ),
    findings('Seen with rows that were written', trial),
    findings('Known beforehand', plan?.findings ?? []),
    table(
      'Collections before',
      ['Collection', 'Rows at the source', 'Rows at the target', 'Bytes of JSON'],
      (plan?.collections ?? []).map(({ collection, rows, bytes }) => [collection, rows.from, rows.to, bytes]),
    ),
    table('Fields', ['Field', 'Values'], kinds),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(headlines[report.outcome])}: ${text(report.from)} to ${text(report.to)}</title>
<style>${style}</style>
</head>
<body class="${text(report.outcome)}">
${body.filter((part) => part !== '').join('\n')}
</body>
</html>
`;
}
