import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { SyncLayerInstance } from '../../../src/index.js';
import { createSwitchover, type SwitchPhase } from '../../../src/migrate/switchover.js';
import { memoryBackend, memoryTransport } from '../../../src/testing/index.js';
import { fakeTimers, pass } from '../../conformance/laws/harness.js';
import { folder, rowsOf } from './setup.js';

/** A device with a flag that the test writes. */
async function device(first: SwitchPhase | 'silent' = 'from', maxAge = 15_000, failures = 0) {
  const a = memoryBackend();
  const b = memoryBackend();
  const flag = { phase: first };
  const path = join(folder(), 'app.db');
  const seen: [SyncLayerInstance, string][] = [];
  const end = (backend: typeof a, source: string) => ({
    get transport() {
      return { ...memoryTransport({ backend }), source };
    },
    collections: ['todos'] as const,
    store: { type: 'sqlite', path } as const,
  });
  let openings = 0;
  const app = await createSwitchover({
    read() {
      if (flag.phase === 'silent') throw new Error('no network');
      return flag.phase;
    },
    from: end(a, 'a'),
    get to() {
      openings += 1;
      return openings > failures
        ? end(b, 'b')
        : { transport: { type: 'nothing' } as never, collections: ['todos'] as const };
    },
    every: 5,
    maxAge,
    onSwitch: (sync, phase) => void seen.push([sync as unknown as SyncLayerInstance, phase]),
  });
  onTestFinished(() => app.close());
  const until = (phase: SwitchPhase) => vi.waitFor(() => expect(app.phase).toBe(phase), 10_000);
  const has = (backend: typeof a, id: string, text: string) =>
    vi.waitFor(() => expect(backend.rows('todos').get(id)?.text).toBe(text), 10_000);
  return { a, b, app, flag, seen, until, has, openings: () => openings };
}

test('edits made while held reach the other backend, and only that', async () => {
  const { a, b, app, flag, seen, until, has } = await device();
  await app.sync.collection('todos').save({ text: 'Before' }, '1');
  await has(a, '1', 'Before');
  flag.phase = 'hold';
  await until('hold');
  await app.sync.collection('todos').save({ text: 'Held' }, '2');
  await app.sync.collection('todos').save({ text: 'Changed while held' }, '1');
  const before = a.seq;
  // What a migration does meanwhile.
  b.write('todos', '1', { text: 'Before' });
  flag.phase = 'to';
  await until('to');
  await has(b, '2', 'Held');
  await has(b, '1', 'Changed while held');
  expect(a.seq).toBe(before);
  expect(seen.map(([, phase]) => phase)).toEqual(['from', 'to']);
  expect(seen[1]?.[0]).toBe(app.sync);

  flag.phase = 'hold';
  await until('hold');
  await app.sync.collection('todos').save({ text: 'Back' }, '3');
  a.write('todos', '1', { text: 'Changed while held' });
  a.write('todos', '2', { text: 'Held' });
  flag.phase = 'from';
  await until('from');
  await has(a, '3', 'Back');
  expect(b.rows('todos').has('3')).toBe(false);
  expect(Object.keys(rowsOf(a))).toEqual(['1', '2', '3']);
});

test('a hold that ends where it began sends what waited', async () => {
  const { a, app, flag, until, has, seen } = await device();
  flag.phase = 'hold';
  await until('hold');
  await app.sync.collection('todos').save({ text: 'Held' }, '1');
  expect(a.seq).toBe(0);
  flag.phase = 'from';
  await has(a, '1', 'Held');
  expect(seen).toHaveLength(1);
});

test('started while all are held, or without the flag, it sends nothing', async () => {
  for (const first of ['hold', 'silent'] as const) {
    const { a, app, flag, has } = await device(first);
    expect(app.phase).toBe('hold');
    await app.sync.collection('todos').save({ text: 'Held' }, '1');
    expect(a.seq).toBe(0);
    flag.phase = 'from';
    await has(a, '1', 'Held');
  }
});

test('a device that cannot read the flag goes on for a while, and then holds', async () => {
  const { a, app, flag, until, has } = await device('from', 300);
  flag.phase = 'silent';
  await app.check();
  expect(app.phase).toBe('from');
  await app.sync.collection('todos').save({ text: 'Still' }, '1');
  await has(a, '1', 'Still');
  await until('hold');
  flag.phase = 'from';
  await until('from');
});

test('a backend that cannot be opened is tried again, and the edits wait', async () => {
  const { a, b, app, flag, seen, has, openings } = await device('hold', 15_000, 3);
  await app.sync.collection('todos').save({ text: 'Held' }, '1');
  flag.phase = 'to';
  await vi.waitFor(() => expect(openings()).toBeGreaterThan(3), 10_000);
  await has(b, '1', 'Held');
  await app.sync.collection('todos').save({ text: 'After' }, '2');
  await has(b, '2', 'After');
  expect([app.phase, a.seq, seen.map(([, phase]) => phase)]).toEqual(['to', 0, ['hold', 'to']]);
});

test('where the other backend cannot be opened, the flag may send it back, but silence may not', async () => {
  const { a, app, flag, has, openings } = await device('from', 300, Number.POSITIVE_INFINITY);
  flag.phase = 'to';
  await vi.waitFor(() => expect(openings()).toBeGreaterThan(0), 10_000);
  flag.phase = 'silent';
  await vi.waitFor(() => expect(app.phase).toBe('hold'), 10_000);
  await app.sync.collection('todos').save({ text: 'Held' }, '1');
  expect(a.seq).toBe(0);
  flag.phase = 'from';
  await has(a, '1', 'Held');
  expect(app.phase).toBe('from');
});

test('it holds when its last answer is `maxAge` old, however the reads fail', async () => {
  for (const fail of [() => new Promise<never>(() => undefined), () => Promise.reject(new Error('no network'))]) {
    fakeTimers();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      const limit = new AbortController();
      setTimeout(() => limit.abort(), ms);
      return limit.signal;
    });
    onTestFinished(() => timeout.mockRestore());
    let answers = true;
    const end = { transport: memoryTransport(), collections: ['todos'] as const };
    const read = (): Promise<SwitchPhase> => (answers ? Promise.resolve('from') : fail());
    const app = await createSwitchover({ read, from: end, to: end, every: 400, maxAge: 900 });
    await pass(400);
    answers = false;
    await pass(899);
    expect(app.phase).toBe('from');
    await pass(1);
    expect(app.phase).toBe('hold');
    answers = true;
    await pass(900 + 400);
    expect(app.phase, 'and it goes on once it knows').toBe('from');
    await app.close();
  }
});
