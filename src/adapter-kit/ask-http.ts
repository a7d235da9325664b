import { isTimeout, joined, type TransportHost } from './kit.js';
import { createUploads, type Uploads } from './uploads.js';

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

export interface HttpLimits {
  readonly signal: AbortSignal;
  /** How long the server may be silent, in ms. */
  readonly timeout: number;
  readonly alive?: TransportHost['alive'];
  /** What this line carries, and how many bytes it is to carry now: see `createUploads`. */
  readonly upload?: { readonly uploads: Uploads; readonly bytes: number };
}

/**
 * A request and the whole of its answer. `timeout` counts silence: however long a slow line takes for a large answer, it is waited for as
 * long as bytes arrive. `alive` is called for them with `signal`. Fails with what `isTimeout` knows where none did.
 */
export async function askHttp(
  send: (signal: AbortSignal) => Promise<Response>,
  { signal, timeout, alive, upload: { uploads, bytes } = { uploads: createUploads(), bytes: 0 } }: HttpLimits,
): Promise<HttpAnswer> {
  const sentAt = performance.now();
  let answered = false;
  const ask = async (limited: AbortSignal, onHeard: (more?: number) => void): Promise<HttpAnswer> => {
    const heard = (): void => {
      onHeard();
      alive?.(signal);
    };
    onHeard(uploads.limit(bytes));
    const response = await send(limited);
    answered = true;
    uploads.met(bytes, performance.now() - sentAt);
    heard();
    return { response, text: await textOf(response, heard) };
  };
  try {
    return await joined([signal], ask, timeout);
  } catch (error) {
    if (!answered && isTimeout(error)) uploads.missed(bytes);
    throw error;
  }
}
