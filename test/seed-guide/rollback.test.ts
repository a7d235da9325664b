import { describe, expect, test } from 'vitest';
import { rollout } from '../../src/index.js';
import {
  addressesOf,
  connections,
  hasText,
  openDevice,
  phase,
  record,
  sent,
  shows,
  startServer,
  type Todo,
} from './setup.js';

describe('quick rollback', () => {
  test('the next start with enableRealtimeSync: false polls, and finds what the last one left', async () => {
    const server = await startServer();
    const addresses = addressesOf(server);
    const live = await openDevice(addresses);
    await phase(live, 'live');
    await live.collection('todos').save({ text: 'Milk', done: false });
    await sent(live);
    await live.close();
    const polling = await openDevice({ ...addresses, enableRealtimeSync: false, syncInterval: 100 });
    await shows(polling.collection<Todo>('todos'), hasText('Milk'));
    expect([polling.status.phase, server.connections]).toEqual(['polling', 0]);
  });

  test('at run time, with no restart: nothing is lost on the way there, meanwhile, or on the way back', async () => {
    const server = await startServer();
    const sync = await openDevice({ ...addressesOf(server), syncInterval: 100 });
    const other = await openDevice(addressesOf(server));
    const [mine, theirs] = [sync.collection<Todo>('todos'), other.collection<Todo>('todos')];
    await Promise.all([phase(sync, 'live'), phase(other, 'live')]);
    const heard = record(sync, 'realtimeConnected', 'realtimeDisconnected', 'remoteInsert');
    // Edits of both sides are under way while the link is taken down, and again while it comes back.
    const during = [mine.save({ text: 'a', done: false }), theirs.save({ text: 'b', done: false })];
    await sync.realtime.disable();
    expect(sync.realtime).toMatchObject({ enabled: false, state: { status: 'idle' } });
    await Promise.all(during);
    await connections(server, 1);
    await mine.save({ text: 'c', done: false });
    await theirs.save({ text: 'd', done: false });
    const four = hasText('a', 'b', 'c', 'd');
    await Promise.all([shows(mine, four), shows(theirs, four)]);
    expect(sync.status.phase).toBe('polling');
    expect(server.connections).toBe(1);
    const back = [mine.save({ text: 'e', done: false }), theirs.save({ text: 'f', done: false })];
    await sync.realtime.enable();
    await Promise.all(back);
    await phase(sync, 'live');
    const six = hasText('a', 'b', 'c', 'd', 'e', 'f');
    await Promise.all([shows(mine, six), shows(theirs, six)]);
    await Promise.all([sent(sync), sent(other)]);
    expect([await mine.count(), await theirs.count(), server.collection('todos').count()]).toEqual([6, 6, 6]);
    expect(heard.filter((name) => name === 'remoteInsert')).toHaveLength(3);
    expect(heard.filter((name) => name !== 'remoteInsert')).toEqual(['realtimeDisconnected', 'realtimeConnected']);
  });

  test('what is said at run time goes before the flag', async () => {
    const server = await startServer();
    const sync = await openDevice({ ...addressesOf(server), enableRealtimeSync: () => true, syncInterval: 100 });
    await phase(sync, 'live');
    await sync.realtime.disable();
    await sync.events.once('syncCompleted');
    await sync.events.once('syncCompleted');
    expect([sync.realtime.enabled, server.connections]).toEqual([false, 0]);
  });
});

describe('feature flag', () => {
  test('a value that was fetched before', async () => {
    const server = await startServer();
    const open = (enableRealtime: boolean) =>
      openDevice({
        baseUrl: server.httpUrl,
        enableRealtimeSync: enableRealtime,
        websocketUrl: enableRealtime ? server.url : undefined,
      });
    const [on, off] = [await open(true), await open(false)];
    await phase(on, 'live');
    expect([on.realtime.enabled, off.realtime.enabled, server.connections]).toEqual([true, false, 1]);
  });

  test('a function that turns false and true again takes the link down and up, and nothing is lost', async () => {
    const server = await startServer();
    let flag = true;
    const sync = await openDevice({ ...addressesOf(server), enableRealtimeSync: () => flag, syncInterval: 100 });
    const todos = sync.collection<Todo>('todos');
    await phase(sync, 'live');
    flag = false;
    await phase(sync, 'polling');
    await connections(server, 0);
    server.collection('todos').save('1', { text: 'Meanwhile', done: false });
    await todos.save({ text: 'Mine', done: false });
    await shows(todos, hasText('Meanwhile', 'Mine'));
    await sent(sync);
    flag = true;
    await phase(sync, 'live');
    server.collection('todos').save('2', { text: 'Live again', done: false });
    await shows(todos, hasText('Live again'));
    expect(server.collection('todos').count()).toBe(3);
  });

  test('an asynchronous one does not hold up the start', async () => {
    const server = await startServer();
    server.collection('todos').save('1', { text: 'Milk', done: false });
    let answer: (on: boolean) => void = () => undefined;
    const flag = new Promise<boolean>((resolve) => {
      answer = resolve;
    });
    const sync = await openDevice({ ...addressesOf(server), enableRealtimeSync: () => flag });
    await sync.collection('todos').save({ text: 'Bread', done: false });
    expect(server.connections).toBe(0);
    answer(true);
    await phase(sync, 'live');
    await shows(sync.collection<Todo>('todos'), hasText('Milk', 'Bread'));
  });

  test.each<[string, () => Promise<boolean>]>([
    ['rejects', () => Promise.reject(new Error('remote config is down'))],
    [
      'throws',
      () => {
        throw new Error('remote config is down');
      },
    ],
  ])('one that %s is reported, and polling goes on', async (_, enableRealtimeSync) => {
    const server = await startServer();
    server.collection('todos').save('1', { text: 'Milk', done: false });
    const sync = await openDevice({ ...addressesOf(server), enableRealtimeSync, syncInterval: 100 });
    const { error } = await sync.events.once('error');
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'enableRealtimeSync failed to answer; the next poll asks again.',
      cause: new Error('remote config is down'),
    });
    await shows(sync.collection<Todo>('todos'), hasText('Milk'));
    expect([sync.status.phase, server.connections]).toEqual(['polling', 0]);
  });

  test('one that fails later leaves the link as it is', async () => {
    const server = await startServer();
    let broken = false;
    const enableRealtimeSync = async () => {
      if (broken) throw new Error('remote config is down');
      return true;
    };
    const sync = await openDevice({ ...addressesOf(server), enableRealtimeSync, syncInterval: 100 });
    await phase(sync, 'live');
    broken = true;
    await sync.events.once('error', ({ error }) => error.code === 'CONFIG_INVALID');
    expect([sync.status.phase, server.connections]).toEqual(['live', 1]);
  });
});

describe('gradual roll-out', () => {
  const keys = Array.from({ length: 10_000 }, (_, index) => `user-${index}`);
  const members = (percent: number, name?: string): string[] =>
    keys.filter((key) => rollout({ percent, key, ...(name !== undefined && { name }) }));

  test('the same user always gets the same answer', () => {
    for (const key of keys.slice(0, 500)) {
      const first = rollout({ percent: 50, key });
      expect(rollout({ percent: 50, key })).toBe(first);
    }
    // Fixed for good: another version of the package must not move users in and out.
    const inside = keys.slice(0, 12).filter((key) => rollout({ percent: 50, key }));
    expect(inside).toEqual(['user-1', 'user-7', 'user-8', 'user-11']);
  });

  test('weeks 1 to 4: who is in stays in as it grows', () => {
    const weeks = [5, 20, 50, 100].map((percent) => new Set(members(percent)));
    for (const [index, week] of weeks.entries())
      for (const key of weeks[index - 1] ?? []) expect(week.has(key)).toBe(true);
    expect(weeks.map((week) => week.size)).toEqual([...weeks.map((week) => week.size)].sort((a, b) => a - b));
    expect(members(0)).toEqual([]);
    expect(members(100)).toHaveLength(keys.length);
  });

  test.each([1, 5, 20, 50, 90])('%i percent of 10 000 users, within 2 percent', (percent) => {
    const inTwoRollouts = [members(percent), members(percent, 'other')];
    for (const list of inTwoRollouts) expect(Math.abs(list.length / 100 - percent)).toBeLessThan(2);
    const uuids = Array.from({ length: 10_000 }, () => crypto.randomUUID());
    const share = uuids.filter((key) => rollout({ percent, key })).length / 100;
    expect(Math.abs(share - percent)).toBeLessThan(2);
  });

  test('two roll-outs do not begin with the same users', () => {
    const [one, two] = [new Set(members(50)), members(50, 'other')];
    const both = two.filter((key) => one.has(key)).length;
    expect(Math.abs(both / 100 - 25)).toBeLessThan(2);
  });

  test('what cannot be meant is refused', () => {
    for (const bad of [-1, 101, Number.NaN, '20' as unknown as number, undefined as unknown as number])
      expect(() => rollout({ percent: bad, key: 'u' })).toThrow('rollout needs a percent from 0 to 100');
    for (const key of ['', undefined as unknown as string, 7 as unknown as string])
      expect(() => rollout({ percent: 20, key })).toThrow('as key a string that tells users apart');
  });

  test('decides who has a live link', async () => {
    const server = await startServer();
    const [inside] = members(5);
    const outside = keys.find((key) => !rollout({ percent: 50, key }));
    const open = (percent: number, key: string | undefined) =>
      openDevice({ ...addressesOf(server), enableRealtimeSync: rollout({ percent, key: key ?? '' }) });
    const [one, two] = [await open(5, inside), await open(50, outside)];
    await phase(one, 'live');
    expect([one.realtime.enabled, two.realtime.enabled, server.connections]).toEqual([true, false, 1]);
  });
});
