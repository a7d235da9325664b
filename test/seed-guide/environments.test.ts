import { expect, test } from 'vitest';
import { checkConfig } from '../../src/config/rules.js';
import { fromEnv, type SyncLayerConfig } from '../../src/index.js';
import { collections, hasText, openDevice, phase, shows, startServer, type Todo } from './setup.js';

const development = {
  SYNCLAYER_BASE_URL: 'http://localhost:3000',
  SYNCLAYER_WEBSOCKET_URL: 'ws://localhost:3000/ws',
  SYNCLAYER_ENABLE_REALTIME_SYNC: 'true',
  SYNCLAYER_WEBSOCKET_RECONNECT_DELAY: '2000',
  SYNCLAYER_MAX_WEBSOCKET_RECONNECT_ATTEMPTS: '10',
  SYNCLAYER_COLLECTIONS: 'todos,users,notes',
};

const production = {
  ...development,
  SYNCLAYER_BASE_URL: 'https://api.example.com',
  SYNCLAYER_WEBSOCKET_URL: 'wss://api.example.com/ws',
  SYNCLAYER_WEBSOCKET_RECONNECT_DELAY: '5000',
  SYNCLAYER_MAX_WEBSOCKET_RECONNECT_ATTEMPTS: '5',
};

test('development and production differ in their variables, in nothing else', () => {
  expect(fromEnv(development)).toEqual({
    baseUrl: 'http://localhost:3000',
    websocketUrl: 'ws://localhost:3000/ws',
    enableRealtimeSync: true,
    websocketReconnectDelay: 2000,
    maxWebsocketReconnectAttempts: 10,
    collections: ['todos', 'users', 'notes'],
  });
  expect(fromEnv(production)).toEqual({
    baseUrl: 'https://api.example.com',
    websocketUrl: 'wss://api.example.com/ws',
    enableRealtimeSync: true,
    websocketReconnectDelay: 5000,
    maxWebsocketReconnectAttempts: 5,
    collections: ['todos', 'users', 'notes'],
  });
  for (const env of [development, production])
    expect(() => checkConfig({ ...fromEnv(env) } as SyncLayerConfig)).not.toThrow();
});

test('an app whose whole configuration is its environment', async () => {
  const server = await startServer({ authenticate: (token) => (token === 'dev-token' ? { id: 'dev' } : null) });
  const env = {
    ...development,
    SYNCLAYER_BASE_URL: server.httpUrl,
    SYNCLAYER_WEBSOCKET_URL: server.url,
    SYNCLAYER_AUTH_TOKEN: 'dev-token',
  };
  const start = (variables: Record<string, string>) => openDevice({ collections, ...fromEnv(variables) });
  const [one, two] = await Promise.all([start(env), start({ ...env, SYNCLAYER_ENABLE_REALTIME_SYNC: 'false' })]);
  await phase(one as Awaited<ReturnType<typeof openDevice>>, 'live');
  expect(two.status.phase).toBe('polling');
  await one.collection('todos').save({ text: 'Milk', done: false });
  await one.syncNow();
  await two.syncNow();
  await shows(two.collection<Todo>('todos'), hasText('Milk'));
});

test('the backend by name, from the environment too', async () => {
  const server = await startServer();
  const env = {
    SYNCLAYER_TRANSPORT: 'websocket',
    SYNCLAYER_WEBSOCKET_URL: server.url,
    SYNCLAYER_BASE_URL: server.httpUrl,
    SYNCLAYER_WEBSOCKET_HEARTBEAT_INTERVAL: '20000',
  };
  const sync = await openDevice({ ...fromEnv(env), collections });
  await phase(sync, 'live');
  expect(server.connections).toBe(1);
});
