import { expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/index.js';
import { createMigration } from '../../../src/migrate/index.js';
import { memoryBackend, memoryTransport } from '../../../src/testing/index.js';
import { fill, pairOfBackends, rowsOf } from './setup.js';

const flag = { write: () => undefined };

test('a new backend that reads as empty does not empty the old one, unless it is told to', async () => {
  const { a, options } = pairOfBackends();
  fill(a, 30);
  const first = createMigration(options());
  await first.backfill();
  await first.cutOver({ flag, grace: 1, quiet: 1 });
  await first.close();
  const empty = () => ({ transport: memoryTransport({ backend: memoryBackend() }) });
  const next = createMigration({ ...options(), to: empty() });
  await expect(next.drain('backward')).rejects.toThrow('30 of 30 rows of "todos" can no longer be read');
  await expect(next.drain('backward')).rejects.toThrow('--allow-deletes');
  expect(a.rows('todos').size).toBe(30);
  await next.close();
  const told = createMigration({ ...options({ allowDeletes: true }), to: empty() });
  await told.drain('backward');
  expect(a.rows('todos').size).toBe(0);
  await told.close();
});

test('some keys that are gone are deletes; many are not', async () => {
  const { a, b, options } = pairOfBackends({ from: { deletes: 'none' } });
  fill(a, 100);
  const migration = createMigration(options());
  await migration.backfill();
  for (let index = 0; index < 20; index += 1) a.delete('todos', `t${index}`, { hard: true });
  await migration.drain();
  expect(rowsOf(b)).toEqual(rowsOf(a));
  for (let index = 20; index < 41; index += 1) a.delete('todos', `t${index}`, { hard: true });
  await expect(migration.drain()).rejects.toThrow('21 of 80 rows');
  expect(b.rows('todos').size).toBe(80);
  await migration.close();
});

const refusing = (options: ReturnType<typeof pairOfBackends>['options']) => {
  const given = options();
  const error = new SyncLayerError('PUSH_REJECTED', 'Too odd.');
  given.to.transport.wire.decide = ({ recordId }) => (recordId === 't1' ? { type: 'rejected', error } : undefined);
  return given;
};

test.each([
  ['a tombstone', 'tombstones'],
  ['its key gone', 'none'],
] as const)('a refused row that the source then deletes stays away: %s', async (_, deletes) => {
  const { a, b, options } = pairOfBackends({ from: { deletes } });
  fill(a, 3);
  const migration = createMigration(refusing(options));
  await migration.backfill();
  expect(migration.refused()).toHaveLength(1);
  a.delete('todos', 't1', { hard: deletes === 'none' });
  await migration.drain();
  expect(migration.refused()).toEqual([]);
  await migration.close();
  const next = createMigration(options());
  const before = b.seq;
  await next.backfill();
  expect([b.seq, rowsOf(b)]).toEqual([before, rowsOf(a)]);
  await next.close();
});

test('a refused change that the source takes back is not written by the next run', async () => {
  const { a, b, options } = pairOfBackends();
  a.write('todos', 't1', { count: 1 });
  const given = options();
  const migration = createMigration(given);
  await migration.backfill();
  given.to.transport.wire.decide = refusing(options).to.transport.wire.decide;
  a.write('todos', 't1', { count: 2 });
  await migration.drain();
  expect(migration.refused()).toHaveLength(1);
  given.to.transport.wire.decide = undefined;
  a.write('todos', 't1', { count: 1 });
  await migration.drain();
  expect(migration.refused()).toEqual([]);
  await migration.backfill();
  expect(rowsOf(b)).toEqual(rowsOf(a));
  await migration.close();
});

test('what the target fails with while keys are compared is not taken for the fault of the source', async () => {
  const { a, b, options, events } = pairOfBackends({ from: { deletes: 'none' } });
  fill(a, 3);
  const given = options();
  const migration = createMigration(given);
  await migration.backfill();
  a.delete('todos', 't1', { hard: true });
  let failures = 0;
  given.to.transport.wire.before = (step) => {
    if (step === 'push' && ++failures === 1) throw new SyncLayerError('CONNECTION_LOST', 'The line was cut.');
  };
  const { keys } = given.from.transport.wire.calls;
  await migration.drain();
  expect(rowsOf(b)).toEqual(rowsOf(a));
  expect(events.filter(({ type }) => type === 'retry')).toMatchObject([{ side: 'to' }]);
  given.to.transport.wire.before = () => {
    throw new SyncLayerError('AUTH_REQUIRED', 'Expired.');
  };
  a.delete('todos', 't2', { hard: true });
  await expect(migration.drain()).rejects.toThrow('authToken');
  expect(events.filter((event) => event.type === 'retry' && event.side === 'from')).toEqual([]);
  expect(given.from.transport.wire.calls.keys).toBe(keys + 2);
  await migration.close();
});

test('backward, what the old backend lacks is missing, and is repaired', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 3);
  const migration = createMigration(options());
  await migration.backfill();
  await migration.cutOver({ flag, grace: 1, quiet: 1 });
  await migration.drain('backward');
  a.delete('todos', 't1');
  const found = await migration.verify('backward');
  expect(found.differences).toMatchObject([{ recordId: 't1', kind: 'missing' }]);
  await migration.repair(found, 'backward');
  expect(rowsOf(a)).toEqual(rowsOf(b));
  expect(await migration.goBack({ flag, grace: 1, quiet: 1 })).toMatchObject({ done: true });
  await migration.close();
});
