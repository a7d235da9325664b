import { askHttp, type HttpAnswer } from '../../src/adapter-kit/ask-http.js';
import { isBug, isTimeout, type SyncLayerError, type TransportHost } from '../../src/adapter-kit/kit.js';
import { loadPart } from '../../src/adapter-kit/load-part.js';
import { serverClock } from '../../src/adapter-kit/server-clock.js';
import type { Authorizer } from './auth.js';
import type { ErrorEntry, errorOf } from './failure.js';
import type { Request } from './model.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';

/** What a query or a mutation was answered with. */
export interface Answer {
  readonly data: Readonly<Record<string, unknown>>;
  /** Of single fields: the rest of `data` is good. */
  readonly errors: readonly ErrorEntry[];
  /** The server's clock, ms, where the platform lets it be seen. */
  readonly serverTime: number | undefined;
}

export type Ask = (what: string, kind: 'read' | 'write', request: Request, signal: AbortSignal) => Promise<Answer>;

/** `errorOf`, which is in a chunk of its own: most requests work. */
export const failureOf = async (...about: Parameters<typeof errorOf>): Promise<SyncLayerError> => {
  const part = await loadPart(() => import('./failure.js'));
  return part.errorOf(...about);
};

/** Queries and mutations. Resolves where GraphQL answered, whatever it said of single fields; rejects otherwise. */
export function createAsk(options: ParsedOptions, authorizer: Authorizer, host: () => TransportHost): Ask {
  const { endpoint, requestTimeout } = options;

  return async (what, kind, { query, variables }, signal) => {
    const body = JSON.stringify({ query, variables });
    // The platform sets the host itself.
    const signed = await authorizer.headers(body, 'http');
    const { host: _, ...headers } = signed;
    if (signal.aborted) throw problem('CLOSED', `${what} was given up.`);
    const sentAt = Date.now();
    const send = (limited: AbortSignal) => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
      return (options.fetch ?? fetch)(endpoint, { ...init, signal: limited });
    };
    let answer: HttpAnswer;
    try {
      host().traffic('out', body.length);
      answer = await askHttp(send, { signal, timeout: requestTimeout, alive: host().alive });
      host().traffic('in', answer.text.length);
    } catch (cause) {
      if (signal.aborted) throw problem('CLOSED', `${what} was given up.`);
      if (isBug(cause)) throw cause;
      const why = isTimeout(cause) ? ` within ${requestTimeout} ms` : '';
      throw problem('CONNECTION_LOST', `${what} got no answer${why}. Is the API up, and the endpoint right?`, {
        cause,
      });
    }
    const { response, text } = answer;
    const said = read(text);
    const { data, errors = [] } = said ?? {};
    const { status } = response;
    // An error that names no field is about the whole request.
    if (status >= 400 || data == null || errors.some(({ path }) => path == null)) {
      throw authorizer.judge(signed, await failureOf(what, kind, status, said && errors));
    }
    return { data, errors, serverTime: serverClock(response, sentAt, host()) };
  };
}

/** Undefined: it is not JSON, so something in front of AppSync has answered. */
function read(
  text: string,
): { readonly data?: Answer['data'] | null; readonly errors?: readonly ErrorEntry[] } | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}
