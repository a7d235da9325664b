/** A Supabase peer in a process of its own, so that its sockets and timers are not counted as the client's. */
import { startSupabasePeer } from '../supabase/index.js';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

const peer = await startSupabasePeer(JSON.parse(process.argv[2] ?? '{}'));
let closing: Promise<void> | undefined;
function close(): Promise<void> {
  closing ??= peer.close();
  return closing;
}
const methods: Record<string, (...args: never[]) => unknown> = {
  about: () => ({ url: peer.url, anonKey: peer.anonKey, serviceKey: peer.serviceKey, databaseUrl: peer.databaseUrl }),
  sockets: () => peer.sockets,
  sql: peer.sql,
  token: peer.token,
  cutRealtime: peer.cutRealtime,
  killRealtime: peer.killRealtime,
  startRealtime: peer.startRealtime,
  repeatSystemOk: peer.repeatSystemOk,
  delivered: peer.delivered,
  holdSchema: peer.holdSchema,
  reloadSchema: peer.reloadSchema,
  restartPostgres: peer.restartPostgres,
  stopPostgres: peer.stopPostgres,
  startPostgres: peer.startPostgres,
  close,
};

process.on('message', ({ id, method, args }: Call) => {
  void Promise.resolve(methods[method]?.(...(args as never[]))).then(
    (result) => process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.message }),
  );
});
process.on('disconnect', () => void close().then(() => process.exit()));
process.send?.({ id: 0 });
