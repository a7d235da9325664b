import { expect, onTestFinished, test } from 'vitest';
import { pollingTransport } from '../../../src/compose/index.js';
import { createMigration } from '../../../src/migrate/index.js';
import { memoryBackend, memoryTransport } from '../../../src/testing/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';
import { fill, pairOfBackends, rowsOf } from '../migrate/setup.js';

type Methods = { readonly [K in keyof RealtimeTransport]-?: NonNullable<RealtimeTransport[K]> };

/** A transport as an app may write it: its methods need their `this`. */
class ClassTransport implements RealtimeTransport {
  readonly name = 'class';
  readonly #inner: RealtimeTransport;

  constructor(inner: RealtimeTransport) {
    this.#inner = inner;
  }
  get capabilities() {
    return this.#inner.capabilities;
  }
  connect(...of: Parameters<Methods['connect']>) {
    return this.#inner.connect(...of);
  }
  subscribe(...of: Parameters<Methods['subscribe']>) {
    return this.#inner.subscribe(...of);
  }
  pull(...of: Parameters<Methods['pull']>) {
    return this.#inner.pull(...of);
  }
  push(...of: Parameters<Methods['push']>) {
    return this.#inner.push(...of);
  }
  fetch(...of: Parameters<Methods['fetch']>) {
    return (this.#inner as Methods).fetch(...of);
  }
  keys(...of: Parameters<Methods['keys']>) {
    return (this.#inner as Methods).keys(...of);
  }
  close() {
    return this.#inner.close();
  }
}

test('a composition calls what a class has with its `this`', async () => {
  const backend = memoryBackend();
  fill(backend, 3);
  const { fetch, keys } = pollingTransport(new ClassTransport(memoryTransport({ backend, deletes: 'none' })));
  const signal = new AbortController().signal;
  expect((await fetch?.('todos', ['t1'], { signal }))?.map(({ recordId }) => recordId)).toEqual(['t1']);
  const found: string[] = [];
  for await (const page of keys?.('todos', { signal }) ?? []) found.push(...page.map(({ recordId }) => recordId));
  expect(found.sort()).toEqual(['t0', 't1', 't2']);
});

test('a migration, too', async () => {
  const { a, b, options } = pairOfBackends();
  fill(a, 20);
  const ends = {
    from: { transport: new ClassTransport(memoryTransport({ backend: a, cursor: 'timestamp', deletes: 'none' })) },
    to: { transport: new ClassTransport(memoryTransport({ backend: b })) },
  };
  const migration = createMigration({ ...options(), ...ends });
  onTestFinished(() => migration.close());
  await migration.backfill();
  a.delete('todos', 't3', { hard: true });
  await migration.backfill();
  expect(rowsOf(b)).toEqual(rowsOf(a));
  const report = await migration.verify();
  expect(report.equal).toBe(true);
});
