import { askHttp } from './ask-http.js';
import { isBug, isTimeout, type TransportHost } from './kit.js';
import type { ProblemMaker } from './problem.js';
import { serverClock } from './server-clock.js';
import { createUploads, type Uploads } from './uploads.js';

/** Where and how a GraphQL API is asked. */
export interface GraphqlHttp {
  readonly url: string;
  readonly fetch: typeof globalThis.fetch | undefined;
  /** In ms: how long the API may be silent. */
  readonly requestTimeout: number;
  /** Left out: each upload is taken for a quick one. */
  readonly uploads?: Uploads;
  readonly problem: ProblemMaker;
  readonly host: TransportHost;
}

/** What a request was answered with, by whatever is at that address. */
export interface GraphqlAnswer {
  readonly response: Response;
  readonly text: string;
  /** Undefined: the answer is not JSON, so a proxy or a gateway has sent it. */
  readonly said: { readonly data?: unknown; readonly errors?: unknown } | undefined;
  /** The server's clock, in ms, where the platform shows it. It is reported to the host, too. */
  serverTime(): number | undefined;
}

function parsed(text: string): GraphqlAnswer['said'] {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * One GraphQL request by HTTP. Rejects with CONNECTION_LOST where nothing answered; what an answer means is the adapter's to say.
 *
 * @example
 * const { said } = await askGraphql(http, 'Reading "todos"', { body: JSON.stringify({ query, variables }), headers }, signal);
 */
export async function askGraphql(
  { url, fetch = globalThis.fetch, requestTimeout, uploads = createUploads(), problem, host }: GraphqlHttp,
  what: string,
  { body, headers }: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<GraphqlAnswer> {
  const sentAt = Date.now();
  host.traffic('out', body.length);
  const send = (limited: AbortSignal) => fetch(url, { method: 'POST', headers, body, signal: limited });
  try {
    const { response, text } = await askHttp(send, {
      signal,
      timeout: requestTimeout,
      alive: host.alive,
      upload: { uploads, bytes: body.length },
    });
    host.traffic('in', text.length);
    return { response, text, said: parsed(text), serverTime: () => serverClock(response, sentAt, host) };
  } catch (error) {
    if (signal.aborted) throw problem('CLOSED', `${what} was given up.`);
    if (isBug(error)) throw error;
    // Without the cause: some platforms quote in it a header that they cannot send.
    const why = isTimeout(error) ? ` within ${requestTimeout} ms` : '';
    throw problem('CONNECTION_LOST', `${what} got no answer${why}. Is the server up, and the url right?`);
  }
}
