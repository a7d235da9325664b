import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import type { SyncLayerInstance } from '../../src/instance.js';
import {
  type DeviceConfig,
  device,
  errorsOf,
  everyEvent,
  live,
  mirror,
  portOf,
  pushed,
  startProxy,
  startScripted,
  startServer,
  until,
} from '../peers/websocket/harness.js';

const SECRET = 'hush-5ecret-token';

/** A JWT as far as we look at one. */
const jwt = (claims: object): string =>
  ['{"alg":"none"}', JSON.stringify(claims), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

const inSeconds = (seconds: number): number => Date.now() / 1000 + seconds;

const only =
  (...tokens: readonly string[]) =>
  (token: string | undefined) =>
    token !== undefined && tokens.includes(token) ? { id: 'ann' } : null;

/** Everything that a device says to anybody, as text. */
async function listening(config: DeviceConfig) {
  const heard: unknown[] = [];
  const consoles = (['debug', 'info', 'warn', 'error', 'log'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation((...words) => void heard.push(words)),
  );
  const sync = await device({
    ...config,
    logger: { enabled: true, minLevel: 'debug', customLogger: (...words) => void heard.push(words) },
  });
  for (const name of everyEvent) sync.events.on(name, (event) => void heard.push([name, event]));
  return {
    sync,
    /** With causes, stacks and what is not enumerable. */
    text(): string {
      for (const spy of consoles) spy.mockRestore();
      return inspect([heard, sync.inspect(), sync.metrics(), sync.outbox.pending(), sync.realtime.state], {
        depth: Number.POSITIVE_INFINITY,
        showHidden: true,
        maxStringLength: null,
        maxArrayLength: null,
      });
    },
  };
}

const needsAuth = (sync: SyncLayerInstance) => until(sync, () => sync.status.phase === 'needs-auth');

describe('a wrong token ends in needs-auth, and is shown to nobody', () => {
  const expectSilence = async (text: string) => {
    expect(text).toContain('AUTH_REQUIRED');
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(encodeURIComponent(SECRET));
  };

  test.each(['message', 'query'] as const)('authMode %s', async (authMode) => {
    const asked: (string | undefined)[] = [];
    const server = await startServer({
      authenticate: (token) => {
        asked.push(token);
        return only('right')(token);
      },
    });
    const { sync, text } = await listening({
      transport: { type: 'websocket', url: server.url, baseUrl: server.httpUrl, authMode },
      authToken: SECRET,
      syncInterval: 100,
    });
    await sync.collection('todos').save({ n: 1 }, '1');
    await needsAuth(sync);
    expect(sync.realtime.state).toMatchObject({ status: 'needs-auth', reason: { code: 'AUTH_REQUIRED' } });
    // Asked by the socket, and by HTTP where the edit tried to go meanwhile; not again and again.
    expect(asked.filter((token) => token === SECRET).length).toBeLessThanOrEqual(3);
    await expectSilence(text());
    sync.setAuthToken('right');
    await live(sync);
    await pushed(sync);
  });

  test('a server that quotes it in its refusal', async () => {
    const server = await startScripted(({ type, token }, { say, socket }) => {
      if (type !== 'auth') return false;
      say({ type: 'error', code: 'AUTH_FAILED', error: `The token ${token} is not known` });
      socket.close(4401, `no ${token}`);
      return true;
    });
    const { sync, text } = await listening({ websocketUrl: server.url, authToken: SECRET });
    await needsAuth(sync);
    await expectSilence(text());
  });

  test('a server that only closes, and quotes it', async () => {
    const server = await startScripted(({ type, token }, { socket }) => {
      if (type === 'auth') socket.close(1008, `no ${token}`);
      return type === 'auth';
    });
    const { sync, text } = await listening({ websocketUrl: server.url, authToken: SECRET });
    await needsAuth(sync);
    await expectSilence(text());
  });

  test('a server that quotes it later on', async () => {
    const server = await startScripted();
    const { sync, text } = await listening({ websocketUrl: server.url, authToken: SECRET });
    await live(sync);
    server.say({ type: 'error', code: 'INVALID_MESSAGE', error: `What is ${SECRET}?` });
    await until(sync, () => Object.keys(sync.metrics().errors).length > 0);
    expect(text()).toContain('What is (token)?');
    expect(text()).not.toContain(SECRET);
  });

  test('by HTTP, with characters that no header can carry', async () => {
    const server = await startServer({ authenticate: only('right') });
    const { sync, text } = await listening({ baseUrl: server.httpUrl, authToken: `${SECRET}\n€`, syncInterval: 100 });
    await until(sync, () => (sync.metrics().errors.AUTH_REQUIRED ?? 0) > 0);
    await expectSilence(text());
  });

  test('an address that no socket can be opened to', async () => {
    const refusing = class {
      constructor(url: string | URL) {
        throw new SyntaxError(`not allowed: ${url}`);
      }
    } as unknown as typeof WebSocket;
    const { sync, text } = await listening({
      transport: { type: 'websocket', url: 'ws://127.0.0.1:1/ws', authMode: 'query', WebSocket: refusing },
      authToken: SECRET,
    });
    await until(sync, () => (sync.metrics().errors.CONNECT_FAILED ?? 0) > 0);
    const said = text();
    expect(said).toContain('cannot be opened here');
    expect(said).not.toContain(SECRET);
  });

  test('a server that is not there', async () => {
    const server = await startServer();
    const proxy = await startProxy({ port: portOf(server.url) });
    await proxy.refuse();
    const { sync, text } = await listening({
      transport: {
        type: 'websocket',
        url: `ws://127.0.0.1:${proxy.port}/ws`,
        baseUrl: `http://127.0.0.1:${proxy.port}`,
        authMode: 'query',
      },
      authToken: SECRET,
    });
    await sync.collection('todos').save({ n: 1 });
    await until(sync, () => Object.keys(sync.metrics().errors).length >= 2);
    expect(text()).not.toContain(SECRET);
  });
});

test('a wrong token by polling only: needs-auth, asked once or twice, and on with the right one', async () => {
  let asked = 0;
  const server = await startServer({
    authenticate: (token) => {
      asked += 1;
      return only('right')(token);
    },
  });
  server.collection('todos').save('1', { n: 1 });
  const sync = await device({ baseUrl: server.httpUrl, authToken: 'wrong', syncInterval: 100 });
  await needsAuth(sync);
  expect(asked).toBeLessThanOrEqual(2);
  sync.setAuthToken('right');
  await mirror(sync).when((rows) => rows.has('1'));
  await until(sync, () => sync.status.phase === 'polling');
});

test('no token where one is wanted: needs-auth says that none is configured', async () => {
  const server = await startServer({ authenticate: only('right') });
  const sync = await device({ websocketUrl: server.url });
  await needsAuth(sync);
  expect(sync.realtime.state).toMatchObject({ reason: { message: expect.stringContaining('none is configured') } });
});

describe('a token with an end', () => {
  test('is replaced in time, on the same link', async () => {
    const exp = inSeconds(5);
    const first = jwt({ exp, n: 1 });
    const second = jwt({ exp: inSeconds(3600), n: 2 });
    const asked: (string | undefined)[] = [];
    let renewed = () => undefined;
    const secondCame = new Promise<void>((resolve) => {
      renewed = () => void resolve();
    });
    const server = await startServer({
      authenticate: (token) => {
        asked.push(token);
        if (token === second) renewed();
        return only(first, second)(token);
      },
    });
    const tokens = [first, second];
    const sync = await device({ websocketUrl: server.url, authToken: async () => tokens.shift() ?? second });
    await live(sync);
    await secondCame;
    expect(Date.now() / 1000).toBeLessThan(exp);
    await sync.collection('todos').save({ n: 1 });
    await pushed(sync);
    // Undefined: the server also asks before the first message, for who has cookies.
    expect(asked.filter((token) => token !== undefined)).toEqual([first, second]);
    expect(sync.metrics().connection.reconnects).toBe(0);
    expect(sync.metrics().errors).toEqual({});
  });

  test('is asked for again if it is not ready yet, or if asking fails', async () => {
    const first = jwt({ exp: inSeconds(4), n: 1 });
    const second = jwt({ exp: inSeconds(3600), n: 2 });
    let renewed = () => undefined;
    const secondCame = new Promise<void>((resolve) => {
      renewed = () => void resolve();
    });
    const server = await startServer({
      authenticate: (token) => {
        if (token === second) renewed();
        return only(first, second)(token);
      },
    });
    let asked = 0;
    const sync = await device({
      websocketUrl: server.url,
      authToken: () => {
        asked += 1;
        if (asked === 2) throw new Error('offline');
        return asked < 3 ? first : second;
      },
    });
    await live(sync);
    await secondCame;
    expect(asked).toBe(3);
    expect(sync.metrics().connection.reconnects).toBe(0);
    expect(sync.metrics().errors).toEqual({ CONNECT_FAILED: 1 });
  });

  test('in the URL: the link is made anew with the next one', async () => {
    const first = jwt({ exp: inSeconds(2), n: 1 });
    const second = jwt({ exp: inSeconds(3600), n: 2 });
    const server = await startServer({ authenticate: only(first, second) });
    const tokens = [first, second];
    const sync = await device({
      transport: { type: 'websocket', url: server.url, authMode: 'query' },
      authToken: () => tokens.shift() ?? second,
    });
    await live(sync);
    await until(sync, () => sync.metrics().connection.reconnects === 1 && sync.status.phase === 'live');
  });

  test('that is refused while connected: a function gives the next one', async () => {
    const good = new Set(['one']);
    const server = await startServer({ authenticate: (token) => only(...good)(token) });
    let current = 'one';
    const sync = await device({ websocketUrl: server.url, authToken: () => current });
    await live(sync);
    good.clear();
    good.add('two');
    current = 'two';
    const lost = sync.events.once('realtimeDisconnected');
    server.dropConnections({ code: 4401 });
    await lost;
    await live(sync);
  });

  test('that is refused while connected: a string is not tried over and over', async () => {
    const good = new Set(['one']);
    let asked = 0;
    const server = await startServer({
      authenticate: (token) => {
        asked += 1;
        return only(...good)(token);
      },
    });
    const sync = await device({ websocketUrl: server.url, authToken: 'one' });
    await live(sync);
    good.clear();
    const before = asked;
    server.dropConnections({ code: 4401 });
    await needsAuth(sync);
    expect(asked).toBe(before);
    // What is saved meanwhile waits.
    await sync.collection('todos').save({ n: 1 }, '1');
    good.add('two');
    sync.setAuthToken('two');
    await live(sync);
    await pushed(sync);
    expect(server.collection('todos').count()).toBe(1);
  });
});

test('a token function that fails is asked again with the next attempt', async () => {
  const server = await startServer({ authenticate: only('right') });
  let asked = 0;
  const sync = await device({
    websocketUrl: server.url,
    authToken: async () => {
      if (++asked < 4) throw new Error('the sign-in service is down');
      return 'right';
    },
  });
  const errors = errorsOf(sync);
  await live(sync);
  expect(errors.every(({ error }) => error.code === 'CONNECT_FAILED' || error.code === 'CONNECTION_LOST')).toBe(true);
});

test('a token function that never answers holds nothing up for ever', async () => {
  const server = await startServer({ authenticate: only('right') });
  let asked = 0;
  const sync = await device({
    websocketUrl: server.url,
    connectTimeout: 100,
    authToken: () => (++asked === 1 ? new Promise<string>(() => undefined) : 'right'),
  });
  const [error] = await Promise.all([sync.events.once('error'), live(sync)]);
  // It is named, and not the server.
  expect(error.error.message).toContain('authToken() has not answered');
  expect(sync.metrics().errors.CONNECT_TIMEOUT).toBeUndefined();
});
