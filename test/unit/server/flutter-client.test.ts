import { describe, expect, test } from 'vitest';
import type { SyncServerOptions } from '../../../src/server/index.js';
import { flutterApp, flutterRest, flutterSocket } from './fixtures/flutter-frames.js';
import { type Harness, start } from './fixtures/harness.js';

const options: SyncServerOptions = {
  authenticate: (token) => (token === flutterSocket.token ? { id: 'flutter' } : token ? { id: token } : null),
};
const noon = Date.UTC(2026, 1, 24, 12);

/** An app on a real socket, whose every frame is read as Dart would read it. */
async function openApp({ client, rest }: Harness) {
  const app = flutterApp();
  const socket = await client(flutterSocket.query);
  let read = 0;
  return {
    ...app,
    socket,
    /** What came until now; throws if the app could not read all of it. */
    async settled() {
      const messages = await socket.settled();
      while (read < socket.frames.length) app.frame(socket.frames[read++] ?? '');
      return messages;
    },
    async call({ path, init }: { readonly path: string; readonly init: RequestInit }) {
      const response = await rest(path, init);
      // Dio throws for anything else.
      if (response.status < 200 || response.status >= 300) throw new Error(`${response.status} for ${path}`);
      return response.json();
    },
  };
}

describe('an unmodified Flutter app', () => {
  test('gets the answers that it knows', async () => {
    const harness = await start(options);
    harness.clock.time = noon;
    const app = await openApp(harness);
    app.socket.send(flutterSocket.subscribe);
    app.socket.send(flutterSocket.ping);
    app.socket.send(flutterSocket.insert);
    app.socket.send(flutterSocket.save);
    app.socket.send(flutterSocket.delta);
    app.socket.send(flutterSocket.delete);
    app.socket.send(flutterSocket.unsubscribe);
    await app.socket.expect('subscribed');
    await app.socket.expect('pong');
    // Its writes get no answer, and do not come back.
    await app.socket.expect('unsubscribed');
    expect(await app.settled()).toEqual([]);
  });

  test('changes the records that others see', async () => {
    const harness = await start(options);
    harness.clock.time = noon;
    const app = await openApp(harness);
    const other = await harness.client('?token=other');
    other.send({ type: 'subscribe', collection: 'todos' });
    await other.expect('subscribed');
    for (const frame of ['insert', 'save', 'delta', 'delete'] as const) app.socket.send(flutterSocket[frame]);
    const about = { collection: 'todos', recordId: flutterSocket.id, timestamp: '2026-02-24T12:00:00.000Z' };
    const meta = (version: number) => ({ version, seq: version, userId: 'flutter' });
    const data = { text: 'Buy groceries', done: false, price: 1 };
    expect(await other.next()).toEqual({ type: 'insert', ...about, data, metadata: meta(1) });
    const saved = { ...data, text: 'Buy bread' };
    expect(await other.next()).toEqual({ type: 'update', ...about, data: saved, metadata: meta(2) });
    expect(await other.next()).toEqual({ type: 'update', ...about, data: { ...saved, done: true }, metadata: meta(3) });
    expect(await other.next()).toEqual({ type: 'delete', ...about, metadata: meta(4) });
  });

  test('sends each edit twice, by socket and by HTTP, and it counts once', async () => {
    const harness = await start(options);
    const app = await openApp(harness);
    const other = await openApp(harness);
    other.socket.send(flutterSocket.subscribe);
    await other.settled();
    for (const [frame, call] of [
      [flutterSocket.insert, flutterRest.insert],
      [flutterSocket.delta, flutterRest.delta],
      [flutterSocket.delete, flutterRest.delete],
    ] as const) {
      app.socket.send(frame);
      await app.settled();
      await app.call(call);
    }
    expect((await other.settled()).map(({ type }) => type)).toEqual(['insert', 'update', 'delete']);
  });

  test('reads the events of others: whole rows, whatever they sent', async () => {
    const harness = await start(options);
    const app = await openApp(harness);
    app.socket.send(flutterSocket.subscribe);
    await app.settled();
    const other = await harness.client('?token=other');
    const write = (type: string, recordId: string, data: object | undefined, metadata: object) =>
      other.send({ type, collection: 'todos', recordId, data, metadata });
    write('insert', '1', { text: 'a', n: 1 }, { opId: 'o1', baseVersion: null });
    write('update', '1', { n: 2 }, { opId: 'o2', baseVersion: 1 });
    write('insert', '2', {}, { opId: 'o3', baseVersion: null });
    write('delete', '2', undefined, { opId: 'o4', baseVersion: 3 });
    await other.settled();
    await app.settled();
    expect([...app.documents]).toEqual([['1', { data: { text: 'a', n: 2 }, version: 2 }]]);
  });

  test('pulls in pages of 100, then what changed since, in its own time zone', async () => {
    const harness = await start(options);
    const { server, clock } = harness;
    const todos = server.collection('todos');
    clock.time = noon;
    for (let i = 0; i < 250; i++) todos.save(`${i}`, { userId: i % 2 ? 'ann' : 'bob', n: i });
    const app = await openApp(harness);

    let newest: string | undefined;
    for (let offset = 0; ; offset += 100) {
      const page = app.pulled(await app.call(flutterRest.pull(`limit=100&offset=${offset}`)));
      newest = page.newest ?? newest;
      if (page.count < 100) break;
    }
    expect(app.documents.size).toBe(250);
    expect(newest).toBe('2026-02-24T12:00:00.000Z');

    // Its store hands the time back as local time, here of Auckland, and Dart writes that without the zone.
    clock.time = noon + 60_000;
    todos.save('7', { n: 'changed' });
    const since = encodeURIComponent('2026-02-25T01:00:00.000');
    app.pulled(await app.call(flutterRest.pull(`since=${since}&limit=100&offset=200`)));
    expect(app.documents.get('7')?.data).toEqual({ n: 'changed' });
  });

  test('filters by where, as Dart prints the values', async () => {
    const harness = await start(options);
    const todos = harness.server.collection('todos');
    todos.save('1', { userId: '42', done: false, price: 1, text: 'a' });
    todos.save('2', { userId: '42', done: true, price: 1, text: 'b' });
    const app = await openApp(harness);
    const query = 'limit=100&offset=0&where%5BuserId%5D=42&where%5Bdone%5D=false&where%5Bprice%5D=1.0&fields=text,done';
    app.pulled(await app.call(flutterRest.pull(query)));
    expect([...app.documents]).toEqual([['1', { data: { text: 'a', done: false }, version: 1 }]]);
  });

  test('with a wrong token is told in words that it knows', async () => {
    const harness = await start({ authenticate: () => null });
    const app = await openApp(harness);
    expect((await app.socket.closed).code).toBe(4401);
    for (const frame of app.socket.frames) app.frame(frame);
    expect(app.socket.frames.map((frame) => JSON.parse(frame))).toEqual([
      { type: 'error', code: 'AUTH_FAILED', error: expect.any(String) },
    ]);
    await expect(app.call(flutterRest.insert)).rejects.toThrow('401');
  });
});
