import type { WebSocket } from 'ws';

/** Why a socket is closed, as Hasura writes it: a close frame with at most 123 bytes of it. */
export function closeWith(socket: WebSocket, code: number, reason: string): void {
  const text = JSON.stringify({ server_error_msg: `${code}: ${reason}` });
  socket.close(code, Buffer.from(text).subarray(0, 123));
}

/** `2.36` and `v2.36.1` are 36; a version before 2 is -1. */
function minorOf(version: string): number {
  const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) < 2 ? -1 : Number(minor);
}

/** Such a Hasura knows only the subprotocol `graphql-ws` of the package subscriptions-transport-ws, and answers with it. */
export const isLegacy = (version: string): boolean => minorOf(version) < 1 && !isFirst(version);

/** The first ones that know the newer subprotocol. */
const isFirst = (version: string): boolean => /^v?2\.0\.[89]$/.test(version);

/** Refuses a `connection_init`, each version in its own way. */
export function refuseInit(socket: WebSocket, version: string, reason: string): void {
  const minor = minorOf(version);
  // No message of the protocol (graphql-engine#9689): a client that checks the types ends with an error of its own.
  if (minor >= 25 && minor < 30) socket.send(JSON.stringify({ type: 'connection_error', payload: reason }));
  if (isFirst(version)) socket.close(1000);
  else if (minor >= 30) closeWith(socket, 4403, 'Forbidden');
  else closeWith(socket, 4400, `Connection initialization failed: ${reason}`);
}
