import { afterEach, describe, expect, test, vi } from 'vitest';
import { newId } from '../../../src/base/id.js';
import { createSyncLayer } from '../../../src/index.js';
import { watchEnvironment } from '../../../src/sync/supervisor/environment.js';
import { memoryTransport } from '../../../src/testing/index.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** What a page has: events on the global object, a document, a navigator. `undefined` leaves one out. */
function fakePage({ visibilityState = 'visible', onLine = true } = {}) {
  const page = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState });
  const listeners = new Set<string>();
  for (const target of [page, document]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (name: string, listener: EventListener) => {
      listeners.add(name);
      addEventListener.call(target, name, listener);
    };
    target.removeEventListener = (name: string, listener: EventListener) => {
      listeners.delete(name);
      removeEventListener.call(target, name, listener);
    };
  }
  vi.stubGlobal('addEventListener', page.addEventListener);
  vi.stubGlobal('removeEventListener', page.removeEventListener);
  vi.stubGlobal('document', document);
  vi.stubGlobal('navigator', { onLine });
  return {
    listeners,
    say: (name: 'online' | 'offline') => page.dispatchEvent(new Event(name)),
    show(state: 'visible' | 'hidden') {
      document.visibilityState = state;
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
}

function watch() {
  const told: string[] = [];
  const stop = watchEnvironment({
    online: (online) => void told.push(online ? 'online' : 'offline'),
    visible: (visible) => void told.push(visible ? 'visible' : 'hidden'),
  });
  return { told, stop };
}

describe('the environment', () => {
  test('tells what the page tells, until it is stopped', () => {
    const page = fakePage();
    const { told, stop } = watch();
    page.say('offline');
    page.say('online');
    page.show('hidden');
    page.show('visible');
    expect(told).toEqual(['offline', 'online', 'hidden', 'visible']);
    stop();
    page.say('offline');
    page.show('hidden');
    expect(told).toHaveLength(4);
    expect([...page.listeners]).toEqual([]);
  });

  test('tells at once that it begins offline and hidden', () => {
    fakePage({ onLine: false, visibilityState: 'hidden' });
    const { told, stop } = watch();
    expect(told).toEqual(['offline', 'hidden']);
    stop();
  });

  test('a worker has no document', () => {
    const page = fakePage();
    vi.stubGlobal('document', undefined);
    const { told, stop } = watch();
    page.say('offline');
    expect(told).toEqual(['offline']);
    stop();
  });

  test('Node and React Native have no events', () => {
    for (const name of ['addEventListener', 'removeEventListener', 'document', 'navigator'])
      vi.stubGlobal(name, undefined);
    const { told, stop } = watch();
    stop();
    expect(told).toEqual([]);
  });

  test('a device that is offline at the start connects when it comes online, and the transport is attached first', async () => {
    const page = fakePage({ onLine: false });
    const transport = memoryTransport();
    const order: string[] = [];
    const sync = await createSyncLayer({
      transport: {
        ...transport,
        attach: (host) => {
          order.push('attach');
          transport.attach?.(host);
        },
        disconnect: async () => void order.push('disconnect'),
      },
      collections: ['todos'],
    });
    expect(sync.status.phase).toBe('offline');
    expect(order[0]).toBe('attach');
    expect(transport.wire.calls.connect).toBe(0);
    const live = sync.events.once('statusChanged', ({ phase }) => phase === 'live');
    page.say('online');
    await live;
    await sync.close();
    expect([...page.listeners]).toEqual([]);
  });
});

describe('ids', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  test('are random UUIDs', () => {
    expect(newId()).toMatch(uuid);
    expect(newId()).not.toBe(newId());
  });

  test.each([undefined, {}])('also where the platform has no randomness but Math.random: %j', (crypto) => {
    vi.stubGlobal('crypto', crypto);
    const ids = Array.from({ length: 1000 }, newId);
    for (const id of ids) expect(id).toMatch(uuid);
    expect(new Set(ids).size).toBe(1000);
  });

  test('also in a page that is no secure context, which has no randomUUID', async () => {
    const { getRandomValues } = crypto;
    vi.stubGlobal('crypto', { getRandomValues: getRandomValues.bind(crypto) });
    const ids = Array.from({ length: 1000 }, newId);
    for (const id of ids) expect(id).toMatch(uuid);
    expect(new Set(ids).size).toBe(1000);
    // Each digit but the version takes every value that it may.
    for (const at of [0, 7, 9, 15, 24, 35]) expect(new Set(ids.map((id) => id[at])).size).toBe(16);
    expect(new Set(ids.map((id) => id[19])).size).toBe(4);

    const sync = await createSyncLayer({ transport: memoryTransport(), collections: ['todos'] });
    expect(await sync.collection('todos').save({ text: 'Milk' })).toMatch(uuid);
    await sync.syncNow();
    expect(sync.status.pending).toBe(0);
    await sync.close();
  });
});
