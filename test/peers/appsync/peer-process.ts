/** An AppSync peer in a process of its own, so that it can be killed, and its sockets are not counted as the client's. */
import { startAppsyncPeer } from './index.js';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

const peer = await startAppsyncPeer(JSON.parse(process.argv[2] ?? '{}'));
const {
  token,
  expire,
  write,
  put,
  hide,
  disown,
  read,
  revoke,
  grant,
  fault,
  httpFault,
  drop,
  reset,
  delete: erase,
} = peer;
const methods: Record<string, (...args: never[]) => unknown> = {
  connections: () => peer.connections,
  subscriptions: () => peer.subscriptions,
  requests: () => peer.requests,
  ...{ token, expire, write, put, hide, disown, read, revoke, grant, fault, httpFault, drop, reset, delete: erase },
};

process.on('message', ({ id, method, args }: Call) => {
  void (async () => methods[method]?.(...(args as never[])))().then(
    (result) => process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.message }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ id: 0, result: peer.port });
