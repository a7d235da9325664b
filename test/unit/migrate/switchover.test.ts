import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { SyncLayerInstance } from '../../../src/index.js';
import { createSwitchover, type SwitchPhase } from '../../../src/switchover.js';
import { memoryBackend, memoryTransport } from '../../../src/testing/index.js';
import { folder, rowsOf } from './setup.js';

/** A device with a flag that the test writes. */
async function device(first: SwitchPhase | 'silent' = 'from', maxAge = 15_000) {
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
  const app = await createSwitchover({
    read() {
      if (flag.phase === 'silent') throw new Error('no network');
      return flag.phase;
    },
    from: end(a, 'a'),
    to: end(b, 'b'),
    every: 5,
    maxAge,
    onSwitch: (sync, phase) => void seen.push([sync as unknown as SyncLayerInstance, phase]),
  });
  onTestFinished(() => app.close());
  const until = (phase: SwitchPhase) => vi.waitFor(() => expect(app.phase).toBe(phase), 10_000);
  const has = (backend: typeof a, id: string, text: string) =>
    vi.waitFor(() => expect(backend.rows('todos').get(id)?.text).toBe(text), 10_000);
  return { a, b, app, flag, seen, until, has };
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
