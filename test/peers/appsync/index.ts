import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, createApi, type Made } from './api.js';
import { type AuthOptions, createAuth } from './auth.js';
import type { Model } from './model.js';
import { createRealtime, type RealtimeFaults } from './realtime.js';
import { createTables, type Item } from './table.js';

export type { Model } from './model.js';
export type { RealtimeFaults } from './realtime.js';

export interface AppsyncPeerOptions {
  readonly models: readonly Model[];
  /** Default: the key `da2-local`. */
  readonly auth?: AuthOptions;
  /** A SQLite file, for data that outlive the peer. Default: memory. */
  readonly path?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** What `connection_ack` says, ms. AWS's: 300 000, the default. */
  readonly connectionTimeout?: number;
  /** Between two `ka`, ms. AWS's: 60 000, the default. */
  readonly keepAlive?: number;
  /** How long the delta table keeps a change, ms. AWS's: 30 minutes, the default. */
  readonly deltaTtl?: number;
  /** How long a deleted item stays in the base table, ms. AWS's: 30 days, the default. */
  readonly tombstoneTtl?: number;
  /** How long a read may still see what was there before a write, ms. Default 0. */
  readonly readLag?: number;
  /** Whether an update of a deleted item brings it back. Default true. */
  readonly revives?: boolean;
}

/** What happens to the next requests. */
export interface HttpFault {
  /** The answer that they get; 0: none, the connection is cut once the work is done. */
  readonly status: number;
  readonly times: number;
  /** Only requests whose document has this text. */
  readonly containing?: string;
  /** The error's type and words. Default: `InternalFailure`; `WAFForbiddenException` is a firewall's. */
  readonly errorType?: string;
  readonly message?: string;
}

/** An AppSync API on this machine: GraphQL by HTTP, and AppSync's protocol for subscriptions. */
export interface AppsyncPeer {
  /** `http://127.0.0.1:PORT/graphql`. */
  readonly endpoint: string;
  readonly port: number;
  /** Sockets that are open and greeted, or about to be. */
  readonly connections: number;
  /** The subscription fields that are subscribed to, on all sockets. */
  readonly subscriptions: readonly string[];
  /** How many requests came by HTTP, by the first field of their document. */
  readonly requests: Readonly<Record<string, number>>;
  token(sub?: string, expiresIn?: number): Promise<string>;
  /** Every token made so far is refused from now on, on open sockets too. */
  expire(): void;
  /**
   * Writes a whole item as a client does who asks nobody. `age`: it is stamped so many ms ago. `select`: the fields that this
   * client's mutation selects; default all.
   */
  write(model: string, id: string, fields: Readonly<Record<string, unknown>>, how?: WriteOptions): void;
  /**
   * Puts an item exactly as it is given, past the API: without `updatedAt`, without `_version`, or without a field that the schema
   * requires, it cannot be read whole. Nobody hears of it.
   */
  put(model: string, item: Readonly<Record<string, unknown>> & { readonly id: string }): void;
  /** Nobody may read these fields of a model: each is null, with an `Unauthorized` error for its path. None: all may be read. */
  hide(model: string, ...fields: readonly string[]): void;
  /** `true`: an item is another owner's from now on, though nothing else of it has changed. `false`: it is the client's again. */
  disown(model: string, id: string, away: boolean): void;
  delete(model: string, id: string, how?: Pick<WriteOptions, 'select'>): void;
  /** The items that are there. */
  read(model: string): Item[];
  /** Nobody may use this model any more; nor go on hearing of it. */
  revoke(model: string): void;
  grant(model: string): void;
  fault(faults: RealtimeFaults): void;
  httpFault(fault: HttpFault): void;
  /** Ends every socket, as a lost network does, or with a close code. */
  drop(code?: number): void;
  /** No data, no faults, no sockets: as if it had just started. */
  reset(): void;
  close(): Promise<void>;
}

export interface WriteOptions {
  readonly age?: number;
  readonly select?: readonly string[];
}

const MINUTE = 60_000;

const noFaults: Required<RealtimeFaults> = {
  upgrade: undefined,
  ack: undefined,
  start: undefined,
  mute: false,
  loseEvents: false,
} as never;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

function answer(response: ServerResponse, status: number, body: Answer | object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8', 'access-control-allow-origin': '*' });
  response.end(text);
}

export async function startAppsyncPeer(options: AppsyncPeerOptions): Promise<AppsyncPeer> {
  const { models, path, port: wantedPort = 0, connectionTimeout = 5 * MINUTE, keepAlive = MINUTE } = options;
  const { deltaTtl = 30 * MINUTE, tombstoneTtl = 30 * 24 * 60 * MINUTE, revives = true, readLag = 0 } = options;
  const tables = createTables(path);
  const auth = createAuth(options.auth ?? { apiKey: 'da2-local' });
  const api = createApi({
    models,
    tables,
    deltaTtl,
    tombstoneTtl,
    readLag,
    revives,
    made: (made) => publishSoon(made),
  });
  const realtime = createRealtime({ api: () => api, auth, connectionTimeout, keepAlive });
  let requests: Record<string, number> = {};
  let faults: { fault: HttpFault; left: number }[] = [];

  /** An event does not wait for the answer to its mutation, nor the answer for it. */
  function publishSoon(made: Made): void {
    setImmediate(() => realtime.publish(made));
  }

  function faultFor(query: string): HttpFault | undefined {
    const found = faults.find(({ fault, left }) => left > 0 && query.includes(fault.containing ?? ''));
    if (found) found.left -= 1;
    return found?.fault;
  }

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'OPTIONS') {
      const allowed = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
      response.writeHead(204, allowed).end();
      return;
    }
    if (request.method !== 'POST' || request.url !== '/graphql') return answer(response, 404, { errors: [] });
    const text = await bodyOf(request);
    const verdict = await auth.verify(request.headers);
    if (!verdict.ok) return answer(response, 401, { errors: [verdict.error] });
    let body: { query?: unknown; variables?: Readonly<Record<string, unknown>> };
    try {
      body = JSON.parse(text);
    } catch {
      const error = { errorType: 'MalformedHttpRequestException', message: 'Unable to parse the request.' };
      return answer(response, 400, { errors: [error] });
    }
    const query = String(body.query);
    const field = /\{\s*(?:\w+\s*:\s*)?(\w+)/.exec(query)?.[1] ?? '';
    requests[field] = (requests[field] ?? 0) + 1;
    const fault = faultFor(query);
    if (fault && fault.status !== 0)
      return answer(response, fault.status, {
        errors: [{ errorType: fault.errorType ?? 'InternalFailure', message: fault.message ?? 'A fault of the test.' }],
      });
    const result = await api.run(query, body.variables);
    if (fault) response.destroy();
    else answer(response, 200, result);
  }

  const server = createServer((request, response) => {
    void onRequest(request, response).catch(() => response.destroy());
  });
  server.on('upgrade', realtime.onUpgrade);
  server.listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const modelOf = (name: string): Model => {
    const model = models.find((each) => each.name === name);
    if (!model) throw new Error(`There is no model ${name}.`);
    return model;
  };

  return {
    endpoint: `http://127.0.0.1:${port}/graphql`,
    port,
    get connections() {
      return realtime.connections;
    },
    get subscriptions() {
      return realtime.subscriptions;
    },
    get requests() {
      return requests;
    },
    token: auth.token,
    expire() {
      auth.expire();
      realtime.expire();
    },
    write(name, id, fields, { age = 0, select } = {}) {
      const model = modelOf(name);
      const { operation, item } = api.source.overwrite(model, { ...fields, id }, age);
      publishSoon({ model, operation, item, selected: select && new Set(select) });
    },
    put: (name, item) => api.source.put(modelOf(name), item),
    hide(name, ...fields) {
      api.hidden.set(modelOf(name).name, new Set(fields));
    },
    disown(name, id, away) {
      const ids = api.owned.get(modelOf(name).name) ?? new Set();
      ids[away ? 'add' : 'delete'](id);
      api.owned.set(modelOf(name).name, ids);
    },
    delete(name, id, { select } = {}) {
      const model = modelOf(name);
      const item = api.source.erase(model, id);
      if (item) publishSoon({ model, operation: 'delete', item, selected: select && new Set(select) });
    },
    read: (name) => api.source.current(modelOf(name)),
    revoke(name) {
      api.closed.add(name);
      realtime.revoke(name);
    },
    grant(name) {
      api.closed.delete(name);
    },
    fault: realtime.fault,
    httpFault(fault) {
      faults.push({ fault, left: fault.times });
    },
    drop: realtime.drop,
    reset() {
      realtime.fault(noFaults);
      realtime.drop();
      faults = [];
      requests = {};
      api.closed.clear();
      api.hidden.clear();
      api.owned.clear();
      tables.clear();
    },
    async close() {
      realtime.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      tables.close();
    },
  };
}
