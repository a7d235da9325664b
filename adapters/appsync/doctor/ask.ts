import type { ErrorEntry } from '../errors.js';
import { type ParsedOptions, problem } from '../options.js';
import type { Authorizer } from '../reads.js';
import type { Request } from '../table.js';

/** What the API said. The transport's own requests take an error for the end; here each of them tells something. */
export interface Reply {
  readonly status: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly errors: readonly ErrorEntry[];
  /** How far the clock of this machine is ahead of the server's, ms; NaN: the server did not tell. */
  readonly ahead: number;
}

export type Ask = (request: Pick<Request, 'query'> & Partial<Request>) => Promise<Reply>;

function read(text: string): { readonly data?: unknown; readonly errors?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return { errors: [{ errorType: 'NotGraphQL', message: 'the answer is not JSON' }] };
  }
}

/** Throws CONNECTION_LOST if nobody answers, and what the credentials throw. */
export function createAsk({ url, requestTimeout, fetch = globalThis.fetch }: ParsedOptions, auth: Authorizer): Ask {
  return async ({ query, variables = {} }) => {
    const body = JSON.stringify({ query, variables });
    // The platform sets the host itself.
    const { host: _, ...headers } = await auth.headers(body, 'http');
    let response: Response;
    let text: string;
    try {
      const signal = AbortSignal.timeout(requestTimeout);
      const all = { 'content-type': 'application/json', ...headers };
      response = await fetch(url, { method: 'POST', headers: all, body, signal });
      text = await response.text();
    } catch (cause) {
      throw problem('CONNECTION_LOST', 'Nobody answers there.', { cause });
    }
    const { data, errors } = read(text);
    return {
      status: response.status,
      data: Object(data),
      errors: Array.isArray(errors) ? errors.map(Object) : [],
      ahead: Date.now() - Date.parse(response.headers.get('date') ?? ''),
    };
  };
}
