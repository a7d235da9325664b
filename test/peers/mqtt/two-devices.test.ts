import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { MqttTransportOptions } from '../../../examples/custom-transport/mqtt-transport.js';
import { mqttTransport } from '../../../examples/custom-transport/mqtt-transport.js';
import { createSyncLayer, registerTransport } from '../../../src/index.js';
import { errorsOf, live, mirror, pushed, startProxy, until } from '../websocket/harness.js';
import { temporaryFolder } from '../websocket/processes.js';
import { loseChangesWith, mqttDevice, startBackend, tell } from './harness.js';

const url = (port: number): string => `mqtt://127.0.0.1:${port}`;

test('registered by name, it is chosen by the configuration', async () => {
  const backend = await startBackend();
  onTestFinished(registerTransport('mqtt', (options: MqttTransportOptions) => mqttTransport(options)));
  const sync = await createSyncLayer({ transport: { type: 'mqtt', url: backend.url }, collections: ['todos'] });
  onTestFinished(() => sync.close());
  backend.write('todos', '1', { text: 'Milk' });
  await mirror(sync).when((rows) => rows.get('1')?.text === 'Milk');
});

test('what one device saves, changes and deletes is on the other, and in the backend', async () => {
  const backend = await startBackend();
  const [a, b] = await Promise.all([mqttDevice(backend), mqttDevice(backend)]);
  await Promise.all([live(a), live(b)]);
  const seen = mirror(b);
  const todos = a.collection('todos');
  await todos.save({ text: 'Milk' }, '1');
  await seen.when((rows) => rows.get('1')?.text === 'Milk');
  await todos.update('1', { text: 'Bread', done: true });
  await seen.when((rows) => rows.get('1')?.text === 'Bread' && rows.get('1')?.done === true);
  await pushed(a);
  expect(backend.rows('todos').get('1')).toEqual({ id: '1', text: 'Bread', done: true });
  await todos.delete('1');
  await seen.when((rows) => rows.size === 0);
  expect(a.metrics().errors).toEqual({});
  expect(b.metrics().errors).toEqual({});
});

test('edits and deletes made while the broker was away are everywhere once it is back', async () => {
  const path = join(await temporaryFolder(), 'mqtt.db');
  const first = await startBackend({ path });
  const proxy = await startProxy({ port: first.port });
  const [a, b] = await Promise.all([mqttDevice({ url: url(proxy.port) }), mqttDevice({ url: url(proxy.port) })]);
  await Promise.all([live(a), live(b)]);
  const [seenByA, seenByB] = [mirror(a), mirror(b)];
  for (const id of ['kept', 'gone', 'edited']) await a.collection('todos').save({ text: id }, id);
  await seenByB.when((rows) => rows.size === 3);
  await pushed(a);

  await first.close();
  await until(a, () => a.status.phase !== 'live');
  await until(b, () => b.status.phase !== 'live');
  await a.collection('todos').save({ text: 'made offline' }, 'new');
  await a.collection('todos').delete('gone');
  await b.collection('todos').update('edited', { text: 'edited offline' });
  expect([a.status.pending, b.status.pending]).toEqual([2, 1]);

  const second = await startBackend({ path });
  proxy.retarget(second.port);
  const isDone = (rows: ReadonlyMap<string, Readonly<Record<string, unknown>>>): boolean =>
    [...rows.keys()].sort().join() === 'edited,kept,new' && rows.get('edited')?.text === 'edited offline';
  await Promise.all([seenByA.when(isDone), seenByB.when(isDone)]);
  await Promise.all([live(a), live(b), pushed(a), pushed(b)]);
  expect([...second.rows('todos').keys()].sort()).toEqual(['edited', 'kept', 'new']);
});

test('a device that was away finds what was written and deleted meanwhile', async () => {
  const backend = await startBackend();
  const proxy = await startProxy({ port: backend.port });
  for (let n = 0; n < 700; n++) backend.write('todos', `t${n}`, { n });
  const sync = await mqttDevice({ url: url(proxy.port) }, { pageSize: 100 });
  await live(sync);
  const seen = mirror(sync);
  await seen.when((rows) => rows.size === 700);
  await proxy.refuse();
  proxy.cut({ reset: true });
  await until(sync, () => sync.status.phase !== 'live');
  for (let n = 0; n < 300; n++) backend.delete('todos', `t${n}`);
  for (let n = 300; n < 600; n++) backend.write('todos', `t${n}`, { n: -n });
  await proxy.accept();
  await seen.when((rows) => rows.size === 400 && rows.get('t599')?.n === -599 && rows.get('t600')?.n === 600);
  await live(sync);
});

test('a push whose answer was lost is not applied again over what came after it', async () => {
  const backend = await startBackend();
  const proxy = await startProxy({ port: backend.port });
  const sync = await mqttDevice({ url: url(proxy.port) }, { conflictStrategy: 'clientWins' });
  await live(sync);
  // The first byte that comes back is of the answer, or of the change.
  const cut = proxy.cutAfter(1, { direction: 'down', reset: true });
  await sync.collection('todos').save({ n: 1 }, '1');
  await proxy.refuse();
  await cut;
  expect(backend.rows('todos').get('1')).toEqual({ id: '1', n: 1 });
  backend.write('todos', '1', { n: 2 });
  await proxy.accept();
  await pushed(sync);
  await mirror(sync).when((rows) => rows.get('1')?.n === 2);
  expect(backend.rows('todos').get('1')).toEqual({ id: '1', n: 2 });
});

test('a change that the broker drops is noticed with the next one', async () => {
  const backend = await startBackend();
  const sync = await mqttDevice(backend);
  await live(sync);
  const seen = mirror(sync);
  backend.write('todos', '1', { n: 1 });
  await seen.when((rows) => rows.has('1'));
  loseChangesWith(backend, 'a change of todo 2');
  backend.write('todos', '2', { text: 'a change of todo 2' });
  backend.write('todos', '3', { text: 'a change of todo 3' });
  await seen.when((rows) => rows.has('2') && rows.has('3'));
});

test('what is written before the broker grants a subscription is found when it does', async () => {
  const { broker, url, write } = await startBackend();
  const { authorizeSubscribe } = broker;
  let grant = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    broker.authorizeSubscribe = (client, wanted, done) => {
      if (!wanted.topic.includes('/changes/')) return authorizeSubscribe(client, wanted, done);
      grant = () => authorizeSubscribe(client, wanted, done);
      resolve();
    };
  });
  const sync = await mqttDevice({ url });
  await asked;
  await sync.syncNow();
  expect(sync.status.phase).not.toBe('live');
  write('todos', '1', { n: 1 });
  grant();
  await mirror(sync).when((rows) => rows.get('1')?.n === 1);
  await live(sync);
});

test('in a browser it is the same over a WebSocket', async () => {
  const { broker } = await startBackend();
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt' });
  server.on('connection', (socket) => void broker.handle(createWebSocketStream(socket)));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = { url: `ws://127.0.0.1:${port}` };
  const [a, b] = await Promise.all([mqttDevice(address), mqttDevice(address)]);
  await Promise.all([live(a), live(b)]);
  await a.collection('todos').save({ n: 1 }, '1');
  await mirror(b).when((rows) => rows.get('1')?.n === 1);
});

test('changes that cannot be read are reported, and pulled', async () => {
  const backend = await startBackend();
  const sync = await mqttDevice(backend);
  await live(sync);
  const errors = errorsOf(sync);
  const seen = mirror(sync);
  loseChangesWith(backend, 'not told');
  for (const [index, payload] of ['{"id":"1","seq":"one"}', '{"id":"1","seq":1}', 'null', 'not JSON'].entries()) {
    backend.write('todos', `${index}`, { text: 'not told' });
    await tell(backend, 'todos', payload);
    await seen.when((rows) => rows.size === index + 1);
  }
  expect([...new Set(errors.map(({ error }) => error.code))]).toEqual(['PROTOCOL_VIOLATION']);
});

test('a token that the broker refuses is needs-auth, and another one lets it in', async () => {
  const backend = await startBackend({ authenticate: (token) => token === 'right' });
  const sync = await mqttDevice(backend, { authToken: 'wrong' });
  await until(sync, () => sync.status.phase === 'needs-auth');
  sync.setAuthToken('right');
  await live(sync);
});

test('a collection that the broker does not let a client read is told, and others go on', async () => {
  const backend = await startBackend({ mayRead: (collection) => collection !== 'secrets' });
  const sync = await mqttDevice(backend, { collections: ['todos', 'secrets'] });
  const errors = errorsOf(sync);
  await until(sync, () => errors.some(({ error }) => error.code === 'SUBSCRIBE_REJECTED'));
  backend.write('todos', '1', { n: 1 });
  await mirror(sync).when((rows) => rows.has('1'));
  expect(errors.filter(({ error }) => error.code === 'SUBSCRIBE_REJECTED')).toMatchObject([{ collection: 'secrets' }]);
});

test('a silent broker is noticed, and the link made anew', async () => {
  const backend = await startBackend();
  const proxy = await startProxy({ port: backend.port });
  const sync = await mqttDevice({ url: url(proxy.port), keepalive: 1000 });
  await live(sync);
  const lost = sync.events.once('realtimeDisconnected');
  proxy.set({ blackHole: true });
  const { state } = await lost;
  expect(state).toMatchObject({ reason: { code: 'HEARTBEAT_TIMEOUT' } });
  backend.write('todos', '1', { n: 1 });
  proxy.set({ blackHole: false });
  await mirror(sync).when((rows) => rows.has('1'));
});

test('names and ids that mean something in a topic are only names and ids', async () => {
  const backend = await startBackend();
  const name = 'a/+/#/ü "\'';
  const sync = await mqttDevice(backend, { collections: [name] });
  await live(sync);
  const seen = mirror(sync, name);
  backend.write(name, '+/#', { n: 1 });
  await seen.when((rows) => rows.get('+/#')?.n === 1);
});

test('after close there is no socket, whatever was under way', async () => {
  const backend = await startBackend();
  const proxy = await startProxy({ port: backend.port });
  const noSockets = (): Promise<void> => vi.waitFor(() => expect(proxy.connections).toBe(0));

  const quiet = await mqttDevice({ url: url(proxy.port) });
  await live(quiet);
  await quiet.close();
  await noSockets();

  const asking = await mqttDevice({ url: url(proxy.port) });
  await live(asking);
  proxy.set({ blackHole: true });
  const round = expect(asking.syncNow()).rejects.toMatchObject({ code: 'CLOSED' });
  await asking.close();
  await round;

  const accepted = proxy.accepted;
  const connecting = await mqttDevice({ url: url(proxy.port) });
  await vi.waitFor(() => expect(proxy.accepted).toBe(accepted + 1));
  await connecting.close();
  proxy.set({ blackHole: false });
  await noSockets();
});
