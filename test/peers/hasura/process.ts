/** A Hasura peer in a process of its own, so that its sockets and timers are not counted as the client's. */
import { startHasuraPeer } from './index.js';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

const peer = await startHasuraPeer(JSON.parse(process.argv[2] ?? '{}'));
let closing: Promise<void> | undefined;
function close(): Promise<void> {
  closing ??= peer.close();
  return closing;
}
const methods: Record<string, (...args: never[]) => unknown> = {
  about: () => ({ url: peer.url, adminSecret: peer.adminSecret, databaseUrl: peer.databaseUrl }),
  sockets: () => peer.sockets,
  accepted: () => peer.accepted,
  subscriptions: () => peer.subscriptions,
  sql: peer.sql,
  reload: peer.reload,
  permit: peer.permit,
  token: peer.token,
  cut: peer.cut,
  kill: peer.kill,
  start: peer.start,
  restartPostgres: peer.restartPostgres,
  stopPostgres: peer.stopPostgres,
  startPostgres: peer.startPostgres,
  close,
};

process.on('message', ({ id, method, args }: Call) => {
  // A missing argument is null on its way here.
  const given = args.map((arg) => arg ?? undefined) as never[];
  void Promise.resolve()
    .then(() => methods[method]?.(...given))
    .then(
      (result) => process.send?.({ id, result }),
      (error: Error) => process.send?.({ id, error: error.message }),
    );
});
process.on('disconnect', () => void close().then(() => process.exit()));
process.send?.({ id: 0 });
