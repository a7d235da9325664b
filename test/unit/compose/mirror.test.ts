import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { type MirrorOptions, mirrorTransport } from '../../../src/compose/index.js';
import { createSyncLayer, SyncLayerError } from '../../../src/index.js';
import { type MemoryBackend, type MemoryTransportOptions, memoryTransport } from '../../../src/testing/index.js';
import type { TransportHost } from '../../../src/transport/transport.js';
import { backendWith, closed, fakeTimers, gate, lost, pass, record, settle } from '../../conformance/laws/harness.js';

const rowsOf = (backend: MemoryBackend): Record<string, Row> => Object.fromEntries(backend.rows('todos'));

interface Setting extends Partial<Omit<MirrorOptions, 'primary' | 'secondary'>> {
  readonly first?: MemoryBackend;
  readonly second?: MemoryBackend;
  readonly kind?: MemoryTransportOptions;
}

function mirrored({ first = backendWith({}), second = backendWith({}), kind = {}, ...options }: Setting = {}) {
  // Their versions have nothing in common.
  for (let n = 0; n < 50; n++) second.write('other', 'x', { n });
  const primary = memoryTransport({ backend: first });
  const secondary = memoryTransport({ ...kind, backend: second });
  return { first, second, primary, secondary, transport: mirrorTransport({ ...options, primary, secondary }) };
}

async function opened(setting: Setting = {}) {
  const parts = mirrored(setting);
  const sync = await createSyncLayer({ transport: parts.transport, collections: ['todos'] });
  onTestFinished(() => closed(sync as never));
  await settle();
  return { ...parts, sync, todos: sync.collection('todos') };
}

for (const kind of [{}, { cursor: 'timestamp', deletes: 'none', idempotent: false }] as const)
  test(`every write reaches both: ${JSON.stringify(kind)}`, async () => {
    const { first, second, transport, todos } = await opened({ kind });
    await todos.save({ n: 1, gone: 1 }, 'a');
    await todos.save({ n: 1 }, 'b');
    await transport.level();
    expect(rowsOf(second)).toEqual(rowsOf(first));
    await todos.save({ n: 2 }, 'a');
    await todos.delete('b');
    await settle();
    await transport.level();
    expect(rowsOf(second)).toEqual({ a: { id: 'a', n: 2 } });
    expect(transport.report()).toEqual({ queued: 0, behind: [], written: 4, refused: [], problem: undefined });
  });

test('a secondary with columns is not written again for the nulls of its columns', async () => {
  const { secondary, second, transport } = await opened({ first: backendWith({ a: { n: 1 } }) });
  second.write('todos', 'a', { n: 1, note: null });
  Object.assign(secondary, { values: () => ({ fields: 'columns' }) });
  await transport.level(['todos']);
  expect(transport.report()).toMatchObject({ written: 0 });
  expect(rowsOf(second)).toEqual({ a: { id: 'a', n: 1, note: null } });
});

test('a part of a row that cannot be read whole is not written over the row of the secondary', async () => {
  const { primary, second, transport } = await opened({ second: backendWith({ a: { n: 0, text: 'whole' } }) });
  const changes = [
    { type: 'update', collection: 'todos', recordId: 'a', version: 7, data: { n: 1 }, partial: true } as const,
  ];
  const pull = primary.pull.bind(primary);
  Object.assign(primary, {
    fetch: undefined,
    pull: async (request: Parameters<typeof pull>[0]) => {
      const page = await pull(request);
      return request.cursor === null ? { ...page, cursor: { after: 1 }, changes } : { ...page, changes: [] };
    },
  });
  void transport.level(['todos']).catch(() => undefined);
  await settle(100);
  expect(transport.report().problem).toContain('gave a part of a row of "todos" and has no fetch');
  expect(rowsOf(second)).toEqual({ a: { id: 'a', n: 0, text: 'whole' } });
});

test('the app reads the primary alone, and keeps its name, cursor and versions', async () => {
  const { primary, secondary, transport, second, sync, todos } = await opened({ second: backendWith({ x: { n: 1 } }) });
  second.write('todos', 'y', { n: 1 });
  await settle();
  expect(await todos.count()).toBe(0);
  expect([transport.name, transport.source, transport.capabilities]).toEqual([
    primary.name,
    primary.source,
    primary.capabilities,
  ]);
  expect(secondary.wire.calls).toMatchObject({ connect: 0, subscribe: 0, pull: 0 });
  await sync.close();
  expect([primary.wire.calls.close, secondary.wire.calls.close]).toEqual([1, 1]);
});

test('a collection is behind until it has been compared to the end', async () => {
  const { secondary, second, first, transport } = await opened({ first: backendWith({ a: { n: 1 } }) });
  const hold = gate();
  secondary.wire.before = (step) => (step === 'pull' ? hold.opened : undefined);
  const level = transport.level(['todos']);
  await settle();
  expect(secondary.wire.calls.pull).toBeGreaterThan(0);
  expect(transport.report()).toMatchObject({ behind: ['todos'] });
  hold.open();
  await level;
  expect(transport.report().behind).toEqual([]);
  expect(rowsOf(second)).toEqual(rowsOf(first));
});

test('what the secondary does is no error of the app, and is made up for', async () => {
  fakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(1);
  onTestFinished(() => void vi.restoreAllMocks());
  const { first, second, secondary, transport, sync, todos } = await opened();
  const errors = record(sync, 'error', 'operationFailed', 'syncFailed');
  secondary.wire.before = () => Promise.reject(lost());
  for (const id of ['a', 'b', 'c']) await todos.save({ n: 1 }, id);
  await todos.update('a', { n: 2 });
  await pass(0);
  expect(rowsOf(first).a).toEqual({ id: 'a', n: 2 });
  expect([sync.status, errors]).toEqual([{ phase: 'live', pending: 0 }, []]);
  expect(transport.report()).toMatchObject({ queued: 3, behind: [], problem: 'The line was cut by the test.' });
  // Full jitter at its longest: 1, 2, 4 s.
  const attempts = secondary.wire.calls.connect;
  await pass(999);
  expect(secondary.wire.calls.connect).toBe(attempts);
  await pass(1);
  expect(secondary.wire.calls.connect).toBe(attempts + 1);
  await pass(1999);
  expect(secondary.wire.calls.connect).toBe(attempts + 1);
  secondary.wire.before = () => undefined;
  await pass(1);
  expect(rowsOf(second)).toEqual(rowsOf(first));
  expect(transport.report()).toMatchObject({ queued: 0, written: 3, problem: undefined });
});

test('an answer of the secondary that is lost does no harm', async () => {
  fakeTimers();
  const { first, second, secondary, transport, todos } = await opened({ kind: { idempotent: false } });
  secondary.wire.loseAnswers = true;
  await todos.save({ n: 1 }, 'a');
  await pass(0);
  secondary.wire.loseAnswers = false;
  await pass(60_000);
  expect(rowsOf(second)).toEqual(rowsOf(first));
  expect(second.log('todos').length + second.log('other').length, 'it was written once').toBe(2);
  expect(transport.report()).toMatchObject({ queued: 0, problem: undefined });
});

test('of an edit whose answer from the primary is lost, the mirror gets what the primary holds', async () => {
  const { first, second, primary, transport, todos } = await opened();
  primary.wire.loseAnswers = true;
  await todos.save({ n: 1 }, 'a');
  await settle();
  await transport.level();
  expect(rowsOf(second)).toEqual(rowsOf(first));
  expect(rowsOf(second)).toEqual({ a: { id: 'a', n: 1 } });
});

// It is about to read the secondary; it has read both, and is about to write.
test.each(['fetch', 'push'])('two clients in the wrong order, held at the %s: the newest row stays', async (held) => {
  const shared = { first: backendWith({}), second: backendWith({}) };
  const [slow, fast] = [await opened(shared), await opened(shared)];
  const hold = gate();
  slow.secondary.wire.before = (step) => (step === held ? hold.opened : undefined);
  await slow.todos.save({ n: 'old' }, 'a');
  await settle();
  await fast.todos.save({ n: 'new' }, 'a');
  await settle();
  await fast.transport.level();
  expect(rowsOf(shared.second)).toEqual({ a: { id: 'a', n: 'new' } });
  hold.open();
  await slow.transport.level();
  expect(rowsOf(shared.second)).toEqual({ a: { id: 'a', n: 'new' } });
});

test('what somebody writes to the secondary in between is overwritten; what is equal is not written', async () => {
  const { first, second, secondary, transport, todos, primary } = await opened({
    first: backendWith({ same: { n: 1 } }),
    second: backendWith({ same: { n: 1 } }),
  });
  const hold = gate();
  secondary.wire.before = (step) => (step === 'push' ? hold.opened : undefined);
  await todos.save({ n: 1 }, 'a');
  await settle();
  second.write('todos', 'a', { n: 'stray' });
  hold.open();
  await transport.level();
  expect(rowsOf(second)).toEqual(rowsOf(first));
  primary.wire.decide = () => ({ type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'No.') });
  await todos.update('same', { n: 2 });
  await settle();
  await transport.level();
  expect(transport.report().written).toBe(1);
});

test('after a failure it connects again, and after a success waits no longer than the first time', async () => {
  fakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(1);
  onTestFinished(() => void vi.restoreAllMocks());
  const { secondary, todos } = await opened();
  const { calls } = secondary.wire;
  for (const round of [1, 2]) {
    secondary.wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
    await todos.save({ n: round }, 'a');
    await pass(0);
    expect(calls).toMatchObject({ connect: round === 1 ? 1 : 2, push: 2 * round - 1 });
    secondary.wire.before = () => undefined;
    await pass(1000);
    expect(calls).toMatchObject({ connect: round + 1, push: 2 * round });
  }
});

test('a secondary that never answers holds up no close, and its reports are none of the app', async () => {
  const parts = mirrored();
  const { secondary } = parts;
  let host: TransportHost | undefined;
  Object.assign(secondary, {
    attach(given: TransportHost) {
      host = given;
    },
  });
  const sync = await createSyncLayer({ transport: parts.transport, collections: ['todos'] });
  await settle();
  const errors = record(sync as never, 'error');
  host?.report(lost());
  expect(errors).toEqual([]);
  for (const step of ['connect', 'fetch', 'push']) {
    secondary.wire.before = (at) => (at === step ? new Promise(() => undefined) : undefined);
    await sync.collection('todos').save({ step }, 'a');
    await settle();
    await sync.pause();
    sync.resume();
    await settle();
  }
  await sync.close();
  expect(secondary.wire.calls.close).toBe(1);
});

describe('more than can wait', () => {
  test('is behind, and brought level by a comparison', async () => {
    fakeTimers();
    const { first, second, secondary, transport, todos } = await opened({
      limit: 5,
      second: backendWith({ extra: { n: 1 }, '9': { n: 'old' } }),
    });
    secondary.wire.before = () => Promise.reject(lost());
    for (let n = 0; n < 20; n++) await todos.save({ n }, String(n));
    await pass(0);
    expect(transport.report()).toMatchObject({ behind: ['todos'] });
    expect(transport.report().queued).toBeLessThanOrEqual(5 + 100);
    secondary.wire.before = () => undefined;
    await pass(60_000);
    expect(rowsOf(second)).toEqual(rowsOf(first));
    expect(transport.report()).toMatchObject({ queued: 0, behind: [], problem: undefined });
  });

  test('a comparison that breaks off is done again', async () => {
    fakeTimers();
    const first = backendWith(Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`r${n}`, { n }])));
    const { second, secondary, transport } = mirrored({ first });
    let pushes = 0;
    secondary.wire.before = (step) => (step === 'push' && ++pushes === 2 ? Promise.reject(lost()) : undefined);
    const level = transport.level(['todos']);
    await pass(0);
    expect(transport.report()).toMatchObject({ behind: ['todos'], written: 100 });
    await pass(60_000);
    await level;
    expect(rowsOf(second)).toEqual(rowsOf(first));
    expect(transport.report().written).toBe(250);
    await transport.close();
  });
});

test('level() finds what nobody marked: missing, extra and different rows, and writes no other', async () => {
  const first = backendWith({ same: { n: 1 }, other: { n: 1 }, missing: { n: 1 }, typed: { n: 1 } });
  const second = backendWith({ same: { n: 1 }, other: { n: 2, x: 1 }, extra: { n: 1 }, typed: { n: '1' } });
  const { transport } = mirrored({ first, second });
  await transport.level(['todos']);
  expect(rowsOf(second)).toEqual(rowsOf(first));
  expect(transport.report().written).toBe(4);
  await transport.level(['todos']);
  expect(transport.report().written).toBe(4);
  await transport.close();
  await expect(transport.level()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('rows that two backends write in two ways can be called the same', async () => {
  const first = backendWith({ a: { at: '2026-01-01T00:00:00Z' }, b: { at: '2026-01-01T00:00:00Z' } });
  const second = backendWith({ a: { at: '2026-01-01T00:00:00.000Z' }, b: { at: '2025-01-01T00:00:00.000Z' } });
  const same = (one: Row, other: Row): boolean => Date.parse(one.at as string) === Date.parse(other.at as string);
  const { transport } = mirrored({ first, second, same });
  await transport.level(['todos']);
  expect(transport.report().written).toBe(1);
  await transport.close();
});

test('what the secondary refuses for good is listed, and holds up nothing', async () => {
  const { second, secondary, transport, todos } = await opened();
  secondary.wire.decide = ({ recordId }) =>
    recordId === 'bad' ? { type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'Not this one.') } : undefined;
  await todos.save({ n: 1 }, 'bad');
  await todos.save({ n: 1 }, 'good');
  await settle();
  await transport.level();
  expect(rowsOf(second)).toEqual({ good: { id: 'good', n: 1 } });
  expect(transport.report()).toMatchObject({
    queued: 0,
    refused: [{ collection: 'todos', recordId: 'bad', reason: 'Not this one.' }],
  });
});

test('paused it is silent, and goes on; closed in the middle nothing is left', async () => {
  fakeTimers();
  const { first, second, secondary, transport, sync, todos } = await opened();
  secondary.wire.before = () => Promise.reject(lost());
  await todos.save({ n: 1 }, 'a');
  await pass(0);
  await sync.pause();
  const { connect } = secondary.wire.calls;
  await pass(600_000);
  expect(secondary.wire.calls.connect).toBe(connect);
  secondary.wire.before = () => undefined;
  sync.resume();
  await pass(0);
  expect(rowsOf(second)).toEqual(rowsOf(first));
  secondary.wire.before = () => Promise.reject(lost());
  await todos.save({ n: 2 }, 'a');
  await pass(0);
  const level = expect(transport.level()).rejects.toMatchObject({ code: 'CLOSED' });
  await sync.close();
  await level;
  expect(vi.getTimerCount()).toBe(0);
});

test('whatever fails and whoever writes, in the end the secondary holds what the primary holds', async () => {
  // A wait of the backoff takes no time.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  onTestFinished(() => void vi.restoreAllMocks());
  const step = fc.record({
    who: fc.nat(2),
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    what: fc.constantFrom('save', 'save', 'delete', 'elsewhere', 'wait'),
    trouble: fc.constantFrom('none', 'none', 'secondary', 'answers', 'primary'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const shared = { first: backendWith({}), second: backendWith({}), limit: 2 };
      const clients = [mirrored(shared), mirrored(shared), mirrored({ ...shared, kind: { idempotent: false } })];
      let n = 0;
      for (const { who, id, what, trouble } of steps) {
        const { transport, primary, secondary } = clients[who] as (typeof clients)[number];
        secondary.wire.before = () => (trouble === 'secondary' ? Promise.reject(lost()) : undefined);
        primary.wire.before = () => (trouble === 'primary' ? Promise.reject(lost()) : undefined);
        secondary.wire.loseAnswers = trouble === 'answers';
        const before = shared.first.get('todos', id);
        const data = what === 'delete' ? null : { id, n: ++n };
        if (what === 'wait') await settle(3);
        else if (what === 'elsewhere') shared.second.write('todos', id, { n: `stray ${++n}` });
        else
          void transport
            .push(
              [
                {
                  ...{ type: data ? ('insert' as const) : ('delete' as const), collection: 'todos', recordId: id },
                  ...{ opId: String(++n), data, base: before?.data ?? null, timestamp: 0 },
                  baseVersion: before?.data ? before.seq : null,
                },
              ],
              { signal: new AbortController().signal },
            )
            .catch(() => undefined);
      }
      await settle(5);
      for (const { primary, secondary } of clients) {
        for (const { wire } of [primary, secondary])
          Object.assign(wire, { before: () => undefined, loseAnswers: false });
      }
      // Only the marks; what was written past the mirror was marked by nobody, but for the records that were pushed too.
      const strays = new Set<string>(steps.filter(({ what }) => what === 'elsewhere').map(({ id }) => id));
      await Promise.all(clients.map(({ transport }) => transport.level()));
      await Promise.all(clients.map(({ transport }) => transport.level()));
      const without = (rows: Record<string, Row>): Record<string, Row> =>
        Object.fromEntries(Object.entries(rows).filter(([id]) => !strays.has(id)));
      expect(without(rowsOf(shared.second))).toEqual(without(rowsOf(shared.first)));
      await clients[0]?.transport.level(['todos']);
      expect(rowsOf(shared.second)).toEqual(rowsOf(shared.first));
      for (const { transport } of clients) await transport.close();
    }),
    { numRuns: 60 },
  );
});
