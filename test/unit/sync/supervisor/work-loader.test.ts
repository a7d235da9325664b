import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SyncLayerError } from '../../../../src/base/errors.js';
import { createTimers } from '../../../../src/base/timers.js';
import type { TimerName } from '../../../../src/sync/supervisor/context.js';
import { type Event, initialState, type State } from '../../../../src/sync/supervisor/machine.js';
import { createWorkLoader, type Work } from '../../../../src/sync/supervisor/work-loader.js';

/** Stands for what the network does with the chunk. */
let fetchChunk: () => Promise<object>;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const unreachable = (): Promise<never> => Promise.reject(new TypeError('Failed to fetch dynamically imported module'));

function setUp({ link = initialState.link }: Partial<State> = {}, opened: Promise<void> = Promise.resolve()) {
  const events: Event[] = [];
  const done: string[] = [];
  const lifetime = new AbortController();
  const timers = createTimers<TimerName>();
  const tries: number[] = [];
  const loader = createWorkLoader(
    { timers, dispatch: (event) => void events.push(event), state: { ...initialState, link } },
    {
      limit: { ms: 8000, signal: lifetime.signal },
      delay: (failures) => 1000 * failures,
      opened,
      start: () => {
        if (lifetime.signal.aborted) done.push('started after the end');
        return {} as Work;
      },
      fetch: () => {
        tries.push(Date.now());
        return fetchChunk() as never;
      },
    },
  );
  const note = (what: string) => () => void done.push(what);
  const errors = () => events.flatMap((event) => (event.type === 'workFailed' ? [event.error] : []));
  return { loader, events, errors, done, note, lifetime, timers, tries };
}

test('what waits is done once it is there: of one name the last', async () => {
  fetchChunk = async () => ({});
  const { loader, done, note } = setUp();
  loader.use('schedule', note('schedule'));
  loader.use('push', note('first push'));
  loader.use('push', note('push'));
  expect(loader.current).toBeUndefined();
  await loader.load();
  expect(done).toEqual(['schedule', 'push']);
  loader.use('poll', note('poll'));
  expect(done).toEqual(['schedule', 'push', 'poll']);
});

test('it starts once the store is read', async () => {
  fetchChunk = async () => ({});
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { loader, done, note } = setUp({}, opened);
  loader.use('schedule', note('schedule'));
  await vi.advanceTimersByTimeAsync(0);
  expect([done, loader.current]).toEqual([[], undefined]);
  open();
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toEqual(['schedule']);
});

test('however much waits, a failure is one failure: reported once, tried again by backoff', async () => {
  fetchChunk = unreachable;
  const { loader, events, errors, done, note, tries } = setUp();
  loader.use('schedule', note('schedule'));
  for (let edit = 0; edit < 100; edit += 1) loader.use('push', note('push'));
  await vi.advanceTimersByTimeAsync(0);
  expect(errors()).toMatchObject([{ code: 'CONNECTION_LOST' }]);
  expect(events.map(({ type }) => type)).toEqual(['workFailed', 'roundFailed']);
  for (let edit = 0; edit < 100; edit += 1) loader.use('push', note('push'));
  await vi.advanceTimersByTimeAsync(999);
  expect(tries, 'edits wait for the backoff').toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(tries).toHaveLength(2);
  fetchChunk = async () => ({});
  await vi.advanceTimersByTimeAsync(1999);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toEqual(['schedule', 'push']);
  expect(errors()).toHaveLength(2);
});

test('what is asked for since something has changed for the better waits for no backoff', async () => {
  fetchChunk = unreachable;
  const { loader, done, note } = setUp();
  loader.use('schedule', note('schedule'));
  await vi.advanceTimersByTimeAsync(0);
  fetchChunk = async () => ({});
  loader.use('schedule', note('schedule'));
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toEqual(['schedule']);
});

test('while a link is being made its attempt reports the failure', async () => {
  fetchChunk = unreachable;
  const { loader, errors, note } = setUp({ link: { ...initialState.link, name: 'connecting' } });
  loader.use('schedule', note('schedule'));
  await expect(loader.load()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  await vi.advanceTimersByTimeAsync(0);
  expect(errors()).toEqual([]);
});

test('a chunk that does not come is given up, and taken when it comes all the same', async () => {
  let arrive: (chunk: object) => void = () => undefined;
  const pending = new Promise<object>((resolve) => {
    arrive = resolve;
  });
  fetchChunk = () => pending;
  const { loader, done, note } = setUp();
  loader.use('push', note('push'));
  const loading = loader.load();
  loading.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(8000);
  await expect(loading).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  await vi.advanceTimersByTimeAsync(1000);
  arrive({});
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toEqual(['push']);
});

test('an interruption takes away what waits, but for the schedule', async () => {
  fetchChunk = async () => ({});
  const { loader, done, note } = setUp();
  for (const name of ['schedule', 'poll', 'catchUp', 'push'] as const) loader.use(name, note(name));
  loader.interrupt();
  await loader.load();
  expect(done).toEqual(['schedule']);
});

test('nothing starts after the end, and nothing waits', async () => {
  let arrive: (chunk: object) => void = () => undefined;
  fetchChunk = () =>
    new Promise((resolve) => {
      arrive = resolve;
    });
  const { loader, done, note, lifetime, timers } = setUp();
  loader.use('schedule', note('schedule'));
  const loading = loader.load();
  lifetime.abort(new SyncLayerError('CLOSED', 'It is closed.'));
  timers.close();
  arrive({});
  await expect(loading).rejects.toMatchObject({ code: 'CLOSED' });
  await vi.advanceTimersByTimeAsync(0);
  expect([done, loader.current, vi.getTimerCount()]).toEqual([[], undefined, 0]);
});

test('nor where the end comes in the turn in which the chunk arrives', async () => {
  for (let turns = 0; turns < 20; turns += 1) {
    fetchChunk = async () => ({});
    const { loader, done, lifetime } = setUp();
    const loading = loader.load();
    loading.catch(() => undefined);
    for (let turn = 0; turn < turns; turn += 1) await null;
    lifetime.abort(new SyncLayerError('CLOSED', 'It is closed.'));
    await vi.advanceTimersByTimeAsync(0);
    expect(done, `${turns} turns`).toEqual([]);
  }
});
