import { expect } from 'vitest';
import type { AuthToken } from '../../src/transport/transport.js';
import { until } from './until.js';

/** What a test of an adapter opens for this. */
interface Client {
  readonly sync: {
    readonly events: { on(name: 'statusChanged', listener: (status: { readonly phase: string }) => void): unknown };
    collection(name: string): { save(row: object, id: string): Promise<unknown> };
    syncNow(): Promise<void>;
  };
  live(): Promise<void>;
}

/**
 * An edit is held on its way while others begin to use the next token, and then refused by the server for its own: that says
 * nothing about the token in use, with which the edit is sent again.
 */
export async function expectLateRefusalIsSpared(given: {
  readonly tokens: readonly [first: string, next: string];
  readonly row: object;
  /** Of a request's method and body. */
  readonly isWrite: (request: string) => boolean;
  readonly open: (fetch: typeof globalThis.fetch, authToken: AuthToken) => Promise<Client>;
}): Promise<void> {
  const [first, next] = given.tokens;
  let token = first;
  let withNext = 0;
  let refused = 0;
  let release = (): void => undefined;
  const nextInUse = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held = false;
  const slow: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    const signed = headers.get('authorization') ?? '';
    if (signed.endsWith(next) && ++withNext >= 2) release();
    if (!signed.endsWith(first) || !given.isWrite(`${init?.method} ${String(init?.body ?? '')}`))
      return fetch(input, init);
    held = true;
    token = next;
    await nextInUse;
    refused += 1;
    // What the server thinks of a token whose key has been changed meanwhile.
    headers.set('authorization', `${signed.slice(0, -4)}AAAA`);
    return fetch(input, { ...init, headers });
  };
  const client = await given.open(slow, async () => token);
  await client.live();
  const phases: string[] = [];
  client.sync.events.on('statusChanged', ({ phase }) => void phases.push(phase));
  await client.sync.collection('todos').save(given.row, 'late');
  await until('the edit is on its way', () => held);
  while (withNext < 2) await client.sync.syncNow().catch(() => undefined);
  await until('the refusal', () => refused > 0);
  await client.live();
  expect(phases).not.toContain('needs-auth');
}
