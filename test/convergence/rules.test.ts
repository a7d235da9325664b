import { describe, expect, test } from 'vitest';
import { memoryStore } from '../../src/index.js';
import { memoryTransport } from '../../src/testing/index.js';
import type { RealtimeTransport } from '../../src/transport/transport.js';
import { memoryConformance } from '../conformance/transports/memory-conformance.js';
import type { Plan, Step } from './plan.js';
import { createDisk, createLedger, createStory } from './rules.js';
import { run, type Surroundings } from './run.js';

/* A rule that nothing can break proves nothing: each of them is broken here. */

function complaints<T>(make: (complain: (what: string) => void) => T): { rule: T; said: string[] } {
  const said: string[] = [];
  return { rule: make((what) => said.push(what)), said };
}

describe('the story of the events', () => {
  const row = (count: number) => ({ id: 'a', count });

  test('a change is told once, for what it is', () => {
    const { rule, said } = complaints(createStory);
    rule.told('insert', 'a', row(1));
    rule.told('update', 'a', row(2));
    rule.told('delete', 'a', null);
    rule.told('insert', 'a', row(2));
    expect(said).toEqual([]);
    rule.told('update', 'a', row(2));
    rule.told('insert', 'a', row(3));
    rule.told('delete', 'a', null);
    rule.told('delete', 'a', null);
    rule.synced('op');
    rule.synced('op');
    expect(said).toEqual([
      'update of a was told, and nothing had changed',
      'insert of a was told for an update',
      'the delete of a was told, and it was gone',
      'the edit op was acknowledged twice',
    ]);
  });

  test("the app's own edit is not told again, nothing is left out, and nothing comes after the close", () => {
    const { rule, said } = complaints(createStory);
    rule.edited('a', row(1));
    rule.told('update', 'a', row(1));
    rule.compare(new Map([['a', row(2)]]));
    rule.end();
    rule.told('delete', 'a', null);
    expect(said).toHaveLength(3);
  });
});

test('a version that goes back is seen on the disk', async () => {
  const inner = memoryStore();
  const { rule, said } = complaints((complain) => createDisk(() => inner, complain));
  const store = rule.store();
  await store.open();
  const commit = (version: number) =>
    store.commit([{ table: 'rows', key: ['todos', 'a'], value: { row: null, version } }]);
  await commit(2);
  await commit(2);
  expect(said).toEqual([]);
  await commit(1);
  expect(said).toEqual(['todos/a went back from version 2 to 1']);
});

describe('the ledger of the edits', () => {
  const holding = (count?: number) => new Map(count === undefined ? [] : [['a', { id: 'a', count }]]);

  test('what was acknowledged last must be there, unless somebody wrote meanwhile', () => {
    const { rule, said } = complaints(createLedger);
    rule.edit(0, 'a', 1);
    rule.acknowledged(0, 'a');
    rule.edit(1, 'a', 2);
    rule.acknowledged(1, 'a');
    rule.check(holding(2), () => false);
    expect([said, rule.proved]).toEqual([[], 1]);
    rule.check(holding(1), () => false);
    expect(said).toHaveLength(1);
    // Not acknowledged when the next one is made: either may be the last.
    rule.edit(0, 'a', 3);
    rule.edit(1, 'a', 4);
    rule.acknowledged(1, 'a');
    rule.acknowledged(0, 'a');
    rule.check(holding(3), () => false);
    expect(said).toHaveLength(1);
  });

  test('where one client alone edits, the last save() that resolved is there, or a later one', () => {
    const { rule, said } = complaints(createLedger);
    rule.edit(0, 'a', 1)();
    rule.edit(0, 'a', 2)();
    rule.edit(0, 'a', 3);
    for (const count of [2, 3]) rule.check(holding(count), () => true);
    expect(said).toEqual([]);
    rule.check(holding(1), () => true);
    rule.check(holding(), () => true);
    expect(said).toHaveLength(2);
  });
});

describe('a whole run', () => {
  const steps: readonly Step[] = [
    { do: 'time', ms: 30 },
    { do: 'save', who: 0, which: 'own', text: 'x', done: false },
    { do: 'write elsewhere', which: 'c', text: 'y' },
    { do: 'time', ms: 30 },
  ];
  const plan: Plan = {
    clients: 2,
    conflictStrategy: 'lastWriteWins',
    bufferLimit: 100,
    delivery: [],
    pageSize: 100,
    dice: 1,
    steps,
  };
  let timers = 0;
  const surroundings: Surroundings = {
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    patience: 400,
    farewell: 0,
    store: () => {
      const store = memoryStore();
      return () => store;
    },
    handles: () => Array.from({ length: timers }, () => 'timer'),
  };
  const over = (change: (transport: ReturnType<typeof memoryTransport>) => RealtimeTransport) => {
    timers = 0;
    const kind = { cursor: 'sequence', deletes: 'tombstones' } as const;
    const target = {
      name: 'broken',
      capabilities: memoryTransport(kind).capabilities,
      backend: async () => memoryConformance(kind),
      create: (backend: ReturnType<typeof memoryConformance>) =>
        change(backend.transport() as ReturnType<typeof memoryTransport>),
    };
    return run(target, plan, surroundings);
  };

  test('passes where nothing is broken', async () => {
    expect(await over((transport) => transport)).toMatchObject({ edits: 1, acknowledged: 1 });
  });

  test('fails if an edit is acknowledged and not kept', async () => {
    const forgetful = over((transport) => ({
      ...transport,
      push: async (changes) => changes.map(() => ({ type: 'applied', version: 1000 })),
    }));
    await expect(forgetful).rejects.toThrow(/own-0: save\(\) of count \d+ resolved, and it holds undefined/);
  });

  test('fails if a client misses something for good', async () => {
    const deaf = over((transport) => ({
      ...transport,
      subscribe: (request, sink) => transport.subscribe(request, { ...sink, change: () => undefined, live: sink.live }),
      pull: async (request) => ({ changes: [], cursor: request.cursor ?? 0 }),
    }));
    await expect(deaf).rejects.toThrow(/client 0 shows undefined, and the backend holds/);
  });

  test('fails if something is left open', async () => {
    const leaking = over((transport) => ({
      ...transport,
      async close() {
        timers += 1;
        await transport.close();
      },
    }));
    await expect(leaking).rejects.toThrow('a timer is left');
  });
});
