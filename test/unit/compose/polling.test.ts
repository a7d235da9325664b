import { expect, onTestFinished, test } from 'vitest';
import { pollingTransport } from '../../../src/compose/index.js';
import { createSyncLayer } from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';
import { closed, fakeTimers, pass } from '../../conformance/laws/harness.js';

test('any transport is read every syncInterval: changes, deletes and edits, with no link', async () => {
  fakeTimers();
  for (const deletes of ['tombstones', 'none'] as const) {
    const memory = memoryTransport({ deletes });
    const { backend, wire } = memory;
    const transport = pollingTransport(memory);
    const sync = await createSyncLayer({ transport, syncInterval: 2000, collections: ['todos'] });
    onTestFinished(() => closed(sync as never));
    const todos = sync.collection('todos');
    await pass(0);
    expect([sync.status.phase, transport.name]).toEqual(['polling', 'memory']);
    backend.write('todos', 'a', { n: 1 });
    backend.write('todos', 'b', { n: 1 });
    await pass(1999);
    expect(await todos.count()).toBe(0);
    await pass(1);
    expect(await todos.count()).toBe(2);
    await todos.save({ n: 2 }, 'mine');
    await pass(0);
    expect(backend.rows('todos').get('mine'), 'an edit waits for no poll').toEqual({ id: 'mine', n: 2 });
    backend.delete('todos', 'a', { hard: deletes === 'none' });
    await pass(2000);
    expect((await todos.getAll()).map(({ id }) => id).sort()).toEqual(['b', 'mine']);
    expect([wire.calls.connect, wire.calls.subscribe]).toEqual([0, 0]);
    await expect(sync.realtime.enable()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await sync.close();
    expect(wire.calls.close).toBe(1);
  }
});
