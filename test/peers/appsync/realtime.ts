import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Api, type Made, only, type SubscriptionPlan } from './api.js';
import type { Auth } from './auth.js';
import { holds } from './condition.js';
import { subscriptionOf } from './model.js';

/** What goes wrong, until it is put right. */
export interface RealtimeFaults {
  /** Upgrades are not answered, or refused with 503. */
  readonly upgrade?: 'hang' | 'refuse' | undefined;
  /** `connection_init` gets no answer, the end of the socket, or a `connection_error`. */
  readonly ack?: 'none' | 'die' | 'refuse' | undefined;
  /** `start` of these subscription fields gets no answer, or an error of this type. */
  readonly start?: { readonly fields: readonly string[]; readonly answer: 'none' | string } | undefined;
  /** Nothing is sent any more on open sockets, not even `ka`. */
  readonly mute?: boolean | undefined;
  /** No event is sent, and nobody is told. */
  readonly loseEvents?: boolean | undefined;
}

export interface RealtimeOptions {
  readonly api: () => Api;
  readonly auth: Auth;
  /** What `connection_ack` says, ms. */
  readonly connectionTimeout: number;
  /** Between two `ka`, ms. */
  readonly keepAlive: number;
}

interface Connection {
  readonly socket: WebSocket;
  readonly subscriptions: Map<string, SubscriptionPlan>;
  readonly end: () => void;
}

type Values = Readonly<Record<string, unknown>>;

function decode(header: string | undefined): Values | undefined {
  try {
    return JSON.parse(Buffer.from(header ?? '', 'base64url').toString());
  } catch {
    return undefined;
  }
}

/** AppSync's subscriptions: its own protocol on the subprotocol `graphql-ws`. */
export function createRealtime({ api, auth, connectionTimeout, keepAlive }: RealtimeOptions) {
  const connections = new Set<Connection>();
  const hanging = new Set<Duplex>();
  const server = new WebSocketServer({ noServer: true, handleProtocols: () => 'graphql-ws' });
  let faults: RealtimeFaults = {};

  function open(socket: WebSocket, header: Values | undefined): void {
    const subscriptions = new Map<string, SubscriptionPlan>();
    let timers: ReturnType<typeof setInterval>[] = [];
    let greeted = false;
    const connection: Connection = { socket, subscriptions, end: () => socket.terminate() };
    connections.add(connection);
    const say = (message: object): void => {
      if (!faults.mute && socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
    };
    const refuse = (error: { errorType: string; message: string }): void => {
      say({ type: 'connection_error', payload: { errors: [{ ...error, errorCode: 401 }] } });
      socket.close(1000);
    };

    async function greet(): Promise<void> {
      if (faults.ack === 'none') return;
      if (faults.ack === 'die') return socket.terminate();
      if (faults.ack === 'refuse')
        return refuse({ errorType: 'UnauthorizedException', message: 'Refused by the test.' });
      const verdict = await auth.verify(header ?? {});
      if (!verdict.ok) return refuse(verdict.error);
      greeted = true;
      say({ type: 'connection_ack', payload: { connectionTimeoutMs: connectionTimeout } });
      timers.push(setInterval(() => say({ type: 'ka' }), keepAlive));
      if (verdict.expiresAt !== undefined) {
        const left = Math.min(verdict.expiresAt - Date.now(), 2 ** 31 - 1);
        const over = (): void => refuse({ errorType: 'UnauthorizedException', message: 'Token has expired.' });
        timers.push(setTimeout(over, Math.max(0, left)));
      }
    }

    async function start(id: string, payload: Values): Promise<void> {
      const fail = (error: object): void => say({ id, type: 'error', payload: { errors: [error] } });
      const { authorization } = (payload.extensions ?? {}) as { authorization?: Values };
      const { query, variables } = JSON.parse(String(payload.data));
      const verdict = await auth.verify(authorization ?? {});
      if (!verdict.ok) return fail(verdict.error);
      const plan = api().plan(query, variables);
      if (!('event' in plan)) return say({ id, type: 'error', payload: { errors: plan.errors } });
      const { start } = faults;
      if (start?.fields.includes(subscriptionOf(plan.operation, plan.model))) {
        const field = subscriptionOf(plan.operation, plan.model);
        const rights = `Not Authorized to access ${field} on type Subscription`;
        const message = start.answer === 'Unauthorized' ? rights : 'The test made this start fail.';
        if (start.answer !== 'none') fail({ errorType: start.answer, message });
        return;
      }
      subscriptions.set(id, plan);
      say({ id, type: 'start_ack' });
    }

    socket.on('message', (data) => {
      void (async () => {
        const { type, id, payload } = JSON.parse(String(data));
        if (type === 'connection_init') await greet();
        else if (!greeted) refuse({ errorType: 'BadRequestException', message: 'The connection is not initialised.' });
        else if (type === 'start') await start(id, payload);
        else if (type === 'stop') {
          subscriptions.delete(id);
          say({ id, type: 'complete' });
        }
      })().catch(() =>
        say({
          type: 'error',
          payload: {
            errors: [
              { errorType: 'UnsupportedOperation', message: 'unknown not supported through the realtime channel' },
            ],
          },
        }),
      );
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      connections.delete(connection);
      for (const timer of timers) clearInterval(timer);
      timers = [];
    });
  }

  return {
    get connections(): number {
      return connections.size;
    },
    get subscriptions(): string[] {
      return [...connections].flatMap(({ subscriptions }) =>
        [...subscriptions.values()].map(({ operation, model }) => subscriptionOf(operation, model)),
      );
    },
    fault(next: RealtimeFaults): void {
      faults = { ...faults, ...next };
      if (faults.upgrade !== 'hang') for (const socket of hanging) socket.destroy();
    },
    onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      const { pathname } = new URL(request.url ?? '', 'http://peer');
      const protocols = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
      socket.on('error', () => undefined);
      if (faults.upgrade === 'hang') {
        hanging.add(socket);
        socket.once('close', () => hanging.delete(socket));
        return;
      }
      if (faults.upgrade === 'refuse' || pathname !== '/graphql/realtime' || !protocols.includes('graphql-ws')) {
        const status = faults.upgrade === 'refuse' ? '503 Service Unavailable' : '400 Bad Request';
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      const header = protocols.find((each) => each.startsWith('header-'))?.slice('header-'.length);
      server.handleUpgrade(request, socket, head, (upgraded) => open(upgraded, decode(header)));
    },
    /** Tells those who subscribed to this mutation. */
    publish({ model, operation, item, selected }: Made): void {
      if (faults.loseEvents) return;
      const known = selected ? only(item, selected) : item;
      for (const { socket, subscriptions } of connections)
        for (const [id, plan] of subscriptions) {
          if (plan.model.name !== model.name || plan.operation !== operation) continue;
          const { filter, ...equal } = plan.args as Values & { filter?: Values };
          // A null that was given must be met; the fields that the mutation did not select are null.
          const fits = Object.entries(equal).every(([field, wanted]) => (known[field] ?? null) === wanted);
          if (!fits || !holds(filter, known) || faults.mute) continue;
          socket.send(JSON.stringify({ id, type: 'data', payload: plan.event(item, selected) }));
        }
    },
    /** Ends what somebody may no longer hear. */
    revoke(name: string): void {
      for (const { socket, subscriptions } of connections)
        for (const [id, { model, operation }] of subscriptions) {
          if (model.name !== name) continue;
          subscriptions.delete(id);
          const message = `Not Authorized to access ${subscriptionOf(operation, model)} on type Subscription`;
          socket.send(
            JSON.stringify({ id, type: 'error', payload: { errors: [{ errorType: 'Unauthorized', message }] } }),
          );
        }
    },
    /** Every open connection is told that its token is over, and closed. */
    expire(): void {
      const errors = [{ errorType: 'UnauthorizedException', message: 'Token has expired.', errorCode: 401 }];
      for (const { socket } of connections) {
        socket.send(JSON.stringify({ type: 'connection_error', payload: { errors } }));
        socket.close(1000);
      }
    },
    /** Cuts every socket without a close frame, or closes it with a code. */
    drop(code?: number): void {
      for (const { socket } of [...connections])
        if (code === undefined) socket.terminate();
        else socket.close(code);
    },
    close(): void {
      for (const { end } of [...connections]) end();
      for (const socket of hanging) socket.destroy();
      server.close();
    },
  };
}

export type Realtime = ReturnType<typeof createRealtime>;
