import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WireErrorCode } from '../protocol.js';

/** An answer to a REST request. `body` undefined: none. */
export interface Answer {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const problem = (
  status: number,
  code: WireErrorCode,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({ status, body: { error, code }, headers });

/** The status of a refused write or read. */
export const statusOf: Readonly<Record<WireErrorCode, number>> = {
  INVALID_MESSAGE: 400,
  AUTH_FAILED: 401,
  UNAUTHORIZED: 403,
  COLLECTION_NOT_FOUND: 404,
  RECORD_NOT_FOUND: 404,
  RATE_LIMIT_EXCEEDED: 429,
  SERVER_ERROR: 500,
};

export const isAnswer = (value: unknown): value is Answer =>
  typeof value === 'object' && value !== null && typeof (value as Answer).status === 'number';

/** Sends an answer. A body that is text is JSON already. */
export function respond(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, {
    ...(text && { 'Content-Type': 'application/json; charset=utf-8' }),
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(text);
}

const tooLarge = (limit: number) =>
  problem(413, 'INVALID_MESSAGE', `The body is larger than ${limit} bytes; send smaller batches`, {
    Connection: 'close',
  });

/** The JSON body of a request; an answer, if it has none that can be used. */
export async function readJson(request: IncomingMessage, limit: number): Promise<{ value: unknown } | Answer> {
  // Without this a page of another site could write with the user's cookies: a form needs no CORS preflight.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return problem(400, 'INVALID_MESSAGE', 'The body must be JSON, with Content-Type: application/json');
  }
  // Somebody before us, such as express.json(), has read it.
  const { body } = request as IncomingMessage & { body?: unknown };
  if (body !== undefined) return { value: body };
  if (Number(request.headers['content-length']) > limit) return tooLarge(limit);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) return tooLarge(limit);
    chunks.push(chunk);
  }
  try {
    return { value: JSON.parse(Buffer.concat(chunks).toString()) };
  } catch {
    return problem(400, 'INVALID_MESSAGE', 'The body is not valid JSON');
  }
}

/** The headers by which browsers let pages of other origins use REST. */
export function corsHeaders(request: IncomingMessage, cors: boolean | readonly string[]): Record<string, string> {
  const { origin } = request.headers;
  if (cors === false) return {};
  if (cors === true) return { 'Access-Control-Allow-Origin': '*' };
  return { Vary: 'Origin', ...(origin && cors.includes(origin) && { 'Access-Control-Allow-Origin': origin }) };
}

export const preflight: Answer = {
  status: 204,
  headers: {
    'Access-Control-Allow-Methods': 'GET, POST, PATCH, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': 'Authorization, Content-Type',
    'Access-Control-Max-Age': '86400',
  },
};
