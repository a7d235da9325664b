import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createTcpProxy, type TcpProxyOptions } from '../../../src/testing/tcp-proxy.js';

/** A server that hands its sockets to the test. */
async function listen() {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    server.emit('taken', socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const next = async (): Promise<Socket> => ((await once(server, 'taken')) as [Socket])[0];
  return { port: (server.address() as AddressInfo).port, next, sockets };
}

async function proxyTo(options: TcpProxyOptions) {
  const proxy = await createTcpProxy(options);
  onTestFinished(() => proxy.close());
  const open = (): Socket => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { proxy, open };
}

/** Reads until so many bytes are there. */
function reader(socket: Socket) {
  let got = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    socket.emit('more');
  });
  return {
    get bytes() {
      return got;
    },
    async until(length: number): Promise<Buffer> {
      while (got.length < length) await once(socket, 'more');
      return got;
    },
  };
}

async function pair(options: Partial<TcpProxyOptions> = {}) {
  const server = await listen();
  const { proxy, open } = await proxyTo({ port: server.port, ...options });
  const taken = server.next();
  const near = open();
  const far = await taken;
  return { proxy, open, server, near, far, atFar: reader(far), atNear: reader(near) };
}

test('carries bytes both ways, whole and in order, and counts them', async () => {
  const { proxy, near, far, atFar, atNear } = await pair();
  const many = Buffer.from(Array.from({ length: 3_000_000 }, (_, n) => n % 251));
  near.write(many);
  far.write('hello');
  expect((await atFar.until(many.length)).equals(many)).toBe(true);
  expect(String(await atNear.until(5))).toBe('hello');
  expect(proxy.bytes).toEqual({ up: 3_000_000, down: 5 });
  expect([proxy.connections, proxy.accepted]).toEqual([1, 1]);
});

test('carries the end of each direction by itself', async () => {
  const { near, far, atNear } = await pair();
  near.end('bye');
  await once(far, 'end');
  far.end('still here');
  expect(String(await atNear.until(10))).toBe('still here');
  await once(near, 'close');
});

test('cut ends both sides; with reset they are told so', async () => {
  const first = await pair();
  const ended = [once(first.near, 'end'), once(first.far, 'end')];
  first.proxy.cut();
  await Promise.all(ended);
  const second = await pair();
  const reset = Promise.all([once(second.near, 'error'), once(second.far, 'error')]);
  second.proxy.cut({ reset: true });
  expect((await reset).map(([error]) => (error as NodeJS.ErrnoException).code)).toEqual(['ECONNRESET', 'ECONNRESET']);
});

test('refuse: nobody listens, and what is open stays; accept: on the same port again', async () => {
  const { proxy, open, server, near, atFar } = await pair();
  const { port } = proxy;
  await proxy.refuse();
  const [error] = (await once(open(), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  near.write('still');
  expect(String(await atFar.until(5))).toBe('still');
  await proxy.accept();
  expect(proxy.port).toBe(port);
  const taken = server.next();
  open();
  await taken;
});

test('a black hole swallows bytes, ends and new connections; once it is gone they all arrive', async () => {
  const { proxy, open, server, near, far, atFar } = await pair();
  let ended = false;
  far.on('end', () => {
    ended = true;
  });
  proxy.set({ blackHole: true });
  near.end('into the dark');
  const late = open();
  await once(late, 'connect');
  late.write('me too');
  const before = proxy.accepted;
  // What passes is another connection to another proxy: time enough for anything to get through here.
  const other = await pair();
  other.near.write('x');
  await other.atFar.until(1);
  expect([atFar.bytes.length, ended, server.sockets.length, before]).toEqual([0, false, 1, 2]);
  const taken = server.next();
  const end = once(far, 'end');
  proxy.set({ blackHole: false });
  expect(String(await atFar.until(13))).toBe('into the dark');
  await end;
  expect(String(await reader(await taken).until(6))).toBe('me too');
});

test('cutAfter lets exactly so many bytes through, in the middle of a chunk', async () => {
  const { proxy, near, far, atFar } = await pair();
  const struck = proxy.cutAfter(7, { direction: 'up' });
  far.write('the other direction does not count');
  const end = once(far, 'end');
  near.write('0123');
  near.write('456789');
  await struck;
  await end;
  expect(String(atFar.bytes)).toBe('0123456');
  expect(proxy.bytes.up).toBe(7);
});

test('cutAfter counts whole WebSocket frames, however they come in chunks', async () => {
  const { proxy, near, far, atFar } = await pair();
  const upgrade = 'GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n';
  const frame = (text: string) =>
    Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
  near.write(upgrade);
  near.write(frame('one'));
  await atFar.until(upgrade.length + 9);
  const struck = proxy.cutAfter({ frames: 2 });
  // The next one is there in part only, and the third in the same chunk as the second.
  near.write(frame('two').subarray(0, 4));
  await atFar.until(upgrade.length + 13);
  const end = once(far, 'end');
  near.write(Buffer.concat([frame('two').subarray(4), frame('three'), frame('four')]));
  await struck;
  await end;
  expect(String(atFar.bytes).endsWith('three')).toBe(true);
  expect(atFar.bytes.length).toBe(upgrade.length + 9 + 9 + 11);
});

test('of frames and bytes the nearer one strikes', async () => {
  const { proxy, near, far, atFar } = await pair();
  void proxy.cutAfter({ frames: 1 });
  const struck = proxy.cutAfter(5);
  const end = once(far, 'end');
  near.write('GET /health HTTP/1.1\r\n\r\nno frames here');
  await struck;
  await end;
  expect(String(atFar.bytes)).toBe('GET /');
});

test('delay: each byte takes its time, and many at once do not take longer', async () => {
  const { proxy, near, atFar } = await pair({ delay: 100 });
  const startedAt = performance.now();
  for (let n = 0; n < 500; n++) near.write('x');
  await atFar.until(500);
  const took = performance.now() - startedAt;
  expect(took).toBeGreaterThan(95);
  // One after another they would take 50 s.
  expect(took).toBeLessThan(25_000);
  proxy.set({ delay: 0 });
});

test('bytesPerSecond: a slow line is slow, and ends up whole', async () => {
  const { near, atFar } = await pair({ bytesPerSecond: 20_000 });
  const startedAt = performance.now();
  near.write(Buffer.alloc(10_000, 7));
  await atFar.until(1);
  expect(atFar.bytes.length).toBeLessThan(10_000);
  expect((await atFar.until(10_000)).equals(Buffer.alloc(10_000, 7))).toBe(true);
  expect(performance.now() - startedAt).toBeGreaterThan(400);
});

test('retarget: the next connections go elsewhere', async () => {
  const { proxy, open } = await pair();
  const other = await listen();
  proxy.retarget(other.port);
  const taken = other.next();
  open();
  await taken;
});

test('a server that is not there looks like a reset', async () => {
  const gone = await listen();
  const { proxy, open } = await proxyTo({ port: gone.port });
  proxy.retarget(1);
  const [error] = (await once(open(), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
});

test('close ends everything, in a black hole too', async () => {
  const { proxy, near, far } = await pair();
  proxy.set({ blackHole: true });
  near.write('held');
  // Not `once`: bytes that nobody has read make it a reset, which is an end as well.
  const ends = Promise.all([near, far].map((socket) => new Promise((resolve) => socket.on('close', resolve))));
  near.on('end', () => near.end());
  far.on('end', () => far.end());
  await proxy.close();
  expect(proxy.connections).toBe(0);
  await ends;
});
