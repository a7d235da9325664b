import { expect, test } from 'vitest';
import { createMigration } from '../../../src/migrate/index.js';
import { memoryTransport } from '../../../src/testing/index.js';
import { gate } from '../../conformance/laws/harness.js';
import { fill, pairOfBackends, rowsOf } from './setup.js';

const quick = { grace: 1, quiet: 10 };

test('a flag that was set though its write failed: nobody is sent back, and the next run only finishes it', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 3);
  const phases: string[] = [];
  let reached = false;
  const flag = {
    write(phase: string): void {
      phases.push(phase);
      if (phase !== 'to' || reached) return;
      b.write('todos', 't1', { text: 'Saved on the new backend' });
      throw new Error('timeout');
    },
  };
  const migration = createMigration(options());
  await migration.backfill();
  await expect(migration.cutOver({ flag, ...quick })).rejects.toThrow('Run the cut-over again');
  expect(phases).toEqual(['hold', 'to', 'to', 'to']);
  await migration.close();

  const next = createMigration(options());
  expect([next.phase, next.unfinished]).toEqual(['hold', 'cut-over']);
  await expect(next.repair(await next.verify())).rejects.toThrow('clients may be on either side');
  expect(b.rows('todos').get('t1')?.text).toBe('Saved on the new backend');
  reached = true;
  expect(await next.cutOver({ flag, ...quick })).toMatchObject({ done: true, verification: { equal: true } });
  expect(phases.slice(4)).toEqual(['to']);
  expect([next.phase, next.unfinished]).toEqual(['to', undefined]);
  await next.close();
});

test('killed while it writes the flag: the next run writes it', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 3);
  const over = new AbortController();
  const migration = createMigration(options({ signal: over.signal }));
  await migration.backfill();
  const write = (phase: string): void => {
    if (phase !== 'to') return;
    over.abort(new Error('killed'));
    throw new Error('killed');
  };
  await expect(migration.cutOver({ flag: { write }, ...quick })).rejects.toThrow();
  await migration.close();
  const phases: string[] = [];
  const next = createMigration(options());
  await next.cutOver({ flag: { write: (phase) => void phases.push(phase) }, ...quick });
  expect(phases).toEqual(['to']);
  await next.close();
});

test('clients that are held on the way back: nothing is carried forward over what they saved', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 3);
  let killed = true;
  const phases: string[] = [];
  const flag = {
    write(phase: string): void {
      phases.push(phase);
      if (phase === 'to' && killed) throw new Error('killed');
    },
  };
  const over = new AbortController();
  const first = createMigration(options({ signal: over.signal }));
  await first.backfill();
  await first.cutOver({ flag: { write: () => undefined }, ...quick });
  const held = first.goBack({
    flag: {
      write(phase) {
        flag.write(phase);
        if (phase === 'hold') over.abort(new Error('killed'));
      },
    },
    ...quick,
  });
  await expect(held).rejects.toThrow();
  b.write('todos', 't1', { text: 'Within the grace' });
  await first.close();

  const next = createMigration(options());
  expect([next.phase, next.unfinished]).toEqual(['hold', 'go-back']);
  await expect(next.repair(await next.verify())).rejects.toThrow('Repair backward');
  await expect(next.cutOver({ flag, ...quick })).rejects.toThrow('Run the go-back again');
  expect(b.rows('todos').get('t1')?.text).toBe('Within the grace');
  killed = false;
  expect(await next.goBack({ flag, ...quick })).toMatchObject({ done: true });
  expect(a.rows('todos').get('t1')?.text).toBe('Within the grace');
  expect(phases).toEqual(['hold', 'to', 'hold', 'from']);
  await next.close();
});

test('held clients are let go where the sides differ', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 3);
  const over = new AbortController();
  const first = createMigration(options({ signal: over.signal }));
  await first.backfill();
  const kill = (phase: string): void => {
    if (phase === 'hold') over.abort(new Error('killed'));
    else throw new Error('killed');
  };
  await expect(first.cutOver({ flag: { write: kill }, ...quick })).rejects.toThrow();
  await first.close();
  b.write('todos', 'x', { text: 'Extra' });
  const phases: string[] = [];
  const next = createMigration(options());
  const flag = { write: (phase: string) => void phases.push(phase) };
  expect(await next.cutOver({ flag, ...quick })).toMatchObject({ done: false, reason: 'differences' });
  expect([phases, next.phase]).toEqual([['from'], 'from']);
  await next.close();
});

test('a client that does not obey is noticed while live changes are carried over', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 3);
  const migration = createMigration(options());
  await migration.backfill();
  const following = migration.follow();
  await migration.drain();
  let count = 0;
  const stubborn = setInterval(() => a.write('todos', 't1', { count: ++count }), 20);
  const flag = { write: () => undefined };
  const result = await migration.cutOver({ flag, grace: 1, quiet: 400, maxHold: 900 });
  clearInterval(stubborn);
  expect(result).toMatchObject({ done: false, reason: 'still writing' });
  expect(b.rows('todos').get('t1')?.count).toBeGreaterThan(0);
  await following.stop();
  await migration.close();
});

/** A migration whose target can be made slow, and the phases that its clients read. */
async function heldMigration() {
  const pair = pairOfBackends();
  fill(pair.a, 60);
  const target = memoryTransport({ backend: pair.b, cursor: 'sequence' });
  const phases: string[] = [];
  let onHold = (): void => undefined;
  const flag = {
    write(phase: string): void {
      phases.push(phase);
      if (phase === 'hold') onHold();
    },
  };
  const migration = createMigration({ ...pair.options({ giveUpAfter: 60_000 }), to: { transport: target } });
  await migration.backfill();
  return {
    ...pair,
    target,
    phases,
    flag,
    migration,
    whenHeld(work: () => void): void {
      onHold = work;
    },
  };
}

test('a backend that says nothing holds nobody for longer than maxHold, and the next try goes well', async () => {
  const { a, b, target, phases, flag, migration, whenHeld } = await heldMigration();
  const hung = gate();
  whenHeld(() => {
    target.wire.before = () => hung.opened;
    // To be brought over while clients are held.
    a.write('todos', 't1', { text: 'The last edit' });
  });
  const result = await migration.cutOver({ flag, ...quick, maxHold: 300 });
  expect(result).toMatchObject({ done: false, reason: 'too long' });
  expect(result.held).toBeGreaterThanOrEqual(300);
  expect([phases, migration.phase, migration.unfinished]).toEqual([['hold', 'from'], 'from', undefined]);
  target.wire.before = () => undefined;
  whenHeld(() => undefined);
  hung.open();
  expect(await migration.cutOver({ flag, ...quick })).toMatchObject({ done: true, verification: { equal: true } });
  expect(phases).toEqual(['hold', 'from', 'hold', 'to']);
  expect(rowsOf(b)).toEqual(rowsOf(a));
  await migration.close();
});

test('a comparison that takes too long is given up, and reads no further', async () => {
  const { target, phases, flag, migration, whenHeld } = await heldMigration();
  const page = gate();
  let pages = 0;
  let late = false;
  whenHeld(() => {
    target.wire.before = (step) => {
      // The third page of six comes too late.
      if (step === 'pull' && ++pages === 3) return page.opened;
      if (late && step === 'pull') throw new Error('Nobody wants this any more.');
      return undefined;
    };
  });
  expect(await migration.cutOver({ flag, ...quick, maxHold: 300 })).toMatchObject({ done: false, reason: 'too long' });
  expect([phases, pages]).toEqual([['hold', 'from'], 3]);
  late = true;
  page.open();
  // It waits for what was left behind, and that has ended.
  await migration.drain();
  expect(pages).toBe(3);
  await migration.close();
});

test('a hold that ends before anything could be done is refused before anybody is held', async () => {
  const { phases, flag, migration } = await heldMigration();
  await expect(migration.cutOver({ flag, grace: 100, quiet: 200, maxHold: 300 })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('maxHold (300 ms) must be longer'),
  });
  expect(phases).toEqual([]);
  await migration.close();
});
