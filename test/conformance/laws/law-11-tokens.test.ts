import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import type { AuthToken, PullRequest, RealtimeTransport, TransportHost } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
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

const refusal = (): SyncLayerError => new SyncLayerError('AUTH_REQUIRED', 'The token was refused. Sign in again.');

/** A backend that wants a token at each step named, and what it was shown. */
function guarded(steps: readonly ('connect' | 'pull' | 'push')[], isValid: (token: string | undefined) => boolean) {
  const shown: (string | undefined)[] = [];
  const wrap = (transport: RealtimeTransport): RealtimeTransport => {
    let host: TransportHost | undefined;
    const check = async (step: (typeof steps)[number]): Promise<void> => {
      if (!steps.includes(step)) return;
      const token = await host?.authToken();
      shown.push(token);
      if (!isValid(token)) throw refusal();
    };
    return {
      ...transport,
      attach(given) {
        host = given;
        transport.attach?.(given);
      },
      connect: async (how) => {
        await check('connect');
        await transport.connect(how);
      },
      pull: async (request) => {
        await check('pull');
        return transport.pull(request);
      },
      push: async (changes, how) => {
        await check('push');
        return transport.push(changes, how);
      },
    };
  };
  return { shown, wrap };
}

describe('law 11: tokens refresh', () => {
  test('a token function is asked at each connect', async () => {
    let count = 0;
    const { shown, wrap } = guarded(['connect'], () => true);
    const client = await open({ config: { authToken: async () => `token ${++count}` }, wrap });
    await live(client);
    client.wire.cut();
    await until(() => shown.length >= 2);
    await live(client);
    expect(shown[0]).not.toBe(shown[1]);
    expect(new Set(shown).size).toBe(2);
  });

  test('the app`s token goes before the transport`s own', async () => {
    const own: (string | undefined)[] = [];
    const client = await open({
      authToken: 'own',
      wrap: (transport) => ({
        ...transport,
        attach: (host) =>
          transport.attach?.({
            ...host,
            authToken: async (given?: AuthToken) => {
              const token = await host.authToken(given);
              own.push(token);
              return token;
            },
          }),
      }),
    });
    await live(client);
    client.sync.setAuthToken('app');
    await until(() => own.length === 2);
    client.sync.setAuthToken(undefined);
    await until(() => own.length === 3);
    expect(own).toEqual(['own', 'app', 'own']);
  });

  test.each([
    ['a string', (): AuthToken => 'bad'],
    ['a function that gives the same', (): AuthToken => () => 'bad'],
    ['none', (): AuthToken | undefined => undefined],
  ])('a refused token (%s) is needs-auth, and is shown once', async (_, authToken) => {
    const { shown, wrap } = guarded(['connect'], () => false);
    const given = authToken();
    const client = await open({ config: given === undefined ? {} : { authToken: given }, wrap });
    const errors = record(client.sync, 'error');
    await until(() => client.sync.status.phase === 'needs-auth');
    await settle(100);
    expect(shown.length).toBe(1);
    expect(client.sync.realtime.state).toMatchObject({ status: 'needs-auth', reason: { code: 'AUTH_REQUIRED' } });
    for (const entry of errors) expect(JSON.stringify(entry.event)).not.toContain('bad');
  });

  test('a function that gives a fresh one after a refusal needs nobody', async () => {
    let count = 0;
    const { shown, wrap } = guarded(['connect'], (token) => token === 'token 2');
    const client = await open({ config: { authToken: () => `token ${++count}` }, wrap });
    await live(client);
    expect(shown).toEqual(['token 1', 'token 2']);
  });

  test('fresh tokens that are all refused are no endless loop either', async () => {
    let count = 0;
    const { shown, wrap } = guarded(['connect'], () => false);
    const client = await open({ config: { authToken: () => `token ${++count}` }, wrap });
    await until(() => client.sync.status.phase === 'needs-auth');
    await settle(100);
    expect(shown).toEqual(['token 1', 'token 2']);
  });

  test('nor where one collection lets in what another refuses', async () => {
    let count = 0;
    const client = await open({
      config: { collections: ['todos', 'notes'], authToken: () => `token ${++count}` },
      wire: (wire) => {
        wire.before = async (step, request) => {
          if (step !== 'pull' || (request as PullRequest).collection !== 'notes') return;
          await settle(5);
          throw refusal();
        };
      },
    });
    await until(() => client.sync.status.phase === 'needs-auth');
    await settle(100);
    expect(client.wire.calls.connect).toBe(2);
  });

  test('while a token is needed nothing is polled, pushed or tried', async () => {
    fakeTimers();
    const { shown, wrap } = guarded(['connect', 'pull', 'push'], () => false);
    const client = await open({ config: { authToken: 'bad', syncInterval: 1000 }, wrap });
    await pass(10);
    expect(client.sync.status.phase).toBe('needs-auth');
    await client.todos.save({ n: 1 }, 'a');
    await pass(3_600_000);
    expect(shown).toEqual(['bad']);
    expect(client.wire.calls).toMatchObject({ connect: 0, pull: 0, push: 0 });
  });

  test.each(['connect', 'pull', 'push'] as const)(
    'setAuthToken gets out of it, after a refusal at %s, and nothing is lost',
    async (step) => {
      const { shown, wrap } = guarded([step], (token) => token === 'good');
      const client = await open({ backend: backendWith({ a: { n: 1 } }), config: { authToken: 'bad' }, wrap });
      await client.todos.save({ n: 1 }, 'mine');
      await until(() => client.sync.status.phase === 'needs-auth');
      expect(client.wire.subscriptions).toBe(0);
      const before = shown.length;
      expect(before).toBeLessThan(3);
      client.sync.setAuthToken('good');
      await live(client);
      expect(shown.slice(before).every((token) => token === 'good')).toBe(true);
      expect(Object.keys(backendRows(client)).sort()).toEqual(['a', 'mine']);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    },
  );

  test('a wrong new token is refused as the old one was', async () => {
    const { shown, wrap } = guarded(['connect'], (token) => token === 'good');
    const client = await open({ config: { authToken: 'bad' }, wrap });
    await until(() => client.sync.status.phase === 'needs-auth');
    client.sync.setAuthToken('worse');
    await until(() => shown.length >= 2 && client.sync.status.phase === 'needs-auth');
    client.sync.setAuthToken('good');
    await live(client);
    expect(shown).toEqual(['bad', 'worse', 'good']);
  });

  test('a subscription that ends with AUTH_REQUIRED asks for a fresh token', async () => {
    let count = 0;
    const { shown, wrap } = guarded(['connect'], () => true);
    const client = await open({ config: { authToken: () => `token ${++count}` }, wrap });
    await live(client);
    client.wire.cut(refusal());
    await until(() => shown.length >= 2);
    await live(client);
    expect(new Set(shown).size).toBe(2);
  });

  test('setAuthToken on a live link makes it anew with the new token', async () => {
    const { shown, wrap } = guarded(['connect'], () => true);
    const client = await open({ config: { authToken: 'one' }, wrap });
    await live(client);
    client.sync.setAuthToken('two');
    await until(() => shown.length >= 2);
    await live(client);
    expect(shown).toEqual(['one', 'two']);
    expect(client.wire.subscriptions).toBe(1);
  });

  for (const step of ['pull', 'push'] as const) {
    test(`a refusal of the old token that comes after the new one (${step}) says nothing about the new one`, async () => {
      const held = gate();
      let late = false;
      const { wrap } = guarded([], () => true);
      const client = await open({
        config: { authToken: 'old' },
        wrap: (transport) => {
          const inner = wrap(transport);
          return {
            ...inner,
            [step]: async (...args: never[]) => {
              if (late) {
                late = false;
                await held.opened;
                throw refusal();
              }
              return (inner[step] as (...all: never[]) => Promise<unknown>)(...args);
            },
          };
        },
      });
      await live(client);
      late = true;
      if (step === 'push') await client.todos.save({ n: 1 }, 'a');
      else client.wire.gap();
      await until(() => !late);
      client.sync.setAuthToken('new');
      await until(() => client.sync.realtime.state.status === 'connected');
      held.open();
      await settle();
      expect(client.sync.status.phase).toBe('live');
    });
  }

  test('where there is only polling a refused token is needs-auth as well', async () => {
    fakeTimers();
    const { shown, wrap } = guarded(['pull', 'push'], (token) => token === 'good');
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { enableRealtimeSync: false, authToken: () => 'bad', syncInterval: 1000 },
      wrap,
    });
    await pass(1000);
    expect(client.sync.status.phase).toBe('needs-auth');
    await pass(3_600_000);
    expect(shown).toEqual(['bad']);
    client.sync.setAuthToken('good');
    await pass(0);
    expect(client.sync.status.phase).toBe('polling');
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('where there is only polling a fresh token needs nobody', async () => {
    fakeTimers();
    let count = 0;
    const { wrap } = guarded(['pull'], (token) => token !== 'token 1' && token !== 'token 5');
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { enableRealtimeSync: false, authToken: () => `token ${++count}`, syncInterval: 1000 },
      wrap,
    });
    await pass(20_000);
    expect(client.sync.status.phase).toBe('polling');
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a token function that fails is asked again', async () => {
    let failures = 3;
    const { wrap } = guarded(['connect'], () => true);
    const client = await open({
      config: {
        authToken: () => {
          if (failures-- > 0) throw new Error('no network');
          return 'token';
        },
      },
      wrap,
    });
    await live(client);
    expect(failures).toBeLessThan(0);
  });

  test.each([true, false])(
    'a stale token, then a good one: asked again by itself, slowly (live link: %s)',
    async (live) => {
      fakeTimers();
      let token = 'stale';
      let asked = 0;
      const { shown, wrap } = guarded(['connect', 'pull', 'push'], (given) => given === 'good');
      const client = await open({
        backend: backendWith({ a: { n: 1 } }),
        config: {
          authToken: () => {
            asked += 1;
            return token;
          },
          enableRealtimeSync: live,
          websocketReconnectDelay: 1000,
        },
        wrap,
      });
      const errors = record(client.sync, 'error');
      await client.todos.save({ n: 1 }, 'mine');
      await pass(12_000);
      expect(client.sync.status.phase).toBe('needs-auth');
      expect(client.sync.realtime.state).toMatchObject({ retryAt: expect.any(Number) as number });
      expect(shown).toEqual(['stale']);
      expect(asked).toBeLessThan(6);
      token = 'good';
      await pass(40_000);
      expect(client.sync.status.phase).toBe(live ? 'live' : 'polling');
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(Object.keys(backendRows(client))).toContain('mine');
      expect(shown.filter((each) => each === 'stale')).toHaveLength(1);
      expect(errors.length).toBeLessThan(4);
    },
  );

  test('a token that stays refused is asked for twice a minute at the most, and said once', async () => {
    fakeTimers();
    let asked = 0;
    const { shown, wrap } = guarded(['connect'], () => false);
    const client = await open({ config: { authToken: () => `token ${++asked}` }, wrap });
    await pass(120_000);
    const [before, errors] = [asked, record(client.sync, 'error', 'statusChanged')];
    await pass(3_600_000);
    expect(asked - before).toBeLessThanOrEqual(240);
    expect(new Set(shown).size).toBe(shown.length);
    expect(errors).toEqual([]);
  });

  test('a refusal where there is no token passes by itself', async () => {
    fakeTimers();
    let refuses = true;
    const { shown, wrap } = guarded(['connect'], () => !refuses);
    const client = await open({ wrap });
    await pass(1000);
    expect(client.sync.status.phase).toBe('needs-auth');
    refuses = false;
    await pass(30_000);
    expect(client.sync.status.phase).toBe('live');
    expect(shown.length).toBeLessThan(5);
  });

  test('a transport that lets itself in without a token of the app`s is tried again by itself', async () => {
    fakeTimers();
    let refuses = true;
    const client = await open({
      wire: (wire) => {
        wire.before = (step) => {
          if (step === 'connect' && refuses) throw refusal();
        };
      },
    });
    await pass(60_000);
    expect(client.sync.status.phase).toBe('needs-auth');
    expect(client.wire.calls.connect).toBeLessThan(10);
    refuses = false;
    await pass(30_000);
    expect(client.sync.status.phase).toBe('live');
  });

  test('where there is only polling, a line that is down meanwhile ends the asking for a token in nothing', async () => {
    fakeTimers();
    let answer: 'refused' | 'lost' | 'good' = 'refused';
    const client = await open({
      config: { enableRealtimeSync: false, authToken: () => answer },
      wire: (wire) => {
        wire.before = (step) => {
          if (step !== 'pull' || answer === 'good') return;
          throw answer === 'lost' ? new SyncLayerError('CONNECTION_LOST', 'The line is down.') : refusal();
        };
      },
    });
    await pass(61_000);
    expect(client.sync.status.phase).toBe('needs-auth');
    answer = 'lost';
    await pass(120_000);
    answer = 'good';
    await pass(60_000);
    expect(client.sync.status.phase).toBe('polling');
  });
});
