import { expect, test } from 'vitest';
import { type MoveReport, reportPage } from '../../../src/migrate/report-page.js';

const evil = `"><script>alert('1')</script>&`;

test('the page escapes whatever comes from rows, backends and errors', () => {
  const report: MoveReport = {
    outcome: 'different',
    advice: evil,
    from: evil,
    to: evil,
    startedAt: '2026-01-02T03:04:05.000Z',
    took: 95_000,
    phase: 'from',
    plan: {
      from: evil,
      to: evil,
      took: 1,
      findings: [{ collection: evil, field: evil, level: 'lossy', text: evil, seen: false }],
      collections: [{ collection: evil, rows: { from: 20_000, to: 0 }, bytes: 5, fields: { [evil]: { text: 1 } } }],
    },
    trial: [{ collection: evil, field: evil, level: 'equal', text: evil, seen: true }],
    verification: {
      equal: false,
      took: 1,
      collections: [{ collection: evil, rows: { from: 1, to: 1 }, missing: 0, extra: 0, different: 1 }],
      differences: [{ collection: evil, recordId: evil, kind: 'different', fields: [evil] }],
    },
    refused: [{ collection: evil, recordId: evil, reason: evil }],
    overwritten: 0,
    retries: 2,
    error: evil,
  };
  const page = reportPage(report);
  expect(page).not.toContain('<script>');
  expect(page.split('&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;').length).toBeGreaterThan(20);
  expect(page).toContain('<td class="n">20,000</td>');
  expect(page).toContain('1 min 35 s');
  expect(page).toContain("default-src 'none'");
});
