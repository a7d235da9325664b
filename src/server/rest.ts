import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RestBatchAnswer, RestPage, RestRecord } from '../base/protocol.js';
import type { Access } from './access.js';
import { answerTo, errorMessage, invalidMessage, iso } from './answers.js';
import type { Authenticator } from './authenticate.js';
import type { Committer, Outcome } from './committer.js';
import { type Answer, corsHeaders, isAnswer, preflight, problem, readJson, respond, statusOf } from './http.js';
import { legacyPull, parseLegacyQuery } from './legacy/pull.js';
import type { Settings, SyncUser } from './options.js';
import { readPage, wireRecord } from './pages.js';
import { originOf, parseBatchItem, parseMessage, unsafeReason } from './parse.js';
import { createLimiters } from './rate-limit.js';
import type { StoredRecord } from './store.js';
import type { Write } from './write-rules.js';

/** Handles a request that is ours; hands any other to `next`, or answers 404 if there is no `next`. */
export type RestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

export interface RestContext {
  readonly settings: Settings;
  readonly access: Access;
  readonly authenticate: Authenticator;
  readonly committer: Committer;
  sweep(): void;
  health(): object;
  isClosed(): boolean;
}

type Target =
  | { readonly kind: 'health' }
  | { readonly kind: 'batch' }
  | { readonly kind: 'collection'; readonly collection: string }
  | { readonly kind: 'record'; readonly collection: string; readonly recordId: string };

const methods: Readonly<Record<Target['kind'], readonly string[]>> = {
  health: ['GET'],
  batch: ['POST'],
  collection: ['GET', 'POST'],
  record: ['PATCH', 'DELETE'],
};

/** What a path asks for; undefined: it is not ours. */
function targetOf(pathname: string, prefix: string): Target | undefined {
  if (!pathname.startsWith(`${prefix}/`)) return undefined;
  const [name, ...rest] = pathname.slice(prefix.length + 1).split('/');
  if (name === 'health' && rest.length === 0) return { kind: 'health' };
  if (name !== 'sync' || rest.length > 2) return undefined;
  try {
    const [collection, recordId] = rest.map(decodeURIComponent);
    if (collection === undefined) return { kind: 'batch' };
    return recordId === undefined ? { kind: 'collection', collection } : { kind: 'record', collection, recordId };
  } catch {
    return undefined;
  }
}

const restRecord = (record: StoredRecord, visible = true, keys = false): RestRecord => {
  const { id: recordId, ...rest } = wireRecord(record, visible, keys);
  return { recordId, ...rest };
};

const bearer = (request: IncomingMessage): string | undefined =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function createRest({
  settings,
  access,
  authenticate,
  committer,
  sweep,
  health,
  isClosed,
}: RestContext): RestHandler {
  const { store, now, log, pageSize, maxPayload, httpPath, cors } = settings;
  const takeOne = createLimiters(settings.rateLimit, now);

  /** The write as a socket would have sent it. */
  async function write(user: SyncUser | null, message: object): Promise<Answer> {
    const parsed = parseMessage(message);
    if (parsed.type === 'invalid') return problem(400, 'INVALID_MESSAGE', parsed.reason);
    const wanted = parsed as Write;
    const outcome = await submit(user, wanted);
    const { recordId, opId } = wanted;
    switch (outcome.kind) {
      case 'refused':
        return problem(statusOf[outcome.code], outcome.code, outcome.reason);
      case 'conflict':
        return {
          status: 409,
          body: { error: 'The record was changed by somebody else', ...answerTo(wanted, opId ?? '', outcome) },
        };
      case 'applied':
        return { status: 200, body: { recordId, version: outcome.version, updatedAt: iso(outcome.at) } };
    }
  }

  const submit = (user: SyncUser | null, wanted: Write) =>
    new Promise<Outcome>((resolve) => committer.writes().submit(wanted, user, resolve));

  async function batch(user: SyncUser | null, key: string, body: unknown): Promise<Answer> {
    const changes = isObject(body) ? body.changes : undefined;
    if (!Array.isArray(changes)) return problem(400, 'INVALID_MESSAGE', 'The body must be { "changes": [...] }');
    const writes = committer.writes();
    const results = changes.map(
      (change, i): RestBatchAnswer['results'][number] | Promise<RestBatchAnswer['results'][number]> => {
        const wanted = parseBatchItem(change);
        if (wanted.type === 'invalid') return invalidMessage(wanted);
        // The request itself has paid for the first.
        const retryAfter = i === 0 ? 0 : takeOne(key);
        if (retryAfter > 0) {
          return errorMessage('RATE_LIMIT_EXCEEDED', 'Too many changes', { ...originOf(wanted), retryAfter });
        }
        return new Promise((resolve) => {
          writes.submit(wanted, user, (outcome) => resolve(answerTo(wanted, wanted.opId ?? '', outcome)));
        });
      },
    );
    return { status: 200, body: { results: await Promise.all(results) } satisfies RestBatchAnswer };
  }

  async function pull(user: SyncUser | null, collection: string, params: URLSearchParams): Promise<Answer> {
    if (!access.exists(collection)) {
      return problem(404, 'COLLECTION_NOT_FOUND', `There is no collection '${collection}'`);
    }
    if (!(await access.subscribe(user, collection))) {
      return problem(403, 'UNAUTHORIZED', `Not allowed to read collection '${collection}'`);
    }
    sweep();
    return params.has('seq') ? pullBySeq(user, collection, params) : pullByTime(user, collection, params);
  }

  function pullByTime(user: SyncUser | null, collection: string, params: URLSearchParams): Answer {
    const query = parseLegacyQuery(params, pageSize);
    if (typeof query === 'string') return problem(400, 'INVALID_MESSAGE', query);
    const found = legacyPull(store, collection, query, access.reader(user, collection));
    const records = found.map(({ record, data }) => restRecord({ ...record, data }));
    return { status: 200, body: { records, timestamp: iso(now()) } satisfies RestPage };
  }

  async function pullBySeq(user: SyncUser | null, collection: string, params: URLSearchParams): Promise<Answer> {
    const numbers: Record<string, unknown> = {};
    for (const [param, field] of [
      ['seq', 'since'],
      ['limit', 'limit'],
      ['snapshot', 'snapshot'],
    ] as const) {
      const text = params.get(param);
      if (text !== null) numbers[field] = /^\d+$/.test(text) ? Number(text) : text;
    }
    let filter: unknown;
    try {
      filter = JSON.parse(params.get('filter') ?? 'null');
    } catch {
      return problem(400, 'INVALID_MESSAGE', 'filter must be JSON');
    }
    const parsed = parseMessage({
      type: 'subscribe',
      collection,
      metadata: { ...numbers, filter, keys: params.get('keys') === '1' },
    });
    if (parsed.type !== 'subscribe') {
      const reason = parsed.type === 'invalid' ? parsed.reason : 'seq must be a number';
      return problem(400, 'INVALID_MESSAGE', reason);
    }
    const page = await readPage(
      store,
      {
        collection,
        since: parsed.since ?? 0,
        limit: Math.min(parsed.limit ?? pageSize, pageSize),
        snapshot: parsed.snapshot,
        sees: access.reader(user, collection, parsed.filter),
      },
      (record, visible) => JSON.stringify(restRecord(record, visible, parsed.keys)),
    );
    const rest: Omit<RestPage, 'records'> = {
      seq: page.seq,
      ...(page.snapshotSeq !== undefined && { snapshot: true, snapshotSeq: page.snapshotSeq }),
      timestamp: iso(now()),
    };
    return { status: 200, body: `{"records":[${page.records.join(',')}],${JSON.stringify(rest).slice(1)}` };
  }

  async function answer(request: IncomingMessage, target: Target, params: URLSearchParams): Promise<Answer> {
    // An app that runs on may still have us mounted.
    if (isClosed()) return problem(503, 'SERVER_ERROR', 'The sync server is closed');
    const method = request.method ?? 'GET';
    if (method === 'OPTIONS') return preflight;
    const allowed = methods[target.kind];
    if (!allowed.includes(method)) {
      return problem(405, 'INVALID_MESSAGE', `${method} is not for this path`, { Allow: allowed.join(', ') });
    }
    if (target.kind === 'health') return { status: 200, body: health() };

    const identity = await authenticate(bearer(request), request);
    if (identity.kind === 'unknown') return problem(500, 'SERVER_ERROR', 'The token could not be checked; try again');
    if (identity.kind === 'refused') {
      return problem(401, 'AUTH_FAILED', 'The token was refused; sign in again', { 'WWW-Authenticate': 'Bearer' });
    }
    const { user } = identity;
    const key = user ? `user ${user.id}` : `address ${request.socket.remoteAddress}`;
    const retryAfter = takeOne(key);
    if (retryAfter > 0) {
      const headers = { 'Retry-After': String(Math.ceil(retryAfter / 1000)) };
      return problem(429, 'RATE_LIMIT_EXCEEDED', `Too many requests; wait ${retryAfter} ms`, headers);
    }
    if (method === 'GET' && target.kind === 'collection') return pull(user, target.collection, params);
    if (method === 'DELETE' && target.kind === 'record') {
      const { collection, recordId } = target;
      return write(user, { type: 'delete', collection, recordId });
    }

    const read = await readJson(request, maxPayload);
    if (isAnswer(read)) return read;
    if (target.kind === 'batch') return batch(user, key, read.value);
    if (!isObject(read.value)) return problem(400, 'INVALID_MESSAGE', 'The body must be a JSON object');
    const unsafe = unsafeReason(read.value);
    if (unsafe) return problem(400, 'INVALID_MESSAGE', `Refused: ${unsafe}`);
    const { recordId, data, delta, metadata } = read.value;
    return target.kind === 'record'
      ? write(user, { ...target, type: 'update', data: delta, metadata })
      : write(user, { ...target, type: 'insert', recordId, data, metadata });
  }

  return (request, response, next) => {
    const path = request.url ?? '/';
    const url = URL.canParse(path, 'http://localhost') ? new URL(path, 'http://localhost') : undefined;
    const target = url && targetOf(url.pathname, httpPath);
    if (!target) {
      if (next) next();
      else respond(response, problem(404, 'RECORD_NOT_FOUND', 'There is nothing here; REST is under /sync'));
      return;
    }
    // The clock that stamps the rows: clients measure the server's clock by this header too.
    const headers = { ...corsHeaders(request, cors), Date: new Date(now()).toUTCString() };
    answer(request, target, url.searchParams)
      .catch((error: unknown) => {
        if (!request.errored) log('error', 'A request could not be handled', { error, method: request.method });
        return problem(500, 'SERVER_ERROR', 'The server could not handle the request');
      })
      .then((result) => respond(response, { ...result, headers: { ...headers, ...result.headers } }))
      // The client is gone.
      .catch(() => response.destroy());
  };
}
