import { describe, expect, test } from 'vitest';
import { sqliteStore } from '../../../src/store/sqlite.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  change,
  gate,
  live,
  lost,
  open,
  openLive,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

const backend = () => backendWith({ a: { n: 1, text: 'A', more: true } });

describe('law 4: partial is not whole', () => {
  test('a patch is merged into the row of the version that it follows, without a question', async () => {
    const client = await openLive({ backend: backend() });
    client.wire.inject(change('update', 'a', 2, { data: { n: 2 }, partial: true, baseVersion: 1 }));
    client.wire.inject(change('update', 'a', 3, { data: { text: 'B' }, partial: true, baseVersion: 2 }));
    await settle();
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2, text: 'B', more: true } });
    expect(client.wire.calls.fetch).toBe(0);
  });

  for (const [what, baseVersion] of [
    ['that follows a version that never came', 2],
    ['that does not say what it follows', undefined],
  ] as const) {
    test(`a patch ${what} is not merged: the row is fetched`, async () => {
      const client = await openLive({ backend: backend() });
      client.wire.deliver = false;
      client.backend.write('todos', 'a', { n: 1, text: 'lost', more: true });
      client.backend.write('todos', 'a', { n: 3, text: 'lost', more: true });
      const patch = { data: { n: 3 }, partial: true, ...(baseVersion && { baseVersion }) };
      client.wire.inject(change('update', 'a', 3, patch));
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(client.wire.calls.fetch).toBe(1);
    });
  }

  test('a patch of a row that is not here is fetched', async () => {
    const client = await openLive({ wire: (wire) => Object.assign(wire, { deliver: false }) });
    client.backend.write('todos', 'b', { n: 1, text: 'B' });
    client.backend.write('todos', 'b', { n: 2, text: 'B' });
    client.wire.inject(change('update', 'b', 2, { data: { n: 2 }, partial: true, baseVersion: 1 }));
    await settle();
    expect(await rowsOf(client)).toEqual({ b: { id: 'b', n: 2, text: 'B' } });
  });

  test('many patches are fetched in lots, each row once', async () => {
    const client = await openLive({ wire: (wire) => Object.assign(wire, { partialFields: ['n'] }) });
    for (let n = 0; n < 250; n++) {
      client.backend.write('todos', `row ${n}`, { n, text: 'x' });
      client.backend.write('todos', `row ${n}`, { n: n + 1, text: 'y' });
      client.backend.write('todos', `row ${n}`, { n: n + 2, text: 'z' });
    }
    await settle();
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.wire.calls.fetch).toBe(3);
  });

  test('where the fetch fails the pull brings the row', async () => {
    const client = await openLive({
      backend: backend(),
      wire: (wire) => Object.assign(wire, { partialFields: ['n'] }),
    });
    client.wire.before = (step) => {
      if (step === 'fetch') throw lost();
    };
    await caughtUpAfter(client, () => void client.backend.write('todos', 'a', { n: 2, text: 'B', more: true }));
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('where there is no fetch the pull brings the row', async () => {
    const client = await openLive({
      backend: backend(),
      wire: (wire) => Object.assign(wire, { partialFields: ['n'] }),
      wrap: (transport) => ({ ...transport, fetch: undefined }),
    });
    await caughtUpAfter(client, () => void client.backend.write('todos', 'a', { n: 2, text: 'B', more: true }));
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('where fetch and pull fail the row comes as soon as one works', async () => {
    const client = await openLive({
      backend: backend(),
      wire: (wire) => Object.assign(wire, { partialFields: ['n'] }),
    });
    let failures = 4;
    client.wire.before = () => {
      if (failures-- > 0) throw lost();
    };
    await caughtUpAfter(client, () => void client.backend.write('todos', 'a', { n: 2, text: 'B', more: true }));
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a patch that came during a catch-up is completed after it', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backend(),
      wire: (wire) => Object.assign(wire, { partialFields: ['n'] }),
    });
    client.wire.before = (step) => (step === 'pull' ? hold.opened : undefined);
    client.wire.gap();
    await settle();
    client.wire.inject(change('update', 'a', 2, { data: { n: 2 }, partial: true, baseVersion: 1 }));
    client.wire.inject(change('update', 'a', 4, { data: { n: 4 }, partial: true, baseVersion: 3 }));
    client.wire.deliver = false;
    for (const n of [2, 3, 4]) client.backend.write('todos', 'a', { n, text: `${n}`, more: true });
    hold.open();
    await live(client);
    await settle();
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a patch in a pulled page: the cursor waits until its row has been fetched, also over a crash', async () => {
    const path = temporaryPath();
    const shared = backend();
    const wrap: NonNullable<Parameters<typeof open>[0]>['wrap'] = (transport) => ({
      ...transport,
      async pull(request) {
        const page = await transport.pull(request);
        return {
          ...page,
          changes: page.changes.map((whole) =>
            whole.type === 'update' ? { ...whole, data: { n: whole.data.n }, partial: true as const } : whole,
          ),
        };
      },
    });
    const first = await open({
      backend: shared,
      config: { store: sqliteStore({ path }) },
      wrap,
      wire: (wire) => {
        wire.before = (step) => {
          if (step === 'fetch') throw lost();
        };
      },
    });
    await until(() => first.wire.calls.fetch >= 2);
    await first.sync.close();
    expect(await rowsOf(first)).toEqual({});

    const second = await openLive({ backend: shared, config: { store: sqliteStore({ path }) }, wrap });
    expect(await rowsOf(second)).toEqual(backendRows(second));
  });

  test('a patch under a local edit does not disturb it', async () => {
    const client = await openLive({ backend: backend(), config: { maxRetries: 1000 } });
    client.wire.decide = () => ({ type: 'retry', error: lost() });
    await client.todos.update('a', { more: false });
    await until(() => client.wire.calls.push > 0);
    client.wire.partialFields = ['text'];
    client.backend.write('todos', 'a', { n: 1, text: 'B', more: true });
    await settle();
    client.wire.decide = undefined;
    await client.sync.syncNow();
    await until(() => client.sync.status.pending === 0);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1, text: 'B', more: false } });
    expect(backendRows(client)).toEqual(await rowsOf(client));
  });
});
