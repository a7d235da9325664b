import { expect, test, vi } from 'vitest';
import { SyncLayerError } from '../../../src/index.js';
import { createMigration } from '../../../src/migrate/index.js';
import { fill, pairOfBackends, rowsOf } from './setup.js';

// The pauses between attempts grow to seconds.
vi.mock('node:timers/promises', () => ({ setTimeout: () => new Promise((resolve) => setImmediate(resolve)) }));

test('one repair ends all differences, also those that are not listed', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 130);
  const migration = createMigration(options({ pushSize: 100 }));
  await migration.backfill();
  for (let index = 0; index < 120; index += 1) b.delete('todos', `t${index}`);
  for (let index = 0; index < 5; index += 1) b.write('todos', `x${index}`, { text: 'Extra' });
  const found = await migration.verify();
  expect(found.differences).toHaveLength(100);
  await migration.repair(found);
  expect(rowsOf(b)).toMatchObject(rowsOf(a));
  expect((await migration.verify()).collections).toMatchObject([{ missing: 0, different: 0, extra: 5 }]);
  await migration.close();
});

test('a comparison writes nothing, not even what is on its way, and says what was not copied', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 30);
  const given = options();
  const migration = createMigration(given);
  b.write('todos', 't1', { text: 'Other', count: 1, done: false });
  expect(await migration.compare()).toMatchObject({
    equal: false,
    unfinished: ['todos'],
    collections: [{ rows: { from: 30, to: 1 }, missing: 29, extra: 0, different: 1 }],
  });
  expect(given.to.transport.wire.calls.push).toBe(0);
  await migration.backfill();
  const { push } = given.to.transport.wire.calls;
  a.write('todos', 't2', { text: 'Changed', count: 2, done: true });
  expect(await migration.compare()).toMatchObject({ unfinished: [], collections: [{ missing: 0, different: 1 }] });
  expect(given.to.transport.wire.calls.push).toBe(push);
  // What verifies in order to move clients does bring it over.
  expect(await migration.verify()).toMatchObject({ equal: true });
  await migration.close();
});

const busy = { type: 'retry', error: new SyncLayerError('CONNECTION_LOST', 'Busy.') } as const;

test('a target that does not want a row for now is waited for', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 2);
  const given = options();
  const migration = createMigration(given);
  await migration.backfill();
  a.write('todos', 't1', { text: 'Changed' });
  let answers = 0;
  const { push } = given.to.transport;
  given.to.transport.push = async (changes, how) => {
    answers += 1;
    return answers <= 30 ? changes.map(() => busy) : push(changes, how);
  };
  await migration.drain();
  expect([answers, migration.refused(), rowsOf(b)]).toEqual([31, [], rowsOf(a)]);
  await migration.close();
});

test('and given up in the end, with the time that it took', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 1);
  const given = options({ giveUpAfter: 20 });
  given.to.transport.wire.decide = () => busy;
  const migration = createMigration(given);
  await migration.backfill();
  expect(migration.refused()).toMatchObject([{ reason: expect.stringMatching(/did not take it for \d+ ms/) }]);
  await migration.close();
});
