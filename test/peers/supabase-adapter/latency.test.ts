import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createSyncLayer } from '../../../src/index.js';
import { until } from './harness.js';
import { type Project, startProject, table, touch } from './peer.js';

let project: Project;
beforeAll(async () => {
  project = await startProject({ schema: touch + table('todos', true) });
});
afterAll(() => project?.close());

const ROWS = 100;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

test('a watcher is told of a commit not much later than a bare listener of supabase-js', async () => {
  const bare = createClient(project.url, project.anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
  onTestFinished(async () => {
    await bare.removeAllChannels();
  });
  const heard = new Map<string, number>();
  const seen = new Map<string, number>();
  const sync = await createSyncLayer({
    transport: { type: 'supabase', url: project.url, key: project.anonKey },
    collections: ['todos'],
  });
  onTestFinished(() => sync.close());
  const listening = new Promise((resolve) => {
    bare
      .channel('bare')
      .on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ new: row }) =>
        heard.set((row as { id: string }).id, performance.now()),
      )
      .on('system', {}, resolve)
      .subscribe();
  });
  await listening;
  sync.collection('todos').watch((rows) => {
    for (const row of rows) if (!seen.has(row.id as string)) seen.set(row.id as string, performance.now());
  });
  await until('live', () => sync.status.phase === 'live');
  const bareTimes: number[] = [];
  const watchTimes: number[] = [];
  for (let index = 0; index < ROWS; index++) {
    const id = `row ${index}`;
    const sent = performance.now();
    await project.sql("insert into todos (id, text) values ($1, 'x')", [id]);
    await until('both', () => heard.has(id) && seen.has(id));
    bareTimes.push((heard.get(id) ?? 0) - sent);
    watchTimes.push((seen.get(id) ?? 0) - sent);
  }
  const [one, other] = [median(bareTimes), median(watchTimes)];
  console.log(
    `commit to listener: ${one.toFixed(2)} ms bare, ${other.toFixed(2)} ms to a watcher (medians of ${ROWS})`,
  );
  expect(other).toBeLessThanOrEqual(1.1 * one);
});
