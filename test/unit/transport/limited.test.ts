import { expect, onTestFinished, test, vi } from 'vitest';
import { appsyncTransport } from '../../../adapters/appsync/index.js';
import { hasuraTransport } from '../../../adapters/hasura/index.js';
import { supabaseTransport } from '../../../adapters/supabase/index.js';
import { websocketTransport } from '../../../adapters/websocket/index.js';
import { createLifetime } from '../../../src/base/abort.js';
import { failoverTransport, mirrorTransport, pollingTransport, shadowTransport } from '../../../src/compose/index.js';
import { memoryTransport } from '../../../src/testing/index.js';
import { limited } from '../../../src/transport/limited.js';
import type { OutgoingChange, RealtimeTransport, TransportHost } from '../../../src/transport/transport.js';

const never = (): Promise<never> => new Promise(() => undefined);
const signal = new AbortController().signal;
const request = { collection: 'todos', cursor: null, start: true, limit: 10, signal };
const host: TransportHost = { authToken: async () => 'token', log() {}, traffic() {}, report() {} };

function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** A transport that never answers, and the host that it was given. */
function mute(own: Partial<RealtimeTransport> = {}) {
  const given: { host: TransportHost; readonly signals: AbortSignal[] } = { host, signals: [] };
  const transport: RealtimeTransport = {
    ...memoryTransport(),
    attach(attached) {
      given.host = attached;
    },
    pull({ signal }) {
      given.signals.push(signal);
      return never();
    },
    push: never,
    fetch: never,
    count: never,
    async *keys() {
      yield await never();
    },
    ...own,
  };
  return { transport, given };
}

const calls: Readonly<Record<string, (transport: RealtimeTransport) => Promise<unknown> | undefined>> = {
  pull: (transport) => transport.pull(request),
  push: (transport) => transport.push([] as OutgoingChange[], { signal }),
  fetch: (transport) => transport.fetch?.('todos', ['a'], { signal }),
  count: (transport) => transport.count?.('todos', { signal, range: {} }),
  keys: (transport) => transport.keys?.('todos', { signal })[Symbol.asyncIterator]().next(),
};

/** How a promise stands. */
function watched(promise: Promise<unknown> | undefined) {
  const state: { error?: Error; value?: unknown } = {};
  promise?.then(
    (value) => {
      state.value = value;
    },
    (error: Error) => {
      state.error = error;
    },
  );
  return state;
}

test.each(Object.keys(calls))('%s(): heartbeats that arrive are no answer, and it is named', async (name) => {
  fakeTimers();
  const { transport, given } = mute();
  const whole = limited(transport, 1000);
  whole.attach?.(host);
  const call = watched(calls[name]?.(whole));
  for (let ms = 0; ms < 900; ms += 300) {
    await vi.advanceTimersByTimeAsync(300);
    given.host.traffic('in', 2);
  }
  expect(call.error).toBeUndefined();
  await vi.advanceTimersByTimeAsync(100);
  expect(call.error).toMatchObject({
    code: 'CONNECTION_LOST',
    message: `memory.${name}() did not answer within 1000 ms; it is tried again.`,
  });
  expect(vi.getTimerCount()).toBe(0);
});

test.each(Object.keys(calls))('%s(): what comes of the answer is life', async (name) => {
  fakeTimers();
  const { transport, given } = mute();
  const whole = limited(transport, 1000);
  whole.attach?.(host);
  const call = watched(calls[name]?.(whole));
  for (let ms = 0; ms < 9000; ms += 900) {
    await vi.advanceTimersByTimeAsync(900);
    given.host.alive?.();
  }
  expect(call.error).toBeUndefined();
  await vi.advanceTimersByTimeAsync(2000);
  expect(call.error).toMatchObject({ code: 'CONNECTION_LOST' });
});

test('a call that gets its answer keeps no other alive', async () => {
  fakeTimers();
  const { transport, given } = mute();
  const whole = limited(transport, 1000);
  whole.attach?.(host);
  const other = { ...request, collection: 'others', signal: new AbortController().signal };
  const [mine, hung] = [watched(whole.pull(request)), watched(whole.pull(other))];
  const life = createLifetime();
  await vi.advanceTimersByTimeAsync(900);
  // Adapters join the signal with that of their own life.
  await life.during(given.signals[0] as AbortSignal, async (joined) => given.host.alive?.(joined));
  await vi.advanceTimersByTimeAsync(100);
  expect(mine.error).toBeUndefined();
  expect(hung.error).toMatchObject({ code: 'CONNECTION_LOST' });
  // One that the transport made by means of its own may be of any call.
  given.host.alive?.(new AbortController().signal);
  await vi.advanceTimersByTimeAsync(999);
  expect(mine.error).toBeUndefined();
});

test('a listing of many pages lives with each of them', async () => {
  fakeTimers();
  const { transport } = mute({
    async *keys() {
      for (let page = 0; page < 5; page++) {
        await new Promise((resolve) => setTimeout(resolve, 900));
        yield [{ recordId: `${page}` }];
      }
      await never();
    },
  });
  const whole = limited(transport, 1000);
  const ids: string[] = [];
  const listing = watched(
    (async () => {
      for await (const page of whole.keys?.('todos', { signal }) ?? [])
        ids.push(...page.map(({ recordId }) => recordId));
    })(),
  );
  await vi.advanceTimersByTimeAsync(4500);
  expect(ids).toEqual(['0', '1', '2', '3', '4']);
  await vi.advanceTimersByTimeAsync(1000);
  expect(listing.error).toMatchObject({ code: 'CONNECTION_LOST' });
});

const composed: Readonly<Record<string, (main: RealtimeTransport, other: RealtimeTransport) => RealtimeTransport>> = {
  polling: (main) => pollingTransport(main),
  mirror: (primary, secondary) => mirrorTransport({ primary, secondary }),
  shadow: (primary, secondary) => shadowTransport({ primary, secondary }),
  failover: (main, other) => failoverTransport([main, other], { source: 'one' }),
};

test.each(Object.keys(composed))('%s: the backend that is asked shows life, and no other one', async (name) => {
  fakeTimers();
  const [main, other] = [mute(), mute()];
  const whole = limited(composed[name]?.(main.transport, other.transport) as RealtimeTransport, 1000);
  whole.attach?.(host);
  const call = watched(whole.pull(request));
  await vi.advanceTimersByTimeAsync(900);
  main.given.host.alive?.(main.given.signals[0]);
  await vi.advanceTimersByTimeAsync(900);
  expect(call.error).toBeUndefined();
  other.given.host.alive?.();
  await vi.advanceTimersByTimeAsync(200);
  expect(call.error).toMatchObject({ code: 'CONNECTION_LOST' });
});

/** A response whose body the test sends. */
function slowBody() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
  });
  const fetch = async (): Promise<Response> => new Response(body, { headers: { 'content-type': 'application/json' } });
  return {
    fetch,
    send: (text: string) => controller?.enqueue(new TextEncoder().encode(text)),
    end: () => controller?.close(),
  };
}

const requestTimeout = 1500;
const time = '2026-01-01T00:00:00+00:00';
const adapters: Readonly<
  Record<string, { readonly make: (fetch: typeof globalThis.fetch) => RealtimeTransport; readonly body: unknown }>
> = {
  websocket: {
    make: (fetch) => websocketTransport({ baseUrl: 'http://server.test', requestTimeout, fetch }),
    body: { records: [{ id: 'a', data: { n: 1 }, version: 1, updatedAt: time }], seq: 1, snapshotSeq: 1 },
  },
  supabase: {
    make: (fetch) => supabaseTransport({ url: 'http://server.test', key: 'key', requestTimeout, fetch }),
    body: [{ sl_key: 'a', sl_time: time, id: 'a', n: 1, updated_at: time }],
  },
  hasura: {
    make: (fetch) =>
      hasuraTransport({
        url: 'http://server.test/v1/graphql',
        requestTimeout,
        fetch,
        collections: { todos: { fields: ['id', 'n', 'updated_at'] } },
      }),
    body: { data: { rows: [{ id: 'a', n: 1, updated_at: time }] } },
  },
  appsync: {
    make: (fetch) =>
      appsyncTransport({
        url: 'https://abcdefghijklmnopqrstuvwxyz.appsync-api.eu-central-1.amazonaws.com/graphql',
        auth: { type: 'apiKey', apiKey: 'da2-abc' },
        collections: { todos: { table: 'Todo', fields: ['n'] } },
        requestTimeout,
        fetch,
      }),
    body: { data: { listTodos: { items: [{ id: 'a', n: 1, updatedAt: time }], nextToken: null } } },
  },
};

test.each(Object.keys(adapters))('%s: a slow line that still delivers is not cut off', async (name) => {
  fakeTimers();
  const { make, body } = adapters[name] as (typeof adapters)[string];
  const { fetch, send, end } = slowBody();
  let asked = 0;
  const whole = limited(
    make((...args) => {
      asked += 1;
      return (fetch as typeof globalThis.fetch)(...args);
    }),
    1000,
  );
  whole.attach?.(host);
  onTestFinished(() => whole.close());
  const call = watched(whole.pull(request));
  await vi.waitFor(() => expect(asked).toBe(1));
  const text = JSON.stringify(body).padEnd(300, ' ');
  for (let from = 0; from < text.length; from += 30) {
    await vi.advanceTimersByTimeAsync(900);
    expect(call.error).toBeUndefined();
    send(text.slice(from, from + 30));
    await new Promise((resolve) => setImmediate(resolve));
  }
  end();
  await vi.waitFor(() => expect(call.error ?? call.value).toBeDefined());
  expect(call.error).toBeUndefined();
  expect(asked).toBe(1);
});
