import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { failoverTransport } from '../../../src/compose/index.js';
import { SyncLayerError } from '../../../src/index.js';
import { createMigration, type Migration, migrate } from '../../../src/migrate/index.js';
import { type MemoryTransportOptions, memoryTransport } from '../../../src/testing/index.js';
import { fill, pairOfBackends, rowsOf } from './setup.js';

const kinds: [string, MemoryTransportOptions][] = [
  ['that counts changes', {}],
  ['with timestamps and hard deletes', { cursor: 'timestamp', deletes: 'none', idempotent: false }],
  ['that gives snapshots', { cursor: 'snapshot', deletes: 'none' }],
];

test.each(kinds)('copies all rows, and proves it, from a backend %s', async (_, from) => {
  const { a, b, options, events } = pairOfBackends({ from });
  fill(a, 53);
  a.delete('todos', 't7', { hard: from.deletes === 'none' });
  const report = await migrate(options());
  expect(report).toMatchObject({ done: true, refused: [] });
  expect(report.verification?.collections).toEqual([
    { collection: 'todos', rows: { from: 52, to: 52 }, missing: 0, extra: 0, different: 0 },
  ]);
  expect(rowsOf(b)).toEqual(rowsOf(a));
  const last = events.findLast((event) => event.type === 'progress');
  expect(last).toMatchObject({ collection: 'todos', total: 52 });
});

test.each(kinds)('a second run writes what changed, and nothing else: from a backend %s', async (_, from) => {
  const { a, b, options } = pairOfBackends({ from });
  fill(a, 30);
  await migrate(options());
  const before = b.seq;
  await migrate(options());
  expect(b.seq).toBe(before);
  a.write('todos', 't3', { text: 'New', count: 3 });
  a.delete('todos', 't4', { hard: from.deletes === 'none' });
  fill(a, 1, 30);
  expect(await migrate(options())).toMatchObject({ done: true });
  expect(b.seq).toBe(before + 3);
  expect(rowsOf(b)).toEqual(rowsOf(a));
});

test('killed at any push, it goes on where it was, and writes no row twice', async () => {
  const { a, b, options } = pairOfBackends({ to: { idempotent: false } });
  fill(a, 40);
  for (let kill = 1; kill <= 6; kill += 1) {
    const given = options({ concurrency: 1 });
    const over = new AbortController();
    let pushes = 0;
    given.to.transport.wire.before = (step) => {
      if (step === 'push' && ++pushes === 3) over.abort(new Error('killed'));
    };
    // The third push arrives; its answer is never seen.
    await expect(migrate({ ...given, signal: over.signal })).rejects.toThrow();
  }
  expect(await migrate(options())).toMatchObject({ done: true });
  expect(rowsOf(b)).toEqual(rowsOf(a));
  expect(b.seq).toBe(40);
});

test('losses on both sides are waited out', async () => {
  const { a, b, options, events } = pairOfBackends();
  fill(a, 40);
  const given = options();
  let calls = 0;
  const lose = (): void => {
    calls += 1;
    if (calls % 3 === 0) throw new SyncLayerError('CONNECTION_LOST', 'The line was cut.');
  };
  given.from.transport.wire.before = (step) => (step === 'pull' ? lose() : undefined);
  given.to.transport.wire.before = (step) => (step === 'push' ? lose() : undefined);
  expect(await migrate(given)).toMatchObject({ done: true });
  expect(rowsOf(b)).toEqual(rowsOf(a));
  expect(events.filter(({ type }) => type === 'retry').length).toBeGreaterThan(2);
});

test('a backend that stays out of reach is given up', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 1);
  const given = options({ giveUpAfter: 50 });
  given.to.transport.wire.before = (step) => {
    if (step === 'push') throw new SyncLayerError('CONNECTION_LOST', 'The line was cut.');
  };
  await expect(migrate(given)).rejects.toThrow('The line was cut.');
  expect(given.to.transport.wire.calls.close).toBe(1);
});

test('every difference is found and named, and a repair ends them', async () => {
  const { a, b, options, events } = pairOfBackends();
  fill(a, 30);
  await migrate(options());
  b.delete('todos', 't1');
  b.write('todos', 't2', { text: 'Other', count: 2, done: true });
  b.write('todos', 'x', { text: 'Extra' });
  const migration = createMigration(options());
  const found = await migration.verify();
  expect(found.equal).toBe(false);
  expect(found.differences).toEqual([
    { collection: 'todos', recordId: 't1', kind: 'missing', fields: [] },
    { collection: 'todos', recordId: 't2', kind: 'different', fields: ['text'] },
    { collection: 'todos', recordId: 'x', kind: 'extra', fields: [] },
  ]);
  expect(events.filter(({ type }) => type === 'difference')).toHaveLength(3);
  await migration.repair(found);
  const after = await migration.verify();
  expect(after.differences).toEqual([{ collection: 'todos', recordId: 'x', kind: 'extra', fields: [] }]);
  await migration.close();
});

test('rows that the target has already: equal ones are left alone, others overwritten and told', async () => {
  const { a, b, options, events } = pairOfBackends();
  fill(a, 6);
  b.write('todos', 't0', { text: 'Number 0', count: 0, done: true });
  b.write('todos', 't1', { text: 'Mine', count: 1, done: false, own: 'field' });
  expect(await migrate(options())).toMatchObject({ done: true });
  expect(b.get('todos', 't0')?.seq).toBe(1);
  expect(rowsOf(b)).toEqual(rowsOf(a));
  expect(events.filter(({ type }) => type === 'overwritten')).toEqual([
    { type: 'overwritten', collection: 'todos', recordId: 't1' },
  ]);
});

test('a row that the target refuses is reported, does not hold up the others, and is tried again next time', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 20);
  const error = new SyncLayerError('PUSH_REJECTED', 'Too odd.');
  const refusing = () => {
    const given = options();
    given.to.transport.wire.decide = ({ recordId }) => (recordId === 't13' ? { type: 'rejected', error } : undefined);
    return given;
  };
  const migration = createMigration(refusing());
  await migration.backfill();
  expect(migration.refused()).toEqual([{ collection: 'todos', recordId: 't13', reason: 'Too odd.' }]);
  expect((await migration.verify()).collections[0]).toMatchObject({ missing: 1, extra: 0, different: 0 });
  await migration.close();
  expect(b.rows('todos').size).toBe(19);
  const cured = createMigration(options());
  await cured.backfill();
  expect(cured.refused()).toEqual([]);
  expect((await cured.verify()).equal).toBe(true);
  await cured.close();
});

test('what the target makes of a value is seen on a few rows, before all are written', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 50);
  a.write('todos', 't20', { text: 'Number 20', count: 20, done: true, price: '1.50' });
  const damaging = () => {
    const given = options();
    const { push } = given.to.transport;
    given.to.transport.push = (changes, how) =>
      push(
        changes.map((change) =>
          typeof change.data?.price === 'string'
            ? { ...change, data: { ...change.data, price: Number(change.data.price) } }
            : change,
        ),
        how,
      ).then((results) =>
        results.map((result, index) => ({
          ...result,
          data: b.get('todos', changes[index]?.recordId ?? '')?.data ?? {},
        })),
      );
    return given;
  };
  const report = await migrate(damaging());
  expect(report).toMatchObject({ done: false, verification: undefined });
  expect(report.trial).toEqual([
    { collection: 'todos', field: 'price', level: 'lossy', seen: true, text: '"1.50" becomes 1.5.' },
  ]);
  expect(b.rows('todos').size).toBeLessThan(10);
  // What it left at the target is named.
  expect(report.trialRows).toEqual([{ collection: 'todos', recordIds: [...b.rows('todos').keys()] }]);
  // Who can do without it says so.
  expect(await migrate({ ...damaging(), accept: ['todos.price'] })).toMatchObject({ done: true });
});

/** Resolves once this holds. Asked again after each event of the loop, and ended by the test's own time limit. */
const until = (holds: () => boolean): Promise<void> => vi.waitFor(() => expect(holds()).toBe(true), 15_000);

/** Edits of every kind, for as long as it runs. */
function writer(backend: ReturnType<typeof pairOfBackends>['a'], hard: boolean) {
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    backend.write('todos', `new${count}`, { text: 'New', count });
    backend.write('todos', `t${count % 20}`, { text: 'Changed', count });
    if (count % 3 === 0) backend.delete('todos', `new${count - 1}`, { hard });
  }, 1);
  return { stop: () => clearInterval(timer), written: () => count };
}

test.each(kinds.slice(0, 2))(
  'carries live changes over, deletes too, and verifies while they go on: %s',
  async (_, from) => {
    const { a, b, options } = pairOfBackends({ from });
    fill(a, 40);
    const migration = createMigration(options());
    const writing = writer(a, from.deletes === 'none');
    await migration.backfill();
    const following = migration.follow();
    await until(() => following.copied > 20);
    const during = await migration.verify();
    expect(during.differences).toEqual([]);
    writing.stop();
    await migration.drain();
    expect(rowsOf(b)).toEqual(rowsOf(a));
    await following.stop();
    const { copied } = following;
    fill(a, 3, 100);
    expect(following.copied).toBe(copied);
    await migration.close();
  },
);

test.each([
  ['that counts changes', {}],
  ['that gives snapshots', { cursor: 'snapshot', deletes: 'none' }],
] as const)('a backend %s and gives no single rows: what is written meanwhile is no difference', async (_, from) => {
  const { a, b, options } = pairOfBackends({ from });
  fill(a, 30);
  const given = options();
  Object.assign(given.from.transport, { fetch: undefined });
  const migration = createMigration(given);
  await migration.backfill();
  b.delete('todos', 't1');
  let next = 0;
  // Each look finds rows that the last one did not have.
  given.from.transport.wire.before = (step, detail) => {
    if (step === 'pull' && (detail as { start: boolean }).start) a.write('todos', `new${next++}`, { text: 'New' });
  };
  const found = await migration.verify();
  expect(found.differences).toEqual([{ collection: 'todos', recordId: 't1', kind: 'missing', fields: [] }]);
  expect(next).toBeGreaterThan(2);
  await migration.close();
});

test('what live events did not tell is found by the next catch-up', async () => {
  const { a, b, options } = pairOfBackends({ from: { cursor: 'timestamp', deletes: 'none' } });
  fill(a, 20);
  const given = options();
  const migration = createMigration(given);
  await migration.backfill();
  const following = migration.follow();
  await migration.drain();
  given.from.transport.wire.deliver = false;
  a.delete('todos', 't1', { hard: true });
  a.write('todos', 't2', { text: 'Late' }, { time: Date.now() - 60_000 });
  given.from.transport.wire.gap();
  await until(() => !b.rows('todos').has('t1') && b.rows('todos').get('t2')?.text === 'Late');
  given.from.transport.wire.deliver = true;
  given.from.transport.wire.partialFields = ['text'];
  a.write('todos', 't3', { text: 'Part', count: 99, done: true });
  await until(() => b.rows('todos').get('t3')?.count === 99);
  // A subscription that is lost is made anew.
  given.from.transport.wire.cut();
  a.write('todos', 't4', { text: 'While cut off' });
  await until(() => b.rows('todos').get('t4')?.text === 'While cut off');
  await following.stop();
  expect(given.from.transport.wire.subscriptions).toBe(0);
  await migration.close();
});

/** A client that obeys the flag at once. */
function obedient(places: { from: { write: (n: number) => void }; to: { write: (n: number) => void } }) {
  let phase = 'from';
  let count = 0;
  const timer = setInterval(() => {
    if (phase === 'hold') return;
    count += 1;
    places[phase as 'from' | 'to'].write(count);
  }, 1);
  return {
    flag: {
      write(next: string): void {
        phase = next;
      },
    },
    phase: () => phase,
    written: () => count,
    stop: () => clearInterval(timer),
  };
}

async function cutOver(migration: Migration, way: 'cutOver' | 'goBack', flag: { write(phase: string): void }) {
  return migration[way]({ flag, grace: 20, quiet: 40, maxHold: 10_000 });
}

test('clients move to the target and back again, and no acknowledged write is lost', async () => {
  const { a, b, options } = pairOfBackends({ from: { cursor: 'timestamp', deletes: 'none', idempotent: false } });
  fill(a, 30);
  /** What clients were told is written. */
  const acknowledged = new Map<string, number>();
  const write = (backend: typeof a) => (count: number) => {
    const id = `t${count % 40}`;
    backend.write('todos', id, { text: 'By a client', count });
    acknowledged.set(id, count);
  };
  const client = obedient({ from: { write: write(a) }, to: { write: write(b) } });
  /** In the moment in which clients are let go on elsewhere. */
  const states: object[] = [];
  const flag = {
    write(phase: string): void {
      const has = (backend: typeof a) =>
        [...acknowledged].every(([id, n]) => backend.rows('todos').get(id)?.count === n);
      states.push({ phase, equal: JSON.stringify(rowsOf(a)) === JSON.stringify(rowsOf(b)), a: has(a), b: has(b) });
      client.flag.write(phase);
    },
  };
  const migration = createMigration(options());
  await migration.backfill();
  const following = migration.follow();
  await until(() => client.written() > 30);
  expect(await cutOver(migration, 'cutOver', flag)).toMatchObject({ done: true, verification: { equal: true } });
  await following.stop();
  expect([client.phase(), migration.phase]).toEqual(['to', 'to']);

  const back = migration.follow('backward');
  const before = client.written();
  await until(() => client.written() > before + 30);
  b.delete('todos', 't29');
  acknowledged.delete('t29');
  expect(await cutOver(migration, 'goBack', flag)).toMatchObject({ done: true, verification: { equal: true } });
  await back.stop();
  client.stop();
  expect([client.phase(), migration.phase]).toEqual(['from', 'from']);
  await migration.close();
  expect(states).toMatchObject([
    { phase: 'hold' },
    { phase: 'to', equal: true, a: true, b: true },
    { phase: 'hold' },
    { phase: 'from', equal: true, a: true, b: true },
  ]);
});

test('a client that does not obey the flag is noticed: all go back to where they were', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 5);
  const phases: string[] = [];
  let count = 0;
  const migration = createMigration(options());
  await migration.backfill();
  const stubborn = setInterval(() => a.write('todos', 't1', { count: ++count }), 1);
  const flag = { write: (phase: string) => void phases.push(phase) };
  const result = await migration.cutOver({ flag, grace: 10, quiet: 60, maxHold: 300 });
  clearInterval(stubborn);
  expect(result).toMatchObject({ done: false, reason: 'still writing' });
  expect(phases).toEqual(['hold', 'from']);
  await migration.close();
});

test('with a difference nobody is held at all', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 5);
  const migration = createMigration(options());
  await migration.backfill();
  b.write('todos', 'x', { text: 'Extra' });
  const phases: string[] = [];
  const result = await migration.cutOver({ flag: { write: (phase) => void phases.push(phase) } });
  expect(result).toMatchObject({ done: false, reason: 'differences', verification: { equal: false } });
  expect(phases).toEqual([]);
  await migration.close();
});

test('a failure while clients are held lets them go on where they were', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 5);
  const given = options({ giveUpAfter: 10 });
  const migration = createMigration(given);
  await migration.backfill();
  const phases: string[] = [];
  const flag = {
    write(phase: string) {
      phases.push(phase);
      given.from.transport.wire.before = () => {
        throw new SyncLayerError('UNSUPPORTED', 'Gone.');
      };
    },
  };
  await expect(migration.cutOver({ flag, grace: 1, quiet: 1 })).rejects.toThrow('Gone.');
  expect(phases).toEqual(['hold', 'from']);
  expect(migration.phase).toBe('from');
  await migration.close();
});

test('going back writes only what was changed: null and missing, and how a time is written, stay as they were', async () => {
  const { a, b, options } = pairOfBackends();
  a.write('todos', 'one', { text: 'a', at: '2026-01-02T03:04:05Z' });
  a.write('todos', 'two', { text: 'b', at: '2026-01-02T03:04:05Z', note: 'x' });
  const columns = () => {
    const given = options();
    const { push } = given.to.transport;
    Object.assign(given.to.transport, { values: () => ({ fields: 'columns' }) });
    // As a table has it: a column for each field, and times of its own.
    given.to.transport.push = async (changes, how) => {
      const results = await push(
        changes.map((change) => ({
          ...change,
          data: change.data && { note: null, ...change.data, at: '2026-01-02T03:04:05+00:00' },
        })),
        how,
      );
      return results.map((result, index) => ({
        ...result,
        data: b.get('todos', changes[index]?.recordId ?? '')?.data ?? {},
      }));
    };
    return given;
  };
  const migration = createMigration(columns());
  await migration.backfill();
  expect(b.rows('todos').get('one')).toEqual({ id: 'one', text: 'a', at: '2026-01-02T03:04:05+00:00', note: null });
  expect((await migration.verify()).equal).toBe(true);
  await migration.cutOver({ flag: { write: () => undefined }, grace: 1, quiet: 1 });
  const untouched = a.get('todos', 'one');
  b.write('todos', 'two', { text: 'c', at: '2026-01-02T03:04:05+00:00', note: null });
  b.write('todos', 'three', { text: 'd', at: null, note: null });
  // What is only at the new backend is what the old one is missing.
  a.write('todos', 'old', { text: 'e' });
  const before = a.get('todos', 'three');
  const found = await migration.verify('backward');
  expect([before, found.differences]).toEqual([
    undefined,
    [{ collection: 'todos', recordId: 'old', kind: 'extra', fields: [] }],
  ]);
  a.delete('todos', 'old');
  await migration.drain('backward');
  expect(a.get('todos', 'one')).toBe(untouched);
  expect(a.rows('todos').get('two')).toEqual({ id: 'two', text: 'c', at: '2026-01-02T03:04:05Z', note: null });
  await migration.close();
});

test('the rate limit holds', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 40);
  const started = performance.now();
  const migration = createMigration(options({ rateLimit: 200, pushSize: 5 }));
  await migration.backfill();
  // 40 rows at 200 a second: the last 5 go after 175 ms.
  expect(performance.now() - started).toBeGreaterThan(170);
  await migration.close();
});

test('a plan tells kinds and numbers, what will be refused, and writes nothing', async () => {
  const { a, b, options } = pairOfBackends();
  a.write('todos', '1', { text: 'a', list: [[1]], big: 2 ** 60, at: '2026-01-02T03:04:05Z' });
  a.write('todos', '2', { text: null, price: '1.50' });
  const given = options();
  const { capabilities } = given.to.transport;
  const firestore = { ...given.to.transport, capabilities, values: () => ({ nestedLists: false }) };
  const migration = createMigration({ ...given, to: { transport: firestore } });
  const plan = await migration.plan();
  expect(plan.collections).toMatchObject([
    {
      collection: 'todos',
      rows: { from: 2, to: 0 },
      fields: {
        id: { 'numeric text': 2 },
        text: { text: 1, null: 1 },
        list: { 'list in a list': 1, missing: 1 },
        big: { 'large integer': 1, missing: 1 },
        at: { time: 1, missing: 1 },
        price: { missing: 1, 'numeric text': 1 },
      },
    },
  ]);
  expect(plan.findings.map(({ field, level }) => `${field} ${level}`)).toEqual(['list blocks', 'big lossy']);
  expect(b.seq).toBe(0);
  await migration.close();
});

test('a failover of backends with columns moves as one of them does, whatever it is called', async () => {
  const { a, options } = pairOfBackends();
  a.write('todos', 'one', { text: 'a' });
  const given = options();
  const { push } = given.to.transport;
  given.to.transport.push = (changes, how) =>
    push(
      changes.map((change) => ({ ...change, data: change.data && { note: null, ...change.data } })),
      how,
    );
  const columns = Object.assign(given.to.transport, { values: () => ({ fields: 'columns' as const }) });
  const to = {
    transport: failoverTransport([columns, memoryTransport({ backend: columns.backend })], { source: 'one' }),
  };
  const migration = createMigration({ ...given, to });
  await migration.backfill();
  expect(await migration.verify()).toMatchObject({ equal: true });
  await migration.close();
});

test('no more rows go in one push than the target commits in one go', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 20);
  const given = options({ pushSize: 500 });
  const { transport } = given.to;
  const sizes: number[] = [];
  transport.wire.before = (step, detail) => {
    if (step === 'push') sizes.push((detail as readonly unknown[]).length);
  };
  Object.assign(transport, { capabilities: { ...transport.capabilities, pushSize: 3 } });
  const migration = createMigration(given);
  await migration.backfill();
  expect(Math.max(...sizes)).toBe(3);
  await migration.close();
});

test('wrong options and a state file of others are told', async () => {
  const { options } = pairOfBackends();
  const given = options();
  expect(() => createMigration({ ...given, collections: [] })).toThrow('collections');
  expect(() => createMigration({ ...given, rateLimit: 0 })).toThrow('"rateLimit" must be a number above 0');
  await createMigration(given).close();
  const other = { ...options().to.transport, source: 'elsewhere' };
  expect(() => createMigration({ ...options(), to: { transport: other } })).toThrow('between other backends');
  const running = createMigration(options());
  expect(() => createMigration(options())).toThrow('Is another migration running on it?');
  await running.close();
  const foreign = `${given.stateFile}.other`;
  const db = new DatabaseSync(foreign);
  db.exec('CREATE TABLE mine (x)');
  db.close();
  expect(() => createMigration({ ...options(), stateFile: foreign })).toThrow('belongs to another program');
});
