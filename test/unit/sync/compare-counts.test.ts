import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryStore } from '../../../src/index.js';
// Loaded when they are used, which fake time does not wait for.
import '../../../src/sync/audit.js';
import '../../../src/sync/audit-pace.js';
import {
  backendRows,
  backendWith,
  type Client,
  fakeTimers,
  type open,
  openLive,
  pass,
  rowsOf,
} from '../../conformance/laws/harness.js';

const AUDIT = 1000;
const rows = (count: number): Record<string, { n: number }> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`row ${n}`, { n }]));
const kinds = [{ deletes: 'tombstones' }, { deletes: 'none' }] as const;

/** A client of a backend that counts, whose audits are at its command. */
const counting = (options: Parameters<typeof open>[0] = {}) =>
  openLive({ counts: true, ...options, config: { auditInterval: AUDIT, ...options.config } });

/** What the next audit asked for. */
async function audit(client: Client): Promise<{ count: number; keys: number; fetch: number; reads: number }> {
  const { calls } = client.wire;
  const before = { ...calls, reads: client.sync.metrics().reads };
  await pass(AUDIT);
  return {
    count: calls.count - before.count,
    keys: calls.keys - before.keys,
    fetch: calls.fetch - before.fetch,
    reads: client.sync.metrics().reads - before.reads,
  };
}

/** Nothing of what is done here is told. */
function silently(client: Client, work: () => void): void {
  client.wire.deliver = false;
  work();
  client.wire.deliver = true;
}

describe.each(kinds)('$deletes', ({ deletes }) => {
  const hard = deletes === 'none';

  test('where nothing differs, counts are all that is asked for', async () => {
    fakeTimers();
    const client = await counting({ deletes, backend: backendWith(rows(3000)) });
    client.backend.delete('todos', 'row 7', { hard });
    client.backend.write('todos', 'row 8', { n: -8 });
    await client.todos.save({ n: 1 }, 'mine');
    await client.todos.delete('row 9');
    await pass(0);
    for (let time = 0; time < 10; time++) {
      const asked = await audit(client);
      expect(asked).toMatchObject({ keys: 0, fetch: 0 });
      expect(asked.reads).toBeLessThan(8);
    }
  });

  test('what came untold is found, for few reads', async () => {
    fakeTimers();
    const client = await counting({ deletes, backend: backendWith(rows(3000)), cursor: 'timestamp', overlap: 0 });
    const time = client.backend.now() - 3_600_000;
    silently(client, () => {
      client.backend.write('todos', 'new', { n: 1 }, { time });
      client.backend.delete('todos', 'row 20', { hard, time });
    });
    const { reads } = await audit(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(reads).toBeLessThan(200);
  });

  test('a change that left its time behind is found within a few audits', async () => {
    fakeTimers();
    const client = await counting({ deletes, backend: backendWith(rows(2000)), cursor: 'timestamp', overlap: 0 });
    silently(client, () =>
      client.backend.write('todos', 'row 10', { n: -1 }, { time: client.backend.now() - 3_600_000 }),
    );
    await audit(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('rows that the filter leaves out are known all the same', async () => {
    fakeTimers();
    const client = await counting({
      deletes,
      backend: backendWith(rows(100)),
      config: { collections: { todos: { filter: { where: { n: 5 } } } } } as never,
    });
    client.backend.write('todos', 'row 5', { n: 6 });
    client.backend.write('todos', 'row 6', { n: 5 });
    await pass(0);
    expect(Object.keys(await rowsOf(client))).toEqual(['row 6']);
    for (let time = 0; time < 5; time++) expect(await audit(client)).toMatchObject({ keys: 0, fetch: 0 });
  });

  test('tombstones and rows left out are not forgotten while the backend counts them', async () => {
    fakeTimers();
    const store = memoryStore();
    const backend = backendWith(rows(50));
    const config = { store, collections: { todos: { filter: { where: { n: 5 } } } } } as never;
    const first = await counting({ deletes, backend, config });
    backend.delete('todos', 'row 7', { hard });
    await first.todos.delete('row 5');
    await pass(0);
    await first.sync.close();
    await pass(30 * 24 * 3_600_000);
    const again = await counting({ deletes, backend, config });
    await audit(again);
    expect(again.wire.calls.keys).toBe(0);
  });

  test('tombstones that the backend has purged are forgotten, and cost nothing more', async () => {
    fakeTimers();
    const client = await counting({ deletes, backend: backendWith(rows(50)) });
    client.backend.delete('todos', 'row 7', { hard });
    await pass(0);
    silently(client, () => client.backend.delete('todos', 'row 7', { hard: true }));
    await audit(client);
    for (let time = 0; time < 5; time++) expect(await audit(client)).toMatchObject({ keys: 0, fetch: 0 });
  });

  test('a row that changes while it is compared is not taken for deleted', async () => {
    fakeTimers();
    const client = await counting({ deletes, backend: backendWith(rows(200)), cursor: 'timestamp', overlap: 0 });
    const deleted: string[] = [];
    client.sync.events.on('remoteDelete', ({ recordId }) => void deleted.push(recordId));
    silently(client, () => client.backend.write('todos', 'new', { n: 1 }, { time: 1 }));
    let times = 0;
    client.wire.before = (step) => {
      if ((step === 'keys' || step === 'count') && ++times < 10)
        silently(client, () => {
          for (let n = 0; n < 200; n += 5) client.backend.write('todos', `row ${n}`, { n: 1000 + n });
        });
    };
    await audit(client);
    client.wire.before = () => undefined;
    await audit(client);
    expect(deleted).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });
});

type Step = {
  readonly do: 'write' | 'delete' | 'save' | 'remove';
  readonly id: number;
  readonly told: boolean;
  readonly late: boolean;
};

test('whatever comes untold, audits make all equal', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...kinds),
      fc.boolean(),
      fc.array(
        fc.record({
          do: fc.constantFrom<Step['do']>('write', 'delete', 'save', 'remove'),
          id: fc.nat(40),
          told: fc.boolean(),
          late: fc.boolean(),
        }),
        { maxLength: 40 },
      ),
      async ({ deletes }, filtered, steps) => {
        fakeTimers();
        const filter = filtered ? { where: { even: true } } : {};
        const client = await counting({
          deletes,
          backend: backendWith(
            Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`row ${n}`, { n, even: true }])),
          ),
          cursor: 'timestamp',
          overlap: 0,
          config: { collections: { todos: { filter } } } as never,
        });
        for (const [index, step] of steps.entries()) {
          const id = `row ${step.id}`;
          const row = { n: index, even: index % 2 === 0 };
          const time = step.late ? { time: 1 + index } : {};
          client.wire.deliver = step.told;
          if (step.do === 'write') client.backend.write('todos', id, row, time);
          if (step.do === 'delete' && client.backend.get('todos', id)?.data)
            client.backend.delete('todos', id, { hard: deletes === 'none', ...time });
          if (step.do === 'save') await client.todos.save(row, id);
          if (step.do === 'remove') await client.todos.delete(id);
          await pass(0);
        }
        client.wire.deliver = true;
        const expected = () =>
          Object.fromEntries(Object.entries(backendRows(client)).filter(([, row]) => !filtered || row.even === true));
        const isEqual = async (): Promise<boolean> =>
          JSON.stringify(Object.entries(await rowsOf(client)).sort()) ===
          JSON.stringify(Object.entries(expected()).sort());
        // Of two versions between which no cut is, another audit tells.
        for (let time = 0; time < 200 && !(await isEqual()); time++) await audit(client);
        expect(await rowsOf(client)).toEqual(expected());
        await client.sync.close();
      },
    ),
    { numRuns: 40 },
  ));
