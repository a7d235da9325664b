import { expect, test } from 'vitest';
import { backendWith, fakeTimers, openLive, pass } from '../../conformance/laws/harness.js';
// Loaded when they are used, which fake time does not wait for.
import '../../../src/sync/audit.js';
import '../../../src/sync/audit-pace.js';

const rows = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`row ${n}`, { n }]));
const DAY = 86_400_000;

test('an interval that the app has set is kept, whatever it costs', async () => {
  fakeTimers();
  const client = await openLive({ counts: true, backend: backendWith(rows), config: { auditInterval: 600_000 } });
  const { pull, count } = client.wire.calls;
  for (let time = 0; time < 6; time++) await pass(600_000);
  expect(client.wire.calls.pull - pull).toBe(6);
  expect(client.wire.calls.count - count).toBeGreaterThanOrEqual(6 * 3);
});

test('else a backend that charges is compared as often as about 500 reads a day allow, and pulled in between', async () => {
  fakeTimers();
  const client = await openLive({ counts: true, backend: backendWith(rows) });
  client.backend.write('todos', 'row 1', { n: -1 });
  await pass(0);
  // What it charges for is known by now.
  await client.sync.syncNow();
  const before = { ...client.wire.calls, reads: client.sync.metrics().reads };
  for (let time = 0; time < DAY; time += 300_000) await pass(300_000);
  const { calls } = client.wire;
  expect(calls.keys).toBe(before.keys);
  expect(calls.count).toBeGreaterThan(before.count);
  expect(calls.pull - before.pull).toBeGreaterThan(200);
  expect(client.sync.metrics().reads - before.reads).toBeLessThan(1000);
});
