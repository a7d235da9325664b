import { joined, type TransportHost } from './kit.js';

export interface HttpAnswer {
  readonly response: Response;
  readonly text: string;
}

/**
 * A response's body. `heard` is called for each part of it, where the platform gives it in parts (React Native gives it whole).
 */
export async function textOf(response: Response, heard: () => void): Promise<string> {
  const reader = response.body?.getReader?.();
  if (!reader) return response.text();
  const parts: BlobPart[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    heard();
    if (done) return new Blob(parts).text();
    parts.push(value as Uint8Array<ArrayBuffer>);
  }
}

/** Statuses whose responses have no body. */
const EMPTY = [101, 204, 205, 304];

/** The same response with its body read, for an SDK that reads it by itself. */
export async function inParts(response: Response, heard: () => void): Promise<Response> {
  if (!response.body || EMPTY.includes(response.status)) return response;
  const { status, statusText, headers } = response;
  return new Response(await textOf(response, heard), { status, statusText, headers });
}

/**
 * A request and the whole of its answer. `timeout`, in ms, counts silence: however long a slow line takes for a large answer, it is
 * waited for as long as bytes arrive. `alive` is called for them with `signal`. Fails with what `isTimeout` knows where none did.
 */
export const askHttp = (
  send: (signal: AbortSignal) => Promise<Response>,
  {
    signal,
    timeout,
    alive,
  }: { readonly signal: AbortSignal; readonly timeout: number; readonly alive?: TransportHost['alive'] },
): Promise<HttpAnswer> =>
  joined(
    [signal],
    async (limited, onHeard) => {
      const heard = (): void => {
        onHeard();
        alive?.(signal);
      };
      const response = await send(limited);
      heard();
      return { response, text: await textOf(response, heard) };
    },
    timeout,
  );
