import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** The lines between devices and backend. Each has a name, and can be cut. */
export interface Wires {
  /** Leads an upgrade request of `/wire/<name>` to the backend, or refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Destroys the sockets of this wire, with no goodbye, and refuses new ones. */
  cut(name: string): void;
  restore(name: string): void;
  isCut(name: string): boolean;
  close(): void;
}

/**
 * TCP in between: what a device sends goes to `target` byte for byte, until the wire is cut. A cut is a lost socket, as
 * in a tunnel: neither side is told.
 */
export function createWires(target: URL): Wires {
  const cut = new Set<string>();
  const sockets = new Map<Duplex, string>();

  const destroy = (lost: (name: string) => boolean) => {
    for (const [socket, name] of sockets) if (lost(name)) socket.destroy();
  };

  return {
    upgrade(request, socket, head) {
      const name = /^\/wire\/([\w-]{1,64})$/.exec(request.url ?? '')?.[1];
      if (name === undefined || cut.has(name)) {
        socket.destroy();
        return;
      }
      const upstream = connect(Number(target.port), target.hostname);
      const headers: string[] = [];
      for (let index = 0; index < request.rawHeaders.length; index += 2)
        headers.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}\r\n`);
      upstream.write(`GET ${target.pathname} HTTP/1.1\r\n${headers.join('')}\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
      sockets.set(socket, name);
      socket.on('error', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
      // A frame that the backend sent last must still get through; a cut leaves nothing to get through.
      upstream.on('close', () => socket.end());
      socket.on('close', () => {
        sockets.delete(socket);
        upstream.destroy();
      });
    },
    cut(name) {
      cut.add(name);
      destroy((other) => other === name);
    },
    restore: (name) => void cut.delete(name),
    isCut: (name) => cut.has(name),
    close: () => destroy(() => true),
  };
}
