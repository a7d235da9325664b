import { describe, expect, test } from 'vitest';
import type { Change, Row } from '../../../src/base/change.js';
import { createIncoming, type IncomingRules, type Known } from '../../../src/sync/incoming.js';
import type { ServerState } from '../../../src/sync/replica-state.js';

const live = (row: Row, version: number | string, rest: Partial<ServerState> = {}): ServerState => ({
  row: { id: 'a', ...row },
  version,
  ...rest,
});
const gone = (version: number, rest: Partial<ServerState> = {}): ServerState => ({ row: null, version, ...rest });

function setUp(held: ServerState, rules: Partial<IncomingRules> = {}, known: Partial<Known> = {}) {
  const unstamped: string[] = [];
  const incoming = createIncoming(
    {
      collection: 'todos',
      filter: {},
      parse: (row) => row,
      believes: () => true,
      unstamped: (id) => void unstamped.push(id),
      ...rules,
    },
    { state: () => held, version: () => held.version, isEdited: () => false, isReread: () => false, ...known },
  );
  return { ...incoming, unstamped };
}

const update = (n: number, version: number, rest: Partial<Change> = {}): Change =>
  ({ type: 'update', collection: 'todos', recordId: 'a', version, data: { n }, ...rest }) as Change;
const remove = (version: number, rest: Partial<Change> = {}): Change =>
  ({ type: 'delete', collection: 'todos', recordId: 'a', version, ...rest }) as Change;

describe('what comes by itself', () => {
  test('is news where its version is newer', () => {
    expect(setUp(live({ n: 1 }, 5)).stateAfter(update(2, 6))).toMatchObject({ row: { n: 2 }, version: 6 });
  });
  test('is none where that is older, or the same with the same data', () => {
    const { stateAfter } = setUp(live({ n: 1 }, 5));
    expect(stateAfter(update(2, 4))).toBeUndefined();
    expect(stateAfter(update(1, 5))).toBeUndefined();
    expect(stateAfter(remove(4))).toBeUndefined();
  });
  test('is doubtful where that is older, of a backend that shows what it holds', () => {
    const { stateAfter } = setUp(live({ n: 1 }, 5));
    expect(stateAfter(update(2, 4, { current: true }))).toBe('doubtful');
    expect(stateAfter(remove(4, { current: true }))).toBe('doubtful');
    expect(stateAfter(update(1, 4, { current: true }))).toBeUndefined();
  });
  test('is doubtful where that is the same, with other data: which came first cannot be told', () => {
    expect(setUp(live({ n: 1 }, 5)).stateAfter(update(2, 5))).toBe('doubtful');
    expect(setUp(live({ n: 1 }, 5)).stateAfter(remove(5))).toBe('doubtful');
    expect(setUp(gone(5)).stateAfter(update(2, 5))).toBe('doubtful');
  });
  test('is no doubt where it is a part, or a delete that nobody has seen', () => {
    const { stateAfter } = setUp(live({ n: 1 }, 5));
    expect(stateAfter(update(2, 5, { partial: true, baseVersion: 5 } as Partial<Change>))).toBeUndefined();
    expect(stateAfter(remove(5, { inferred: true } as Partial<Change>))).toBeUndefined();
  });
  test('takes the place of what was only found missing', () => {
    expect(setUp(gone(5, { inferred: true })).stateAfter(update(1, 5))).toMatchObject({ row: { n: 1 }, version: 5 });
  });
});

describe('what the backend shows now', () => {
  test('is taken though its version is older', () => {
    const { stateAfter, unstamped } = setUp(live({ n: 1 }, 5));
    expect(stateAfter(update(2, 4), true)).toMatchObject({ row: { n: 2 }, version: 4 });
    expect(setUp(gone(5)).stateAfter(update(2, 4), true)).toMatchObject({ row: { n: 2 }, version: 4 });
    expect(setUp(live({ n: 1 }, 5)).stateAfter(remove(4), true)).toEqual({
      row: null,
      version: 4,
      timestamp: undefined,
    });
    expect(unstamped).toEqual([]);
  });
  test('is not where it is the same row: the version that is known stays', () => {
    expect(setUp(live({ n: 1 }, 5)).stateAfter(update(1, 4), true)).toBeUndefined();
  });
  test('but where versions can go back it has the one that the backend shows', () => {
    expect(setUp(live({ n: 1 }, 5)).stateAfter(update(1, 4, { current: true }), true)).toMatchObject({ version: 4 });
  });
  test('is taken with the same version and other data, and reported', () => {
    const { stateAfter, unstamped } = setUp(live({ n: 1 }, 5));
    expect(stateAfter(update(2, 5), true)).toMatchObject({ row: { n: 2 }, version: 5 });
    expect(unstamped).toEqual(['a']);
  });
  test('is not reported where only the schema is another than when the row was stored', () => {
    const parse = (row: Row): Row => ({ ...row, done: row.done ?? false });
    const { stateAfter, unstamped } = setUp(live({ n: 1 }, 5), { parse });
    expect(stateAfter(update(1, 5), true)).toMatchObject({ row: { n: 1, done: false } });
    expect(unstamped).toEqual([]);
  });
  test('waits for a second look where reads can lag behind', () => {
    const { stateAfter } = setUp(live({ n: 1 }, 5), { believes: () => false });
    expect(stateAfter(update(2, 4), true)).toBeUndefined();
  });
  test('does not bring back what was let go of for its age', () => {
    const { stateAfter } = setUp(gone(5, { excluded: true }), { filter: { limit: 1 } });
    expect(stateAfter(update(1, 5), true)).toBeUndefined();
    expect(stateAfter(update(1, 6), true)).toMatchObject({ row: { n: 1 } });
  });
  test('says that a row is there which the filter leaves out', () => {
    const filter = { where: { n: 1 } };
    expect(setUp(gone(5), { filter }).stateAfter(update(2, 5), true)).toMatchObject({ row: null, excluded: true });
    expect(setUp(gone(5, { excluded: true }), { filter }).stateAfter(update(2, 5), true)).toBeUndefined();
  });
});
