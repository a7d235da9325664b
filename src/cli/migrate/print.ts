import type { MoveReport } from '../../migrate/report-page.js';
import type { CollectionPlan, MigrationPlan } from '../../migrate/types.js';

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

function collectionLines({ from, to }: MigrationPlan, { collection, rows, fields }: CollectionPlan): string[] {
  const widest = Math.max(0, ...Object.keys(fields).map((name) => name.length));
  const kinds = Object.entries(fields).map(([field, counts]) => {
    const each = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`);
    return `${field.padEnd(widest)}  ${each.join(', ')}`;
  });
  return [`${collection}: ${rows.from} rows at --from (${from}), ${rows.to} at --to (${to})`, ...indented(kinds)];
}

/** What there is, and what will not stay as it is. */
function planLines(plan: MigrationPlan): string[] {
  const harmless = plan.findings.every(({ level }) => level === 'note' || level === 'equal');
  return [
    ...plan.collections.flatMap((each) => collectionLines(plan, each)),
    ...(harmless
      ? [
          'Nothing is known beforehand that would not survive. That is no promise: what the columns, types, rules and rights of the target refuse shows only when the first run writes a few rows on trial. It ends there if they do not survive, and says which rows are at the target.',
        ]
      : []),
  ];
}

function findingLines({ plan, trial = [] }: MoveReport): string[] {
  return [...(plan?.findings ?? []), ...trial].map(
    ({ collection, field, level, text: what }) => `${level}: ${field ? `${collection}.${field}` : collection}: ${what}`,
  );
}

function summaryLines({ outcome, advice, verification, phase, took, refused }: MoveReport): string[] {
  const rows = verification?.collections.map(
    ({ collection, rows, missing, extra, different }) =>
      `${collection}: ${rows.from} and ${rows.to} rows, ${missing} missing, ${extra} extra, ${different} different`,
  );
  const clients = phase === undefined ? '' : `; the clients are on "${phase}"`;
  return [
    ...(rows ?? []),
    ...(refused.length > 0 ? [`${refused.length} rows were refused`] : []),
    `${outcome} after ${(took / 1000).toFixed(1)} s${clients}`,
    ...(advice === '' ? [] : [advice]),
  ];
}

/** A report as the command prints it. */
export function textOf(report: MoveReport): string {
  const { plan, outcome, trial } = report;
  const isPlan = outcome === 'planned' || (outcome === 'blocked' && trial === undefined);
  return [...(plan && isPlan ? planLines(plan) : []), ...findingLines(report), ...summaryLines(report)].join('\n');
}
