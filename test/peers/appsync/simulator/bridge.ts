import { once } from 'node:events';
import { createServer, type IncomingMessage, request as makeRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Kind, parse } from 'graphql';
import { WebSocket, WebSocketServer } from 'ws';

type Values = Readonly<Record<string, unknown>>;

interface Message {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly payload?: unknown;
}

/** Between two `ka`, ms; the simulator's come every four minutes. */
const KEEP_ALIVE = 1000;
const PATH = '/graphql/realtime';

const unauthorized = {
  errorType: 'UnauthorizedException',
  message: 'You are not authorized to make this call.',
  errorCode: 401,
};

/** Whether this document can be subscribed to. The simulator ends with an error of its own over one that cannot be read. */
function isSubscription(query: unknown): boolean {
  try {
    const { definitions } = parse(String(query));
    return definitions.some((each) => each.kind === Kind.OPERATION_DEFINITION && each.operation === 'subscription');
  } catch {
    return false;
  }
}

/** What the simulator on this port does unlike AppSync on the wire, put right. */
export async function startBridge(simulator: number) {
  const to = { host: '127.0.0.1', port: simulator };
  const clients = new Set<WebSocket>();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'graphql-ws' });

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { method, url, headers } = request;
    const passed = makeRequest({ ...to, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  }

  /** What the simulator says of these headers: over the socket it would close without a word, or end. */
  async function letsIn(headers: Values): Promise<boolean> {
    const { host: _, ...rest } = headers;
    const answer = await fetch(`http://127.0.0.1:${simulator}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close', ...(rest as Record<string, string>) },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    await answer.arrayBuffer();
    return answer.status !== 401;
  }

  function open(client: WebSocket, header: string): void {
    clients.add(client);
    const say = (message: object): void => {
      if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(message));
    };
    let upstream: WebSocket | undefined;
    let alive: ReturnType<typeof setInterval> | undefined;

    async function greet(): Promise<void> {
      const headers: Values = JSON.parse(Buffer.from(header, 'base64url').toString());
      if (!(await letsIn(headers))) {
        say({ type: 'connection_error', payload: { errors: [unauthorized] } });
        return client.close();
      }
      // Where AppSync's first clients had it, and where alone the simulator looks for it.
      const query = new URLSearchParams({ header: Buffer.from(JSON.stringify(headers)).toString('base64') });
      const socket = new WebSocket(`ws://127.0.0.1:${simulator}${PATH}?${query}&payload=e30=`, 'graphql-ws');
      upstream = socket;
      socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init' })));
      socket.on('message', (data) => onAnswer(JSON.parse(String(data))));
      socket.on('error', () => undefined);
      socket.on('close', () => client.terminate());
      if (client.readyState !== WebSocket.OPEN) socket.terminate();
    }

    function onAnswer(message: Message): void {
      if (message.type === 'connection_ack') {
        const { connectionTimeout } = message.payload as { readonly connectionTimeout: number };
        say({ type: 'connection_ack', payload: { connectionTimeoutMs: connectionTimeout } });
        alive = setInterval(() => say({ type: 'ka' }), KEEP_ALIVE);
      } else if (message.type !== 'ka') say(message);
    }

    async function start({ id, payload }: Message): Promise<void> {
      const { data, extensions } = payload as { data: string; extensions?: { authorization?: Values } };
      const refuse = (error: object): void => say({ id, type: 'error', payload: { errors: [error] } });
      if (!isSubscription(JSON.parse(data).query))
        return refuse({ errorType: 'ValidationError', message: 'That is no subscription.' });
      if (!(await letsIn(extensions?.authorization ?? {}))) return refuse(unauthorized);
      if (upstream?.readyState === WebSocket.OPEN) upstream.send(JSON.stringify({ type: 'start', id, payload }));
    }

    async function onMessage(message: Message): Promise<void> {
      if (message.type === 'connection_init') await greet();
      else if (message.type === 'start') await start(message);
      else if (message.type === 'stop') upstream?.send(JSON.stringify(message));
    }

    // One after the other: a stop must not overtake its start.
    let last: Promise<void> = Promise.resolve();
    client.on('message', (data) => {
      last = last.then(() => onMessage(JSON.parse(String(data)))).catch(() => client.terminate());
    });
    client.on('error', () => undefined);
    client.on('close', () => {
      clients.delete(client);
      clearInterval(alive);
      upstream?.terminate();
    });
  }

  const server = createServer(onRequest);
  server.on('upgrade', (request, socket, head) => {
    const protocols = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
    const header = protocols.find((each) => each.startsWith('header-'))?.slice('header-'.length);
    if (request.url !== PATH || header === undefined) socket.destroy();
    else sockets.handleUpgrade(request, socket, head, (client) => open(client, header));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const drop = (): void => {
    for (const client of clients) client.terminate();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return clients.size;
    },
    drop,
    async close(): Promise<void> {
      drop();
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
