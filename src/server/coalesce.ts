import type { Duplex } from 'node:stream';

/**
 * Writes to sockets so that all that a turn of the event loop has for one socket goes out in one system call: a burst
 * of changes would else cost one for each change and socket, which is nearly all that a broadcast costs.
 */
export function createCoalescer(): (socket: Duplex, frame: Buffer) => void {
  let corked: Duplex[] = [];

  function release(): void {
    const sockets = corked;
    corked = [];
    for (const socket of sockets) socket.uncork();
  }

  return (socket, frame) => {
    if (socket.writableCorked === 0) {
      if (corked.length === 0) process.nextTick(release);
      socket.cork();
      corked.push(socket);
    }
    socket.write(frame);
  };
}
