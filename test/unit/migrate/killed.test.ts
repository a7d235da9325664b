import { expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/index.js';
import { createMigration, type MigrationOptions } from '../../../src/migrate/index.js';
import type { Cursor } from '../../../src/transport/transport.js';
import { fill, pairOfBackends, rowsOf } from './setup.js';

type Given = ReturnType<ReturnType<typeof pairOfBackends>['options']>;

const withoutFetch = (given: Given): MigrationOptions => {
  const { fetch: _, ...transport } = given.from.transport;
  return { ...given, from: { transport: { ...transport, capabilities: given.from.transport.capabilities } } };
};

test.each([
  ['tombstones', true],
  ['none', true],
  ['tombstones', false],
] as const)(
  'killed after the target took a row that the source then deletes: deletes %s, fetch %s',
  async (deletes, fetch) => {
    const { a, b, options } = pairOfBackends({ from: { deletes } });
    fill(a, 6);
    const given = options();
    const over = new AbortController();
    const { push } = given.to.transport;
    given.to.transport.push = async (changes, how) => {
      const results = await push(changes, how);
      over.abort(new Error('killed'));
      return results;
    };
    const first = createMigration({ ...given, concurrency: 1, signal: over.signal });
    await expect(first.backfill()).rejects.toThrow();
    await first.close();
    expect(b.rows('todos').size).toBe(4);
    a.delete('todos', 't1', { hard: deletes === 'none' });
    a.write('todos', 't2', { text: 'Changed' });
    const next = createMigration(fetch ? options() : withoutFetch(options()));
    await next.backfill();
    expect(rowsOf(b)).toEqual(rowsOf(a));
    // Whoever makes it again later is not mistaken for the row of before.
    a.write('todos', 't1', { text: 'Again' });
    await next.drain();
    expect(rowsOf(b)).toEqual(rowsOf(a));
    const before = b.seq;
    await next.drain();
    expect(b.seq).toBe(before);
    await next.close();
  },
);

/** A snapshot in the order of ids, and then changes in their own order, as lists with a token have it. */
function paged(a: ReturnType<typeof pairOfBackends>['a'], given: Given, cut: () => boolean): MigrationOptions {
  const { transport } = given.from;
  const { pull } = transport;
  transport.pull = async (request) => {
    const cursor = request.cursor as { after?: number; id?: string; since?: number } | null;
    if (cursor?.after !== undefined) return pull(request);
    if (cursor && cut()) throw new SyncLayerError('UNSUPPORTED', 'Killed.');
    const since = cursor?.since ?? a.seq;
    const rows = [...a.rows('todos')].filter(([id]) => id > (cursor?.id ?? '')).sort(([x], [y]) => (x < y ? -1 : 1));
    const page = rows.slice(0, 10);
    const last = page.at(-1)?.[0];
    return {
      changes: page.map(([recordId, data]) => ({
        type: 'update',
        collection: 'todos',
        recordId,
        version: a.get('todos', recordId)?.seq ?? 0,
        timestamp: 0,
        data,
      })),
      cursor: (last === undefined ? { after: since } : { id: last, since }) as Cursor,
      snapshot: true,
    };
  };
  return given;
}

test('a row that comes before the place where a snapshot goes on is no deleted row', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 30);
  const first = createMigration(paged(a, options(), () => true));
  await expect(first.backfill()).rejects.toThrow('Killed.');
  await first.close();
  a.write('todos', 'a-new', { text: 'New', odd: { field: 1 } });
  const next = createMigration(paged(a, options(), () => false));
  await next.tryOut();
  expect(b.rows('todos').has('a-new')).toBe(true);
  await next.backfill();
  expect(b.rows('todos').has('a-new')).toBe(true);
  expect((await next.verify()).equal).toBe(true);
  await next.close();
});
