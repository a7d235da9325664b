import { describe, expect, test } from 'vitest';
import type { SyncServerOptions } from '../../src/server/index.js';
import {
  addressesOf,
  hasText,
  openDevice,
  phase,
  record,
  sent,
  shows,
  startNetwork,
  startServer,
  type Todo,
} from './setup.js';

/** Two devices of one user, each with a network of its own that can go away. */
async function twoDevices(options: SyncServerOptions = {}) {
  const server = await startServer(options);
  const open = async () => {
    const network = await startNetwork(server);
    const sync = await openDevice(network.addresses);
    await phase(sync, 'live');
    return {
      sync,
      todos: sync.collection<Todo>('todos'),
      async goOffline() {
        await network.refuse();
        network.cut();
        await phase(sync, 'offline');
      },
      async goOnline() {
        await network.accept();
        await phase(sync, 'live');
      },
    };
  };
  return { server, one: await open(), two: await open() };
}

/** Later than anything that was written before, whatever the error in the measured clocks. */
async function later(): Promise<void> {
  const begin = Date.now();
  while (Date.now() < begin + 50) await new Promise((resolve) => setImmediate(resolve));
}

test('integration test: save gives an id, and the real-time link is active', async () => {
  const server = await startServer();
  const sync = await openDevice(addressesOf(server));
  expect(await sync.collection('todos').save({ text: 'Test item' })).not.toBe('');
  await phase(sync, 'live');
  expect(sync.realtime.state.status).toBe('connected');
  expect(server.collection('todos').count()).toBe(1);
});

test('two devices: what one saves, changes and deletes is on the other within one second', async () => {
  const { one, two } = await twoDevices();
  const took = async (act: () => Promise<unknown>, there: Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await act();
    await there;
    return performance.now() - start;
  };
  const saved = shows(two.todos, hasText('Milk'));
  expect(await took(() => one.todos.save({ text: 'Milk', done: false }, '1'), saved)).toBeLessThan(1000);
  const ticked = shows(one.todos, (rows) => rows[0]?.done === true);
  expect(await took(() => two.todos.update('1', { done: true }), ticked)).toBeLessThan(1000);
  const gone = shows(two.todos, (rows) => rows.length === 0);
  expect(await took(() => one.todos.delete('1'), gone)).toBeLessThan(1000);
});

test('offline: items made without a network reach the server and the other device, once', async () => {
  const { server, one, two } = await twoDevices();
  await one.goOffline();
  await one.todos.saveMany([
    { text: 'Milk', done: false },
    { text: 'Bread', done: false },
  ]);
  await two.todos.save({ text: 'Meanwhile', done: false });
  await sent(two.sync);
  expect((await one.todos.getAll()).map(({ text }) => text)).toEqual(['Milk', 'Bread']);
  expect(one.sync.status).toEqual({ phase: 'offline', pending: 2 });
  expect(server.collection('todos').count()).toBe(1);
  const inserts = record(two.sync, 'remoteInsert');
  await one.goOnline();
  const all = hasText('Milk', 'Bread', 'Meanwhile');
  await Promise.all([shows(one.todos, all), shows(two.todos, all)]);
  expect(server.collection('todos').count()).toBe(3);
  expect(inserts).toHaveLength(2);
  expect(one.sync.status.pending).toBe(0);
});

describe('conflict: both devices edit the same item while offline', () => {
  /** Both have the item; then both are offline. */
  async function offlineWithMilk(options?: SyncServerOptions) {
    const devices = await twoDevices(options);
    await devices.one.todos.save({ text: 'Milk', done: false }, '1');
    await shows(devices.two.todos, hasText('Milk'));
    await sent(devices.one.sync);
    await Promise.all([devices.one.goOffline(), devices.two.goOffline()]);
    const told = [devices.one, devices.two].map(({ sync }) => record(sync, 'conflictDetected', 'conflictResolved'));
    return { ...devices, told };
  }

  test('different fields: both edits stay', async () => {
    const { one, two, told } = await offlineWithMilk();
    await one.todos.update('1', { text: 'Oat milk' });
    await two.todos.update('1', { done: true });
    await Promise.all([one.goOnline(), two.goOnline()]);
    const both = (rows: readonly Todo[]): boolean => rows[0]?.text === 'Oat milk' && rows[0].done;
    await Promise.all([shows(one.todos, both), shows(two.todos, both)]);
    expect(told.flat()).toEqual([]);
  });

  // The clocks of phones and servers differ: a server that is an hour ahead must not win each time.
  test.each([0, 3_600_000, -3_600_000])(
    'the same field, server clock %i ms ahead: the last write wins',
    async (ahead) => {
      const { server, one, two, told } = await offlineWithMilk({ now: () => Date.now() + ahead });
      await one.todos.update('1', { text: 'first' });
      await one.goOnline();
      await later();
      await two.todos.update('1', { text: 'last' });
      const resolved = two.sync.events.once('conflictResolved');
      await two.goOnline();
      await Promise.all([shows(one.todos, hasText('last')), shows(two.todos, hasText('last'))]);
      const { conflict, result } = await resolved;
      expect(conflict).toMatchObject({ base: { text: 'Milk' }, local: { text: 'last' }, remote: { text: 'first' } });
      expect(result).toMatchObject({ id: '1', text: 'last' });
      expect(told).toEqual([[], ['conflictDetected', 'conflictResolved']]);
      expect(server.collection('todos').get('1')).toMatchObject({ text: 'last' });
      expect([one, two].map(({ sync }) => sync.metrics().conflicts)).toEqual([0, 1]);
    },
  );

  test('what reached the server after the edit was made wins over it', async () => {
    const { server, one, two, told } = await offlineWithMilk();
    await two.todos.update('1', { text: 'older' });
    await later();
    await one.todos.update('1', { text: 'newer' });
    await one.goOnline();
    await two.goOnline();
    await Promise.all([shows(one.todos, hasText('newer')), shows(two.todos, hasText('newer'))]);
    expect(server.collection('todos').get('1')).toMatchObject({ text: 'newer' });
    expect(told).toEqual([[], ['conflictDetected', 'conflictResolved']]);
    expect(two.sync.outbox.pending()).toEqual([]);
  });

  test('one deletes, the other edits: both end alike', async () => {
    const { server, one, two } = await offlineWithMilk();
    await one.todos.delete('1');
    await one.goOnline();
    await later();
    await two.todos.update('1', { text: 'Still wanted' });
    await two.goOnline();
    await Promise.all([shows(one.todos, hasText('Still wanted')), shows(two.todos, hasText('Still wanted'))]);
    expect(server.collection('todos').get('1')).toMatchObject({ text: 'Still wanted', done: false });
  });
});
