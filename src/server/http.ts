import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WireErrorCode } from '../base/protocol.js';

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

/** So many times its limit a body may be before we stop reading it. */
const PATIENCE = 16;

/** The JSON body of a request; an answer, if it has none that can be used. */
export async function readJson(request: IncomingMessage, limit: number): Promise<{ value: unknown } | Answer> {
  // Without this a page of another site could write with the user's cookies: a form needs no CORS preflight.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return problem(400, 'INVALID_MESSAGE', 'The body must be JSON, with Content-Type: application/json');
  }
  // Somebody before us, such as express.json(), has read it.
  const { body } = request as IncomingMessage & { body?: unknown };
  if (body !== undefined) return { value: body };
  const bytes = await readBody(request, limit);
  if (!bytes) return tooLarge(limit);
  try {
    return { value: JSON.parse(bytes.toString()) };
  } catch {
    return problem(400, 'INVALID_MESSAGE', 'The body is not valid JSON');
  }
}

/** The body; undefined if it is too large. Rejects if the client goes away. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      // A client that is still sending would take an early answer for a broken connection, so a while we let it.
      else if (size > PATIENCE * limit) resolve(undefined);
      else chunks.length = 0;
    });
    request.on('end', () => resolve(size <= limit ? Buffer.concat(chunks) : undefined));
    request.on('error', reject);
  });
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
