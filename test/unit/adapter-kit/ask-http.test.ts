import { expect, onTestFinished, test, vi } from 'vitest';
import { askHttp, inParts } from '../../../src/adapter-kit/ask-http.js';
import { createUploads } from '../../../src/adapter-kit/uploads.js';
import { isTimeout } from '../../../src/base/abort.js';

function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** A response whose body the test sends in parts. */
function slowResponse(init?: ResponseInit) {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
  });
  return {
    response: new Response(body, init),
    send: (...bytes: number[]) => controller?.enqueue(Uint8Array.from(bytes)),
    end: () => controller?.close(),
  };
}

const never = new AbortController().signal;

test('a large answer over a slow line is waited for as long as bytes arrive', async () => {
  fakeTimers();
  const { response, send, end } = slowResponse();
  let parts = 0;
  const alive = () => {
    parts += 1;
  };
  const asked = askHttp(async () => response, { signal: never, timeout: 1000, alive });
  // "é" in two parts.
  for (const byte of [0x61, 0xc3, 0xa9, 0x62]) {
    await vi.advanceTimersByTimeAsync(900);
    send(byte);
    await vi.advanceTimersByTimeAsync(0);
  }
  end();
  expect((await asked).text).toBe('aéb');
  // Its head, its parts and its end.
  expect(parts).toBe(6);
  expect(vi.getTimerCount()).toBe(0);
});

test.each(['before it answers', 'in the middle of its answer'])('silence %s is given up', async (when) => {
  fakeTimers();
  const { response, send } = slowResponse();
  const isMute = when === 'before it answers';
  // Also where fetch ignores its signal.
  const asked = askHttp(() => (isMute ? new Promise(() => undefined) : Promise.resolve(response)), {
    signal: never,
    timeout: 1000,
  });
  const failed = expect(asked).rejects.toSatisfy(isTimeout);
  if (!isMute) {
    send(0x61);
    await vi.advanceTimersByTimeAsync(999);
    send(0x61);
  }
  await vi.advanceTimersByTimeAsync(1000);
  await failed;
  expect(vi.getTimerCount()).toBe(0);
});

test('its own signal ends it at once', async () => {
  const controller = new AbortController();
  const asked = askHttp(() => new Promise(() => undefined), { signal: controller.signal, timeout: 1000 });
  controller.abort();
  await expect(asked).rejects.toSatisfy((error: unknown) => !isTimeout(error));
});

test('a platform that gives a body as a whole', async () => {
  const response = { text: async () => 'whole' } as Response;
  expect((await askHttp(async () => response, { signal: never, timeout: 1000 })).text).toBe('whole');
});

test('a response for an SDK is the same one', async () => {
  let parts = 0;
  const heard = () => {
    parts += 1;
  };
  const { response, send, end } = slowResponse({ status: 206, headers: { 'content-range': '0-0/1' } });
  send(0x7b, 0x7d);
  end();
  const read = await inParts(response, heard);
  expect([read.status, read.headers.get('content-range'), await read.json(), parts]).toEqual([206, '0-0/1', {}, 2]);
  const empty = new Response(null, { status: 204 });
  expect(await inParts(empty, heard)).toBe(empty);
});

test('what is sent may take longer, by its size and each time that it was cut off', async () => {
  fakeTimers();
  const uploads = createUploads();
  const givenUpAfter = async (bytes: number): Promise<number> => {
    const asked = askHttp(() => new Promise(() => undefined), {
      signal: never,
      timeout: 1000,
      upload: { uploads, bytes },
    });
    let failed = false;
    asked.catch(() => {
      failed = true;
    });
    let ms = 0;
    for (; !failed; ms += 500) await vi.advanceTimersByTimeAsync(500);
    return ms;
  };
  expect(await givenUpAfter(300)).toBe(1500);
  expect(await givenUpAfter(160_000)).toBe(11_000);
  expect(await givenUpAfter(160_000)).toBe(21_000);
  // Once it is there silence is what it always was.
  const { response } = slowResponse();
  const asked = askHttp(async () => response, { signal: never, timeout: 1000, upload: { uploads, bytes: 160_000 } });
  const failed = expect(asked).rejects.toSatisfy(isTimeout);
  await vi.advanceTimersByTimeAsync(1000);
  await failed;
});
