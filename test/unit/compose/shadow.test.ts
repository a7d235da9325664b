import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { type ShadowOptions, shadowTransport } from '../../../src/compose/index.js';
import { createSyncLayer, type SyncLayerConfig } from '../../../src/index.js';
import { type MemoryTransportOptions, memoryTransport } from '../../../src/testing/index.js';
import { closed, fakeTimers, gate, lost, pass, record, settle } from '../../conformance/laws/harness.js';

const patience = 10_000;
/** Until then the primary's answers to pushes are on their way. */
let held = Promise.resolve();
beforeEach(() => {
  held = Promise.resolve();
});

async function opened(
  options: Partial<ShadowOptions> = {},
  kind: MemoryTransportOptions = {},
  config: Partial<SyncLayerConfig> = {},
) {
  fakeTimers();
  const primary = memoryTransport();
  const { push } = primary;
  primary.push = async (...args) => {
    const answer = await push(...args);
    await held;
    return answer;
  };
  const secondary = memoryTransport(kind);
  const [one, other] = [primary.backend, secondary.backend];
  // Their versions have nothing in common.
  for (let n = 0; n < 50; n++) other.write('else', 'x', { n });
  const transport = shadowTransport({ ...options, primary, secondary });
  const sync = await createSyncLayer({ websocketReconnectDelay: 0, ...config, transport, collections: ['todos'] });
  onTestFinished(() => closed(sync as never));
  await pass(0);
  expect(transport.report().watched).toEqual(['todos']);
  /** The same in both, the secondary `delay` ms later. */
  const both = async (id: string, row: Row | null, delay = 50): Promise<void> => {
    if (row) one.write('todos', id, row);
    else one.delete('todos', id);
    await pass(delay);
    if (row) other.write('todos', id, row);
    else other.delete('todos', id, { hard: kind.deletes === 'none' });
    await settle(2);
  };
  return { primary, secondary, one, other, transport, sync, todos: sync.collection('todos'), both };
}

const nothing = { missing: 0, extra: 0, different: 0, late: 0, unwatched: 0, waiting: 0, differences: [] };

for (const kind of [{}, { deletes: 'none' }] as const)
  test(`equal backends: nothing is reported: ${JSON.stringify(kind)}`, async () => {
    const { primary, secondary, transport, both, todos, other } = await opened({}, kind);
    await both('a', { n: 1, tags: ['x'], deep: { y: 1, z: null } });
    // Another order of fields is the same row.
    primary.backend.write('todos', 'b', { n: 1, m: { p: 1, q: 2 } });
    other.write('todos', 'b', { m: { q: 2, p: 1 }, n: 1 });
    for (let n = 2; n < 6; n++) await both('a', { n });
    await both('a', null);
    await both('a', { n: 2 });
    primary.wire.copies = 2;
    secondary.wire.copies = 3;
    await both('b', { n: 9 });
    // The secondary is first; many at once; and one that it leaves out, for it is old by then.
    other.write('todos', 'c', { n: 1 });
    await pass(3000);
    primary.backend.write('todos', 'c', { n: 1 });
    // A new version of the same row.
    primary.backend.write('todos', 'c', { n: 1 });
    for (let n = 0; n < 5; n++) primary.backend.write('todos', 'd', { n });
    other.write('todos', 'd', { n: 4 });
    // The app's own: the secondary has it from whoever copies it.
    await todos.save({ n: 1 }, 'mine');
    await settle();
    other.write('todos', 'mine', { n: 1 });
    // Not every backend tells a client of its own write, and its answer may come after somebody's newer one.
    primary.wire.deliver = false;
    await todos.save({ n: 2 }, 'mine');
    await settle();
    primary.wire.deliver = true;
    other.write('todos', 'mine', { n: 2 });
    const hold = gate();
    held = hold.opened;
    await todos.save({ n: 3 }, 'mine');
    await settle();
    other.write('todos', 'mine', { n: 3 });
    await both('mine', { n: 4 });
    hold.open();
    await settle();
    await pass(3 * patience);
    expect(transport.report()).toMatchObject({ ...nothing, superseded: 4 });
    expect(transport.report().matched).toBeGreaterThan(10);
  });

test('paused it listens to neither', async () => {
  const { sync, secondary, transport } = await opened();
  await sync.pause();
  expect([secondary.wire.subscriptions, transport.report().watched]).toEqual([0, []]);
  sync.resume();
  await pass(0);
  expect([secondary.wire.subscriptions, transport.report().watched]).toEqual([1, ['todos']]);
});

test('each of ten planted differences is found, and nothing else', async () => {
  const { one, other, transport, both } = await opened();
  for (let n = 0; n < 12; n++) await both(`r${n}`, { n, text: 'x' });
  const planted: [string, () => unknown][] = [
    ['missing r0', () => one.write('todos', 'r0', { n: 'changed' })],
    ['missing new', () => one.write('todos', 'new', { n: 1 })],
    ['missing r1', () => one.delete('todos', 'r1')],
    ['extra r2', () => other.write('todos', 'r2', { n: 'changed' })],
    ['extra strange', () => other.write('todos', 'strange', { n: 1 })],
    ['extra r3', () => other.delete('todos', 'r3')],
    ['different r4', () => [one.write('todos', 'r4', { n: 4, text: 'y' }), other.write('todos', 'r4', { n: 4 })]],
    ['different r5', () => [one.write('todos', 'r5', { n: 5 }), other.write('todos', 'r5', { n: '5' })]],
    ['different r6', () => [one.write('todos', 'r6', { n: null }), other.write('todos', 'r6', {})]],
    ['different r7', () => [one.write('todos', 'r7', { n: 8 }), other.delete('todos', 'r7')]],
  ];
  for (const [, plant] of planted) {
    plant();
    await pass(10);
  }
  await both('r8', { n: 'late' }, 2500);
  await both('r9', { n: 'in time' }, 1900);
  await pass(2 * patience);
  const report = transport.report();
  const found = report.differences.map(({ kind, recordId }) => `${kind} ${recordId}`).sort();
  expect(found).toEqual([...planted.map(([name]) => name), 'late r8'].sort());
  expect(report).toMatchObject({ missing: 3, extra: 3, different: 4, late: 1, matched: 14, waiting: 0, unwatched: 0 });
  expect(report.differences).toContainEqual(
    expect.objectContaining({ kind: 'different', primary: { id: 'r5', n: 5 }, secondary: { id: 'r5', n: '5' } }),
  );
  expect(report.differences).toContainEqual(expect.objectContaining({ kind: 'late', recordId: 'r8', delay: 2500 }));
});

test('what was missing and comes after all is late', async () => {
  const { one, other, transport } = await opened();
  one.write('todos', 'a', { n: 1 });
  await pass(patience);
  expect(transport.report()).toMatchObject({ missing: 1, late: 0 });
  await pass(5000);
  other.write('todos', 'a', { n: 1 });
  await pass(2 * patience);
  expect(transport.report()).toMatchObject({ missing: 0, late: 1, extra: 0, differences: [{ delay: 15_000 }] });
});

test('the app hears nothing of the secondary, and sends it nothing', async () => {
  const { other, secondary, sync, todos, transport, primary } = await opened();
  const events = record(sync as never, 'error', 'remoteInsert', 'statusChanged');
  other.write('todos', 'x', { n: 1 });
  secondary.wire.before = () => Promise.reject(lost());
  secondary.wire.cut();
  await pass(100_000);
  expect(events).toEqual([]);
  expect(await todos.count()).toBe(0);
  expect([transport.name, transport.capabilities]).toEqual([primary.name, primary.capabilities]);
  expect(secondary.wire.calls).toMatchObject({ pull: 0, push: 0, fetch: 0, keys: 0 });
});

test('while one side is not live nothing is compared, and that is said', async () => {
  const { one, other, secondary, primary, transport, both } = await opened();
  one.write('todos', 'waits', { n: 1 });
  secondary.wire.before = (step) => (step === 'connect' ? Promise.reject(lost()) : undefined);
  secondary.wire.cut();
  expect(transport.report()).toMatchObject({ watched: [], unwatched: 1, waiting: 0 });
  await pass(100);
  expect(transport.report().problem).toMatch(/cut/);
  await both('a', { n: 1 });
  expect(transport.report()).toMatchObject({ unwatched: 2 });
  secondary.wire.before = () => undefined;
  await pass(120_000);
  expect(transport.report()).toMatchObject({ watched: ['todos'], problem: undefined });
  await both('a', { n: 2 });
  // A gap says that some may be missing.
  one.write('todos', 'b', { n: 1 });
  secondary.wire.gap();
  expect(transport.report()).toMatchObject({ unwatched: 3, waiting: 0, watched: ['todos'] });
  one.write('todos', 'c', { n: 1 });
  primary.wire.gap();
  primary.wire.cut();
  other.write('todos', 'd', { n: 1 });
  await pass(0);
  expect(transport.report().watched).toEqual(['todos']);
  await pass(2 * patience);
  expect(transport.report()).toMatchObject({ ...nothing, unwatched: 4, matched: 1 });
});

test('parts of rows are completed, filters apply, and what differs in writing can be called the same', async () => {
  const { one, other, secondary, transport } = await opened(
    { same: (a, b) => Number(a.n) === Number(b.n) && a.secret === b.secret },
    {},
    { syncFilters: { todos: { where: { mine: true }, excludeFields: ['secret'] } } },
  );
  const row = { n: 1, mine: true };
  one.write('todos', 'a', { ...row, secret: 'x' });
  other.write('todos', 'a', row);
  secondary.wire.partialFields = ['n'];
  one.write('todos', 'a', { ...row, n: 2 });
  other.write('todos', 'a', { ...row, n: '2' });
  one.write('todos', 'not mine', { n: 1, mine: false });
  await pass(2 * patience);
  expect(transport.report()).toMatchObject({ ...nothing, matched: 2 });
  expect(secondary.wire.calls.fetch).toBe(1);
});

test('what a secondary with columns cannot keep apart is no difference', async () => {
  const { one, other, secondary, transport } = await opened();
  one.write('todos', 'a', { n: 1, at: '2026-01-02T03:04:05Z' });
  other.write('todos', 'a', { n: 1, at: '2026-01-02T03:04:05.000+00:00', note: null });
  await pass(2 * patience);
  expect(transport.report()).toMatchObject({ different: 1 });
  Object.assign(secondary, { values: () => ({ fields: 'columns' }) });
  one.write('todos', 'b', { n: 1, at: '2026-01-02T03:04:05Z' });
  other.write('todos', 'b', { n: 1, at: '2026-01-02T03:04:05.000+00:00', note: null });
  await pass(2 * patience);
  expect(transport.report()).toMatchObject({ different: 1, matched: 1 });
});

test('it is bounded, and leaves nothing behind', async () => {
  const { one, transport, sync, secondary } = await opened({ limit: 10, keep: 3 });
  for (let n = 0; n < 50; n++) one.write('todos', `r${n}`, { n });
  await settle();
  expect(transport.report()).toMatchObject({ waiting: 10, unwatched: 40 });
  await pass(2 * patience);
  expect(transport.report()).toMatchObject({ missing: 10, waiting: 0 });
  expect(transport.report().differences).toHaveLength(3);
  one.write('todos', 'last', { n: 1 });
  await sync.close();
  expect([vi.getTimerCount(), secondary.wire.subscriptions, secondary.wire.calls.close]).toEqual([0, 0, 1]);
});

test('a patience without end: a row that one side has not told waits, and no timer runs again and again', async () => {
  const { one, transport } = await opened({ patience: Number.POSITIVE_INFINITY });
  const timers = vi.spyOn(globalThis, 'setTimeout');
  onTestFinished(() => timers.mockRestore());
  one.write('todos', 'a', { n: 1 });
  await pass(1000);
  expect(transport.report()).toMatchObject({ waiting: 1, missing: 0 });
  expect(timers.mock.calls.length).toBeLessThan(10);
});
