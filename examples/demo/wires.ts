import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** What the page is told of a wire. */
export interface WireState {
  readonly cut: boolean;
  /** Its host and port, where it is not a path of the page's own server. */
  readonly address?: string;
}

/** The lines between devices and backend. Each has a name, and can be cut. */
export interface Wires {
  /** Leads an upgrade request of `/wire/<name>` to the backend, or refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** The same for a request without an upgrade. */
  forward(request: IncomingMessage, response: ServerResponse): void;
  state(name: string): Promise<WireState>;
  /** Destroys the sockets of this wire, with no goodbye, and refuses new ones. */
  cut(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * TCP in between: what a device sends goes to `target` byte for byte, until the wire is cut. A cut is a lost socket, as
 * in a tunnel: neither side is told.
 */
export function createWires(target: URL): Wires {
  const cut = new Set<string>();
  const sockets = new Map<Duplex, string>();
  const base = target.pathname.replace(/\/$/, '');

  /** The wire that a request takes, and where it leads at the backend; undefined where the wire is cut. */
  function route(url = ''): { readonly name: string; readonly path: string } | undefined {
    const [, name, rest = ''] = /^\/wire\/([\w-]{1,64})([/?].*)?$/.exec(url) ?? [];
    return name === undefined || cut.has(name) ? undefined : { name, path: `${base}${rest}` || '/' };
  }

  const destroy = (lost: (name: string) => boolean) => {
    for (const [socket, name] of sockets) if (lost(name)) socket.destroy();
  };

  return {
    upgrade(request, socket, head) {
      const taken = route(request.url);
      if (!taken) {
        socket.destroy();
        return;
      }
      const upstream = connect(Number(target.port), target.hostname);
      const headers: string[] = [];
      for (let index = 0; index < request.rawHeaders.length; index += 2)
        headers.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}\r\n`);
      upstream.write(`GET ${taken.path} HTTP/1.1\r\n${headers.join('')}\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
      sockets.set(socket, taken.name);
      socket.on('error', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
      // A frame that the backend sent last must still get through; a cut leaves nothing to get through.
      upstream.on('close', () => socket.end());
      socket.on('close', () => {
        sockets.delete(socket);
        upstream.destroy();
      });
    },
    forward(request, response) {
      const { socket } = request;
      const taken = route(request.url);
      if (!taken) {
        socket.destroy();
        return;
      }
      const { hostname, port } = target;
      const options = { hostname, port, path: taken.path, method: request.method, headers: request.headers };
      const upstream = httpRequest(options, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(upstream);
      sockets.set(socket, taken.name);
      upstream.on('error', () => socket.destroy());
      // The page uses the same socket for what goes by no wire.
      response.on('close', () => {
        sockets.delete(socket);
        upstream.destroy();
      });
    },
    state: async (name) => ({ cut: cut.has(name) }),
    async cut(name) {
      cut.add(name);
      destroy((other) => other === name);
    },
    async restore(name) {
      cut.delete(name);
    },
    close: async () => destroy(() => true),
  };
}
