import { describe, expect, test } from 'vitest';
import type { Conflict, ConflictResolver, SyncLayerConfig } from '../../../src/index.js';
import { resolveCollections } from '../../../src/sync/settings.js';

const base = { id: '1', n: 0 };
/** Both sides changed `n`; the local edit is the newer one. */
const conflict: Conflict = {
  collection: 'todos',
  recordId: '1',
  base,
  local: { id: '1', n: 1 },
  remote: { id: '1', n: 2 },
  merged: { id: '1', n: 2 },
  fields: ['n'],
  localTimestamp: 20,
  remoteTimestamp: 10,
};
const mine: ConflictResolver = ({ merged }) => ({ ...merged, n: 'mine' });
const general: ConflictResolver = ({ merged }) => ({ ...merged, n: 'general' });

type Part = Pick<SyncLayerConfig, 'conflictStrategy' | 'customConflictResolver' | 'syncFilters'>;

function settingsOf(config: Part, own: object = {}) {
  const settings = resolveCollections({ ...config, collections: { todos: own } }).get('todos');
  if (!settings) throw new Error('todos has no settings');
  return settings;
}

describe('who wins a field that both sides changed', () => {
  test.each<[string, Part, object, unknown]>([
    ['by default the last write', {}, {}, 1],
    ['the general strategy', { conflictStrategy: 'serverWins' }, {}, 2],
    ['the collection’s own strategy', { conflictStrategy: 'serverWins' }, { conflictStrategy: 'clientWins' }, 1],
    ['a general resolver', { conflictStrategy: 'custom', customConflictResolver: general }, {}, 'general'],
    ['a resolver without a word about the strategy', { customConflictResolver: general }, {}, 'general'],
    ['the collection’s own resolver', { customConflictResolver: general }, { customConflictResolver: mine }, 'mine'],
    ['the own resolver, named', {}, { conflictStrategy: 'custom', customConflictResolver: mine }, 'mine'],
    [
      'the general resolver, chosen by one',
      { conflictStrategy: 'serverWins', customConflictResolver: general },
      { conflictStrategy: 'custom' },
      'general',
    ],
    [
      'an own strategy beside a general resolver',
      { customConflictResolver: general },
      { conflictStrategy: 'serverWins' },
      2,
    ],
    [
      'a strategy beside a resolver that it does not use',
      { conflictStrategy: 'clientWins', customConflictResolver: general },
      {},
      1,
    ],
    ['settings that are undefined', { conflictStrategy: undefined }, { conflictStrategy: undefined }, 1],
  ])('%s', (_, config, own, n) => {
    const { resolve, customResolver } = settingsOf(config, own);
    expect(resolve(conflict)).toEqual({ id: '1', n });
    expect(customResolver).toBe(typeof n === 'string');
  });
});

test('filters come from the collection, or from syncFilters', () => {
  const [here, there] = [{ where: { here: true } }, { where: { there: true } }];
  expect(settingsOf({ syncFilters: { todos: there } }).filter).toEqual(there);
  expect(settingsOf({ syncFilters: { todos: there } }, { filter: here }).filter).toEqual(here);
  expect(settingsOf({ syncFilters: { users: there } }).filter).toEqual({});
});

test('a list of names is collections without settings', () => {
  const settings = resolveCollections({ collections: ['todos', 'users'], syncFilters: { users: { limit: 3 } } });
  expect([...settings.keys()]).toEqual(['todos', 'users']);
  expect(settings.get('users')?.filter).toEqual({ limit: 3 });
  const row = { id: '1', any: true };
  expect(settings.get('todos')?.parse(row)).toBe(row);
});
