import { once } from 'node:events';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createTcpProxy } from '../../../src/testing/tcp-proxy.js';
import { createFrameScanner } from '../../../src/testing/ws-frames.js';

const REQUEST = 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
const ANSWER = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\r\n';

/** RFC 6455, 5.2. */
function frame(length: number, masked: boolean, opcode = 1): Buffer {
  const mask = masked ? 0x80 : 0;
  const size =
    length < 126
      ? Buffer.from([mask | length])
      : length < 65_536
        ? Buffer.from([mask | 126, length >> 8, length & 0xff])
        : Buffer.from([mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  // A payload of bytes that look like headers.
  return Buffer.concat([
    Buffer.from([0x80 | opcode]),
    size,
    Buffer.alloc(masked ? 4 : 0, 1),
    Buffer.alloc(length, 0x81),
  ]);
}

/** Where frames end in the whole stream, whatever chunks it comes in. */
function endsOf(stream: Buffer, sizes: readonly number[]): number[] {
  const scan = createFrameScanner();
  const ends: number[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const chunk = stream.subarray(at, at + (sizes[turn % sizes.length] as number));
    ends.push(...scan(chunk).map((end) => at + end));
    at += chunk.length;
  }
  return ends;
}

test('finds the end of each frame, in any chunks', () => {
  const lengths = fc.oneof(fc.constantFrom(0, 125, 126, 65_535, 65_536), fc.nat({ max: 300 }));
  fc.assert(
    fc.property(
      fc.constantFrom(REQUEST, ANSWER),
      fc.array(fc.tuple(lengths, fc.boolean(), fc.constantFrom(0, 1, 2, 8, 9, 10)), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      (head, shapes, sizes) => {
        const frames = shapes.map(([length, masked, opcode]) => frame(length, masked, opcode));
        let at = head.length;
        const expected = frames.map(({ length }) => {
          at += length;
          return at;
        });
        expect(endsOf(Buffer.concat([Buffer.from(head), ...frames]), sizes)).toEqual(expected);
        expect(endsOf(Buffer.concat([Buffer.from(head), ...frames.slice(0, 2)]), [1])).toEqual(expected.slice(0, 2));
      },
    ),
    { numRuns: 60 },
  );
});

test('what is no WebSocket has no frames', () => {
  const refused = `HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\r\n`;
  const request = 'GET /sync HTTP/1.1\r\nHost: x\r\n\r\n';
  for (const head of [refused, request, '\x10\x0e\x00\x04MQTT'.repeat(20_000)])
    expect(endsOf(Buffer.concat([Buffer.from(head), frame(3, false), frame(3, true)]), [7])).toEqual([]);
});

test('counts what a real client and server say', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const proxy = await createTcpProxy({ port: (server.address() as { port: number }).port });
  onTestFinished(() => proxy.close());
  const opened = once(server, 'connection') as Promise<[WebSocket]>;
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}`);
  onTestFinished(() => client.terminate());
  const got: string[] = [];
  client.on('message', (data) => void got.push(String(data)));
  client.on('error', () => undefined);
  const [[far]] = await Promise.all([opened, once(client, 'open')]);
  const struck = proxy.cutAfter({ frames: 3 }, { direction: 'down' });
  const closed = once(client, 'close');
  for (const text of ['one', 'two'.repeat(10_000), 'three', 'four']) far.send(text);
  await struck;
  await closed;
  expect(got).toEqual(['one', 'two'.repeat(10_000), 'three']);
});
