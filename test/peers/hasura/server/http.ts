import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorEntry, HasuraError } from '../failure.js';
import { readJson, writeJson } from '../json.js';
import { readRequest } from '../request.js';
import { lowerCased } from '../session.js';
import type { Engine } from './connection.js';

export interface HttpOptions {
  readonly engine: Engine;
  readonly version: string;
  /** `/v1/metadata`, for an admin. Throws `HasuraError`. */
  metadata(call: never): unknown;
  /** `/v2/query` with `run_sql`, for an admin. Throws `HasuraError`. */
  sql(text: string): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return readJson(Buffer.concat(chunks).toString());
  } catch {
    throw new HasuraError('invalid-json', 'Error in $: not valid JSON');
  }
}

/** A browser's page may come from anywhere. */
function allowOrigin(
  { headers: { origin, 'access-control-request-headers': asked } }: IncomingMessage,
  to: ServerResponse,
) {
  to.setHeader('Access-Control-Allow-Origin', origin ?? '*');
  to.setHeader('Access-Control-Allow-Credentials', 'true');
  to.setHeader('Access-Control-Allow-Methods', 'GET,POST,PUT,PATCH,DELETE,OPTIONS');
  if (asked !== undefined) to.setHeader('Access-Control-Allow-Headers', asked);
}

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function createHttp({ engine, version, metadata, sql }: HttpOptions): HttpHandler {
  function answer(response: ServerResponse, body: unknown, status = 200): void {
    response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(writeJson(body));
  }

  async function graphql(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let role: string | undefined;
    try {
      const body = await bodyOf(request);
      const session = await engine.openSession(lowerCased(request.headers));
      role = session.role;
      const prepared = engine.prepare(session, readRequest(body));
      if (prepared.kind === 'subscription')
        throw new HasuraError('unexpected', 'subscriptions are not supported over HTTP, use websockets instead');
      answer(response, { data: await engine.run(session, prepared) });
    } catch (cause) {
      if (!(cause instanceof HasuraError)) throw cause;
      // Whatever it is, the status is 200; only what is no JSON is 400.
      answer(response, { errors: [errorEntry(cause, role)] }, cause.code === 'invalid-json' ? 400 : 200);
    }
  }

  async function administer(
    request: IncomingMessage,
    response: ServerResponse,
    work: (call: never) => unknown,
  ): Promise<void> {
    try {
      const body = await bodyOf(request);
      const { role } = await engine.openSession(lowerCased(request.headers));
      if (role !== 'admin') throw new HasuraError('access-denied', 'restricted access : admin only', '$.args');
      answer(response, await work(body as never));
    } catch (cause) {
      if (!(cause instanceof HasuraError)) throw cause;
      const { code, path, message, internal } = cause;
      answer(response, { code, path, error: message, ...(internal !== undefined && { internal }) }, 400);
    }
  }

  return async (request, response) => {
    allowOrigin(request, response);
    const path = request.url?.split('?')[0];
    const post = request.method === 'POST';
    try {
      if (request.method === 'OPTIONS') response.writeHead(204).end();
      else if (path === '/healthz') response.writeHead(200).end('OK');
      else if (path === '/v1/version') answer(response, { server_type: 'ce', version: `v${version}` });
      else if (path === '/v1/graphql' && post) await graphql(request, response);
      else if (path === '/v1/metadata' && post) await administer(request, response, metadata);
      else if (path === '/v2/query' && post)
        await administer(request, response, async ({ args }: { args: { sql: string } }) => {
          await sql(args.sql);
          return { result_type: 'CommandOk', result: null };
        });
      else answer(response, { path: '$', error: 'resource does not exist', code: 'not-found' }, 404);
    } catch (cause) {
      // A fault of this peer, which a test should see.
      answer(response, { errors: [{ message: String(cause), extensions: { path: '$', code: 'peer-fault' } }] }, 500);
    }
  };
}
