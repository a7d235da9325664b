import { expect, test } from 'vitest';
import type { Journal } from '../../../../src/store/journal.js';
import type { StoreWrite } from '../../../../src/store/store.js';
import type { Replica } from '../../../../src/sync/collection/replica.js';
import { createSource } from '../../../../src/sync/collection/source.js';
import type { User } from '../../../../src/transport/identity.js';

/** A source that writes down what it does. */
function setUp({ cursor = 'c1' as string | null, user = undefined as User, fresh = false } = {}) {
  const done: string[] = [];
  const replica = Object.fromEntries(
    ['reset', 'switchUser', 'rereadAll', 'forgetRows', 'depart', 'readAgain'].map((name) => [
      name,
      () => void done.push(name),
    ]),
  );
  const written = (writes: readonly StoreWrite[]): string[] =>
    writes.map(({ key: [, what], value }) => `${what}: ${JSON.stringify(value)}`);
  const source = createSource({
    name: 'todos',
    replica: { ...replica, cursor } as unknown as Replica,
    journal: { append: (writes: readonly StoreWrite[]) => void done.push(...written(writes)) } as unknown as Journal,
    origin: { source: 'here', filter: '{}' },
    loaded: { fresh, user },
    adopt: false,
    forget: () => void done.push('forget'),
  });
  return { source, done, stored: () => written(source.stored()) };
}

const noCursor = 'cursor: undefined';

test('whose data it is, is noted once all has been read', () => {
  const { source, done, stored } = setUp({ cursor: null });
  expect(source.ready()).toBe(false);
  expect(stored()).toEqual(['origin: {"source":"here","filter":""}', noCursor]);
  expect([source.wasRead(), source.wasRead()]).toEqual([true, false]);
  expect(done).toEqual(['origin: {"source":"here","filter":"{}"}', 'readAgain']);
  expect(stored()).toEqual(['origin: {"source":"here","filter":"{}"}']);
});

test('while the rows are from another backend edits wait, and neither backend may trust the store', () => {
  const { source, stored } = setUp({ cursor: null, fresh: true });
  expect(source.mayPush()).toBe(false);
  expect(stored()).toEqual(['origin: {"source":"","filter":""}', noCursor]);
  source.wasRead();
  expect(source.mayPush()).toBe(true);
});

test('the first user who is known reads nothing again, another one does', () => {
  const { source, done } = setUp();
  source.switchUser('ann');
  expect(source.ready()).toBe(true);
  expect(done.splice(0)).toEqual(['switchUser', 'origin: {"source":"here","filter":"{}","user":"ann"}']);
  source.switchUser('ann');
  expect(done).toEqual([]);
  source.switchUser('bob');
  expect(source.ready()).toBe(false);
  const departed = ['origin: {"source":"here","filter":"","user":"bob"}', noCursor];
  expect(done).toEqual(['switchUser', 'forget', 'rereadAll', ...departed]);
});

test('whoever leaves takes the rows along; the edits are held for their author', () => {
  const { source, done } = setUp({ user: 'ann' });
  source.leave();
  expect([source.ready(), source.user()]).toEqual([false, null]);
  const departed = ['origin: {"source":"here","filter":"","user":null}', noCursor];
  expect(done).toEqual(['switchUser', 'forget', 'rereadAll', 'forgetRows', ...departed]);
});

test('after a move all is read from the other backend before an edit goes there', () => {
  const { source, done } = setUp();
  source.moveTo('there');
  expect([source.ready(), source.mayPush()]).toEqual([false, false]);
  expect(done).toEqual(['forget', 'depart', 'origin: {"source":"","filter":""}', noCursor]);
});
