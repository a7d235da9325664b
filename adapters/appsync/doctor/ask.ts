import { askGraphql } from '../../../src/adapter-kit/graphql.js';
import type { TransportHost } from '../../../src/adapter-kit/kit.js';
import type { ErrorEntry } from '../errors.js';
import { type ParsedOptions, problem } from '../options.js';
import type { Authorizer } from '../reads.js';
import type { Request } from '../table.js';

/** What the API said. The transport's own requests take an error for the end; here each of them is news. */
export interface Reply {
  readonly status: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly errors: readonly ErrorEntry[];
  /** How far the clock of this machine is ahead of the server's, ms; NaN: it is not known. */
  readonly ahead: number;
}

export type Ask = (request: Pick<Request, 'query'> & Partial<Request>) => Promise<Reply>;

const NO_GRAPHQL = [{ errorType: 'NotGraphQL', message: 'the answer is not JSON' }];

/** Throws CONNECTION_LOST if nothing answers, and what the credentials throw. */
export function createAsk(options: ParsedOptions, auth: Authorizer, host: TransportHost): Ask {
  const { url, requestTimeout, fetch } = options;
  return async ({ query, variables = {} }) => {
    const body = JSON.stringify({ query, variables });
    // The platform sets the host itself.
    const { host: _, ...headers } = await auth.headers(body, 'http');
    const sent = { body, headers: { 'content-type': 'application/json', ...headers } };
    const http = { url, requestTimeout, fetch, problem, host };
    const { signal } = new AbortController();
    const { response, said = { errors: NO_GRAPHQL } } = await askGraphql(http, 'A request', sent, signal);
    return {
      status: response.status,
      data: Object(said.data),
      errors: Array.isArray(said.errors) ? said.errors.map(Object) : [],
      ahead: Date.now() - Date.parse(response.headers.get('date') ?? ''),
    };
  };
}
