import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SyncLayerInstance } from '../../../src/index.js';
import { memoryStore } from '../../../src/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  fakeTimers,
  gate,
  live,
  open,
  pass,
  record,
  rowsOf,
  settle,
  until,
} from './harness.js';

const never = (): Promise<never> => new Promise(() => undefined);

/** Hangs the first `times` calls. */
function hanging<A extends unknown[], R>(times: number, work: (...args: A) => R): (...args: A) => R | Promise<never> {
  let left = times;
  return (...args) => (left-- > 0 ? never() : work(...args));
}

const messages = (errors: ReturnType<typeof record>): string[] =>
  errors.map(({ event }) => (event as { error: Error }).error.message);

type Asked = 'connect' | 'pull' | 'push' | 'fetch' | 'disconnect' | 'close';

const forgets =
  (method: Asked, times = 1) =>
  (transport: RealtimeTransport): RealtimeTransport => ({
    ...transport,
    [method]: hanging(times, transport[method] as (...args: never[]) => Promise<never>),
  });

describe('law 17: nothing waits for ever', () => {
  test.each([true, false])(
    'a token function that does not answer is named, and asked again (live link: %s)',
    async (enableRealtimeSync) => {
      fakeTimers();
      const client = await open({
        backend: backendWith({ a: { n: 1 } }),
        config: { authToken: hanging(2, async () => 'token'), enableRealtimeSync, syncInterval: 1000 },
        // Asks for the token each time.
        wrap: (transport) => {
          let host: Parameters<NonNullable<RealtimeTransport['attach']>>[0] | undefined;
          return {
            ...transport,
            attach: (given) => {
              host = given;
              transport.attach?.(given);
            },
            pull: async (request) => {
              await host?.authToken();
              return transport.pull(request);
            },
          };
        },
      });
      const errors = record(client.sync, 'error');
      await client.todos.save({ n: 1 }, 'mine');
      await pass(8000);
      expect(messages(errors)[0]).toBe('authToken() has not answered for 8000 ms; it is asked again.');
      await pass(20_000);
      await until(() => client.sync.status.pending === 0);
      await client.sync.syncNow();
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(Object.keys(backendRows(client)).sort()).toEqual(['a', 'mine']);
      expect(messages(errors).join(' ')).not.toContain('Is the server up');
    },
  );

  test('a shorter connectTimeout does not blame the server either', async () => {
    fakeTimers();
    const client = await open({ config: { authToken: never, connectTimeout: 1000 } });
    const errors = record(client.sync, 'error');
    await pass(1000);
    expect(messages(errors)).toEqual(['authToken() has not answered for 800 ms; it is asked again.']);
  });

  test('a flag that does not answer is named, and asked again with the next poll', async () => {
    fakeTimers();
    const flag = hanging(1, async () => true);
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { enableRealtimeSync: flag, syncInterval: 1000 },
    });
    const errors = record(client.sync, 'error');
    await pass(8000);
    expect(messages(errors)).toEqual([expect.stringMatching(/^enableRealtimeSync has not answered for 8000 ms/)]);
    await pass(1000);
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test.each(['pull', 'push'] as const)(
    'a transport whose %s() never settles is named, and asked again',
    async (method) => {
      fakeTimers();
      const client = await open({
        backend: backendWith({ a: { n: 1 } }),
        config: { answerTimeout: 60_000 },
        wrap: forgets(method),
      });
      const errors = record(client.sync, 'error');
      await client.todos.save({ n: 1 }, 'mine');
      await pass(59_999);
      expect(client.sync.status.phase).toBe('syncing');
      expect(errors).toEqual([]);
      await pass(2);
      expect(messages(errors)).toEqual([`memory.${method}() did not answer within 60000 ms; it is tried again.`]);
      await live(client);
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(backendRows(client)).toHaveProperty('mine');
    },
  );

  test('what comes of an answer is no silence', async () => {
    fakeTimers();
    let host: Parameters<NonNullable<RealtimeTransport['attach']>>[0] | undefined;
    const held = gate();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { answerTimeout: 60_000 },
      wrap: (transport) => ({
        ...transport,
        attach: (given) => {
          host = given;
          transport.attach?.(given);
        },
        pull: async (request) => {
          if (!request.cursor) await held.opened;
          return transport.pull(request);
        },
      }),
    });
    const errors = record(client.sync, 'error');
    for (let seconds = 0; seconds < 600; seconds += 50) {
      await pass(50_000);
      host?.alive?.();
    }
    held.open();
    await live(client);
    expect(errors).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('heartbeats are no answer: what hangs beside them is named, and asked again', async () => {
    fakeTimers();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { answerTimeout: 60_000 },
      wrap: (transport) => {
        const hung = forgets('pull')(transport);
        return {
          ...hung,
          attach(host) {
            transport.attach?.(host);
            const timer = setInterval(() => host.traffic('in', 2), 10_000);
            onTestFinished(() => clearInterval(timer));
          },
        };
      },
    });
    const errors = record(client.sync, 'error');
    await pass(60_001);
    expect(messages(errors)).toEqual(['memory.pull() did not answer within 60000 ms; it is tried again.']);
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('keys that never come: the audit fails, and the next one asks again', async () => {
    fakeTimers();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      deletes: 'none',
      config: { answerTimeout: 60_000, auditInterval: 100_000 },
    });
    await live(client);
    const errors = record(client.sync, 'error');
    client.wire.before = (step) => (step === 'keys' ? never() : undefined);
    client.wire.deliver = false;
    client.backend.delete('todos', 'a', { hard: true });
    await pass(160_000);
    expect(messages(errors)).toContain('memory.keys() did not answer within 60000 ms; it is tried again.');
    client.wire.before = () => undefined;
    await pass(100_000);
    await live(client);
    expect(await rowsOf(client)).toEqual({});
  });

  test('a link that cannot be closed: pause() says so, and another token still makes another link', async () => {
    fakeTimers();
    const client = await open({ wrap: forgets('disconnect', 2) });
    await live(client);
    const errors = record(client.sync, 'error');
    client.sync.setAuthToken('another');
    await pass(10_000);
    await live(client);
    expect(messages(errors)).toEqual(['memory.disconnect() did not answer within 10000 ms; it is tried again.']);
    const paused = client.sync.pause();
    await Promise.all([expect(paused).rejects.toMatchObject({ code: 'CONNECTION_LOST' }), pass(10_000)]);
    client.sync.resume();
    await live(client);
  });

  test('a transport that cannot be closed: close() settles, and says so', async () => {
    fakeTimers();
    const client = await open({ wrap: forgets('close') });
    await live(client);
    const errors = record(client.sync, 'error');
    await Promise.all([client.sync.close(), pass(10_000)]);
    expect(messages(errors)).toEqual(['memory.close() did not answer within 10000 ms; it is tried again.']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a store that never opens', async () => {
    fakeTimers();
    const opening = open({ config: { store: { ...memoryStore(), open: never } } });
    await Promise.all([
      expect(opening).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('20 s') as string,
      }),
      pass(20_000),
    ]);
  });

  test('a store that cannot be closed', async () => {
    fakeTimers();
    const client = await open({ config: { store: { ...memoryStore(), close: never } } });
    await live(client);
    await Promise.all([expect(client.sync.close()).rejects.toMatchObject({ code: 'STORE_FAILED' }), pass(20_000)]);
    expect(vi.getTimerCount()).toBe(0);
    client.sync.close = async () => undefined;
  });

  describe('close() settles everything that was asked', () => {
    const steps: readonly (readonly [string, (sync: SyncLayerInstance<readonly ['todos']>) => Promise<unknown>])[] = [
      ['syncNow()', (sync) => sync.syncNow()],
      ['save()', (sync) => sync.collection('todos').save({ n: 1 })],
      ['pause()', (sync) => sync.pause()],
      ['clear()', (sync) => sync.clear()],
      ['realtime.disable()', (sync) => sync.realtime.disable()],
      ['realtime.enable()', (sync) => sync.realtime.enable()],
    ];
    const traps: readonly (readonly [string, Parameters<typeof open>[0]])[] = [
      ['connect()', { wrap: forgets('connect', 99) }],
      ['pull()', { wrap: forgets('pull', 99) }],
      ['push()', { wrap: forgets('push', 99) }],
      [
        'keys()',
        {
          deletes: 'none',
          wire: (wire) => Object.assign(wire, { before: (step: string) => (step === 'keys' ? never() : undefined) }),
        },
      ],
      ['the token', { config: { authToken: never } }],
      ['the flag', { config: { enableRealtimeSync: never } }],
    ];
    test.each(traps)('while %s hangs', async (_, options) => {
      fakeTimers();
      for (const [what, ask] of steps) {
        const client: Client = await open({ ...options, backend: backendWith({ a: { n: 1 } }) });
        await settle();
        client.wire.gap();
        await settle();
        let settled = false;
        const asked = ask(client.sync).catch(() => undefined);
        void asked.then(() => {
          settled = true;
        });
        await settle();
        await client.sync.close();
        await settle();
        expect(settled, what).toBe(true);
        expect(vi.getTimerCount(), what).toBe(0);
      }
    });
  });
});
