import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { websocketTransport } from '../../../adapters/websocket/index.js';
import { readOptions, rules, type WebSocketTransportOptions } from '../../../adapters/websocket/options.js';

const message = (options: unknown): string => {
  try {
    websocketTransport(options as WebSocketTransportOptions);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

test.each<[unknown, string]>([
  [{}, 'url must be'],
  [undefined, 'url must be'],
  ['wss://x.example', 'url must be'],
  [{ url: 'https://x.example/ws' }, 'begins with ws:// or wss://'],
  [{ url: 'wss://' }, 'begins with ws:// or wss://'],
  [{ url: 'wss://user:hush@x.example/ws' }, 'without user name'],
  [{ url: 'wss://x.example/ws#part' }, 'begins with ws://'],
  [{ baseUrl: 'wss://x.example' }, 'begins with http:// or https://'],
  [{ baseUrl: 'https://x.example/?key=hush' }, 'without user name or query'],
  [{ baseUrl: 'https://hush@x.example' }, 'without user name or query'],
  [{ url: 'wss://x.example', authMode: 'header' }, '"message" or "query"'],
  [{ url: 'wss://x.example', heartbeatInterval: 0 }, 'a number above 0'],
  [{ url: 'wss://x.example', heartbeatTimeout: Number.NaN }, 'a number above 0'],
  [{ url: 'wss://x.example', requestTimeout: 2 ** 31 }, 'up to 2147483647'],
  [{ url: 'wss://x.example', authToken: 7 }, 'a string, or a function'],
  [{ url: 'wss://x.example', WebSocket: {} }, 'a WebSocket class'],
  [
    { url: 'wss://x.example', heartbeatinterval: 5 },
    'heartbeatinterval is not an option; did you mean "heartbeatInterval"?',
  ],
  [{ url: 'wss://x.example', pingInterval: 5 }, 'pingInterval is called heartbeatInterval now'],
  [{ url: 'wss://x.example', pongTimeout: 5 }, 'pongTimeout is called heartbeatTimeout now'],
])('%j is refused with what to write instead', (options, words) => {
  const said = message(options);
  expect(said).toContain(words);
  expect(said).not.toContain('hush');
});

test('its source is the address without its query; what it can do is a sequence until it knows better', () => {
  const transport = websocketTransport({ url: 'wss://x.example/ws?room=1' });
  expect(transport.source).toBe('x.example/ws');
  expect(transport.capabilities).toMatchObject({
    cursor: 'sequence',
    deletes: 'tombstones',
    idempotent: true,
    editTimes: true,
    live: true,
  });
  expect(transport.fetch, 'until it is known to be a server of the original protocol').toBeUndefined();
  const polling = websocketTransport({ baseUrl: 'https://x.example/api/' });
  expect(polling.source).toBe('x.example/api/');
  expect(polling.capabilities.live).toBe(false);
});

test('connect says what is missing, and that closed is closed', async () => {
  const { signal } = new AbortController();
  const polling = websocketTransport({ baseUrl: 'https://x.example' });
  await expect(polling.connect({ signal })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('Set websocketUrl (url)'),
  });
  const transport = websocketTransport({ url: 'ws://127.0.0.1:1/ws' });
  await transport.close();
  await expect(transport.connect({ signal })).rejects.toMatchObject({ code: 'CLOSED' });
});

test('a subscription without a link ends at once', async () => {
  const transport = websocketTransport({ url: 'ws://127.0.0.1:1/ws' });
  const code = await new Promise((resolve) => {
    const sink = { change() {}, live() {}, gap() {}, error: (error: { code: string }) => resolve(error.code) };
    transport.subscribe({ collection: 'todos' }, sink);
  });
  expect(code).toBe('CONNECTION_LOST');
});

test('a platform without WebSocket is told what to pass', async () => {
  const { WebSocket } = globalThis;
  Reflect.deleteProperty(globalThis, 'WebSocket');
  try {
    const transport = websocketTransport({ url: 'ws://127.0.0.1:1/ws' });
    await expect(transport.connect({ signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('websocketTransport({ WebSocket })'),
    });
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

test('the README names every option with its default', () => {
  const readme = readFileSync('adapters/websocket/README.md', 'utf8');
  const table = readme.slice(readme.indexOf('## Options'), readme.indexOf('## How it stays right'));
  const rows = [...table.matchAll(/^\| `(\w+)` \| [^|]+ \|([^|]*)\|/gm)].map(([, name = '', value = '']) => [
    name,
    value.replaceAll(/[ '`]/g, ''),
  ]);
  const url = 'wss://x.example/ws';
  const defaults = Object.entries(readOptions({ url })).filter(([name]) => name !== 'url');
  expect(rows.map(([name]) => name)).toEqual(Object.keys(rules));
  for (const [name, value] of defaults) expect(rows).toContainEqual([name, String(value)]);
});
