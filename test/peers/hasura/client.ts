import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { HasuraPeer } from './index.js';

/** What came of one subscription, in order. */
export interface Listener {
  readonly results: readonly { readonly data?: unknown; readonly errors?: unknown }[];
  /** Resolves with the result of this number, from 0. */
  result(index: number): Promise<Record<string, unknown>>;
  /** Rejects or resolves as the subscription ends. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** A plain graphql-ws client of a peer. Without headers it is the admin's. */
export function openClient(
  peer: Pick<HasuraPeer, 'wsUrl' | 'adminSecret'>,
  headers: Readonly<Record<string, string>> = { 'x-hasura-admin-secret': peer.adminSecret },
): Client {
  return createClient({
    url: peer.wsUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { headers },
  });
}

export function listen(client: Client, query: string, variables: Record<string, unknown> = {}): Listener {
  const results: { data?: unknown; errors?: unknown }[] = [];
  const waiting = new Set<() => void>();
  let stop = (): void => {};
  const ended = new Promise<void>((resolve, reject) => {
    stop = client.subscribe(
      { query, variables },
      {
        next(result) {
          results.push(result);
          for (const look of [...waiting]) look();
        },
        error: reject,
        complete: resolve,
      },
    );
  });
  ended.catch(() => {});
  return {
    results,
    ended,
    stop: () => stop(),
    result: (index) =>
      new Promise((resolve) => {
        const look = (): void => {
          const result = results[index];
          if (!result) return;
          waiting.delete(look);
          resolve(result as Record<string, unknown>);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** One request over HTTP, as the admin unless `headers` say otherwise: the answer's body. */
export async function ask(
  peer: Pick<HasuraPeer, 'url' | 'adminSecret'>,
  query: string,
  variables: object = {},
  headers: Readonly<Record<string, string>> = { 'x-hasura-admin-secret': peer.adminSecret },
): Promise<{
  data?: Record<string, unknown>;
  errors?: { message: string; extensions: { code: string; path: string } }[];
}> {
  const response = await fetch(peer.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as never;
}
