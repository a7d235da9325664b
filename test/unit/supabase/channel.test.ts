import type { RealtimeChannel, SupabaseClient } from '@supabase/supabase-js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openChannel } from '../../../adapters/supabase/live.js';
import { createTables } from '../../../adapters/supabase/table.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A channel that is told ok as soon as it is subscribed. */
function open(wasRefused: boolean) {
  const said: string[] = [];
  let system = (_: object): void => undefined;
  const channel = {
    on(type: string, _: object, listener: (said: object) => void) {
      if (type === 'system') system = listener;
      return channel;
    },
    subscribe: () => channel,
    unsubscribe: async () => 'ok',
    teardown() {},
  };
  const client = { channel: () => channel as unknown as RealtimeChannel } as unknown as SupabaseClient;
  const table = createTables({ collections: { todos: {} } } as unknown as Parameters<typeof createTables>[0]).get(
    'todos',
  );
  const end = openChannel(
    client,
    'public',
    table,
    { mode: 'postgres_changes', subscribeTimeout: 1000 } as Parameters<typeof openChannel>[3],
    { live: () => said.push('live'), gap: () => said.push('gap'), change: () => said.push('change') },
    { report: () => said.push('report'), failed: () => said.push('failed') },
    wasRefused,
  );
  const ok = (): void => system({ status: 'ok', extension: 'postgres_changes', message: 'Subscribed to PostgreSQL' });
  return { said, end, ok };
}

test('after a subscription that was refused, all is caught up with again after 60 and 120 s', async () => {
  const { said, end, ok } = open(true);
  ok();
  expect(said).toEqual(['live']);
  // A repeated one begins nothing anew.
  ok();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(said).toEqual(['live', 'live', 'gap']);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(said).toEqual(['live', 'live', 'gap', 'gap']);
  await end();
  expect(vi.getTimerCount()).toBe(0);
});

test('what ends before leaves no timer', async () => {
  const { said, end, ok } = open(true);
  ok();
  await end();
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(said).toEqual(['live']);
});

test('any other subscription needs none', async () => {
  const { said, ok } = open(false);
  ok();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(said).toEqual(['live']);
});
