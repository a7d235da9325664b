import { askHttp } from '../../src/adapter-kit/ask-http.js';
import { headerToken } from '../../src/adapter-kit/header-token.js';
import { isPage, statusError } from '../../src/adapter-kit/http-status.js';
import {
  isBug,
  isObject,
  isSyncLayerError,
  isTimeout,
  type PullRequest,
  type RestPage,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { hasLoneSurrogate } from '../../src/adapter-kit/lone-surrogate.js';
import { serverClock } from '../../src/adapter-kit/server-clock.js';
import { createUploads } from '../../src/adapter-kit/uploads.js';
import { problem, withoutToken } from './errors.js';
import { type Answer, byteLength, type CountedPage, parseJson, type SeqCursor, toPage } from './normalize.js';
import type { ParsedOptions } from './options.js';
import type { Frame } from './writes.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Behind `/sync`, with its query. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** JSON. */
  readonly body?: string;
}

export interface HttpReply {
  readonly status: number;
  /** What was asked, for messages: method and address, without the query. */
  readonly where: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** What the server says is wrong; empty if it says nothing. */
  readonly reason: string;
  /** Not the server has answered, but something in front of it: the body is a page, and no JSON. */
  readonly page: boolean;
}

/** Statuses of which a later attempt can be better, and what is not the server's own word. */
const isPassing = ({ status, page }: HttpReply): boolean =>
  status === 408 || status === 429 || status >= 500 || (status >= 400 && page);

/**
 * Throws what a reply means for all that was asked: CONNECTION_LOST where a later attempt can be better, TOO_LARGE for a 413.
 * `details.unclear`: the server has failed, and does not say why.
 */
export function checkReply(what: string, reply: HttpReply): void {
  const { status, page, reason } = reply;
  if (status !== 413 && !isPassing(reply)) return;
  const hint = 'Is baseUrl the address of a SyncLayer server?';
  const error = statusError(problem, what, status, { page, hint, said: reason });
  if (status !== 500 || page) throw error;
  throw problem(error.code, error.message, { details: { ...error.details, unclear: true } });
}

/** A collection's path, or a record's. Throws VALIDATION_FAILED for a name that no URL can carry. */
export function pathOf(collection: string, recordId?: string): string {
  const parts = recordId === undefined ? [collection] : [collection, recordId];
  // URL parsers resolve dots, encoded ones too; encodeURIComponent throws for half of a surrogate pair.
  if (parts.some((part) => /^\.\.?$/.test(part) || hasLoneSurrogate(part))) {
    const name = JSON.stringify(parts.join('/'));
    throw problem(
      'VALIDATION_FAILED',
      `${name} cannot be part of a URL, which is how this server names records. Choose another id.`,
    );
  }
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('');
}

/**
 * Requests to `baseUrl`/sync. Any status but 401 is a reply; no reply is CONNECTION_LOST, a body that is no JSON object
 * PROTOCOL_VIOLATION.
 */
export function createHttp(
  options: Pick<ParsedOptions, 'baseUrl' | 'authToken' | 'requestTimeout' | 'fetch'>,
  host: () => TransportHost,
) {
  const uploads = createUploads();
  const base = `${options.baseUrl?.replace(/\/+$/, '')}/sync`;

  return async ({ method, path, signal, body }: HttpRequest): Promise<HttpReply> => {
    const where = `${method} ${(base + path).split('?')[0]}`;
    const token = headerToken(await host().authToken(options.authToken), problem);
    const send = async (limited: AbortSignal) => {
      const sentAt = Date.now();
      const response = await (options.fetch ?? fetch)(base + path, {
        method,
        signal: limited,
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(body !== undefined && { body }),
      });
      serverClock(response, sentAt, host());
      return response;
    };
    try {
      host().traffic('out', byteLength(body ?? ''));
      const { response, text } = await askHttp(send, {
        signal,
        timeout: options.requestTimeout,
        alive: host().alive,
        upload: { uploads, bytes: byteLength(body ?? '') },
      });
      const { status } = response;
      host().traffic('in', byteLength(text));
      if (status === 401 && !isPage(text)) {
        const refusal = problem('AUTH_REQUIRED', `${where} was refused for its token (401).`);
        throw host().refused?.(token, refusal) ?? refusal;
      }
      const answer = read(status, text, where);
      return {
        status,
        where,
        body: answer,
        reason: typeof answer.error === 'string' ? withoutToken(answer.error, token) : '',
        page: isPage(text),
      };
    } catch (error) {
      if (isSyncLayerError(error) || isBug(error)) throw error;
      const inTime = isTimeout(error) ? ` within ${options.requestTimeout} ms` : '';
      throw problem('CONNECTION_LOST', `${where} got no answer${inTime}. Is the server up, and baseUrl right?`, {
        cause: error,
      });
    }
  };

  function read(status: number, text: string, where: string): HttpReply['body'] {
    try {
      const { value, poisoned } = parseJson(text === '' ? '{}' : text);
      if (poisoned)
        host().report(problem('PROTOCOL_VIOLATION', `${where} answered a field named __proto__; it was left out.`));
      if (isObject(value)) return value;
    } catch {
      // Below.
    }
    // A proxy answers errors in HTML.
    if (status >= 400) return {};
    throw problem(
      'PROTOCOL_VIOLATION',
      `${where} did not answer a JSON object. Is baseUrl the address of a SyncLayer server?`,
    );
  }
}

export type Http = ReturnType<typeof createHttp>;

/** Sorts out the replies to a read: a passing failure, a refusal, or rows. */
export function recordsOf(collection: string, reply: HttpReply): readonly unknown[] {
  const { status, where, body, reason } = reply;
  checkReply(`Reading "${collection}": ${reply.where}`, reply);
  // Other clients of the original protocol take no "records" for none.
  const records = body.records ?? [];
  if (status < 400 && Array.isArray(records)) return records;
  const code = status === 403 || status === 404 ? 'SUBSCRIBE_REJECTED' : 'PROTOCOL_VIOLATION';
  // Our server always gives a reason; who gives none for a 404 does not know the path.
  const said = reason || (status === 404 ? 'Is baseUrl the address of a SyncLayer server?' : '');
  throw problem(code, `Reading "${collection}": ${where} was answered with ${status}. ${said}`);
}

/**
 * Most of one request's body, in bytes. A server that refuses a larger one may cut it off, and then its refusal is lost:
 * ours reads up to 16 times its limit before it does.
 */
const MAX_BODY = 262_144;

/** As many frames as fit into a body, at least one. */
function take(frames: readonly Frame[]): readonly Frame[] {
  let size = 0;
  const end = frames.findIndex((frame) => {
    size += frame.size + 1;
    return size > MAX_BODY;
  });
  return end === -1 ? frames : frames.slice(0, Math.max(1, end));
}

/** The HTTP half of a server that counts changes: for polling, and while the socket is down. */
export function createRest(http: Http, host: () => TransportHost) {
  async function post(frames: readonly Frame[], signal: AbortSignal): Promise<Answer[]> {
    const body = `{"changes":[${frames.map(({ text }) => text).join(',')}]}`;
    const reply = await http({ method: 'POST', path: '', signal, body });
    checkReply(reply.where, reply);
    const { status, where, body: answer, reason } = reply;
    if (status < 400 && Array.isArray(answer.results) && answer.results.length === frames.length) return answer.results;
    throw problem(
      'PROTOCOL_VIOLATION',
      `${where} answered ${status} without the results. Is there a proxy in between? ${reason}`,
    );
  }

  return {
    /** Undefined: the server does not count changes. */
    async pull(
      { collection, limit, filter, signal }: PullRequest,
      from: SeqCursor,
      keys: boolean,
    ): Promise<CountedPage | undefined> {
      const query = new URLSearchParams({ seq: String(from.seq), limit: String(limit) });
      if (from.snapshot !== undefined) query.set('snapshot', String(Number(from.snapshot)));
      if (filter?.where) query.set('filter', JSON.stringify({ where: filter.where }));
      if (keys) query.set('keys', '1');
      const reply = await http({ method: 'GET', path: `${pathOf(collection)}?${query}`, signal });
      const records = recordsOf(collection, reply);
      const page = reply.body as unknown as RestPage;
      return typeof page.seq === 'number' ? toPage(collection, records, from, page, host().report) : undefined;
    },

    /** The answers to writes; see `Deliver`. */
    async deliver(frames: readonly Frame[], signal: AbortSignal): Promise<Answer[]> {
      const answers: Answer[] = [];
      while (answers.length < frames.length) answers.push(...(await post(take(frames.slice(answers.length)), signal)));
      return answers;
    },
  };
}

/** What goes by HTTP, in a chunk of its own. */
export function createFallback(options: ParsedOptions, host: () => TransportHost) {
  const http = createHttp(options, host);
  return { http, rest: createRest(http, host) };
}

export type Fallback = ReturnType<typeof createFallback>;
