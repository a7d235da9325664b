import { fork } from 'node:child_process';
import { join } from 'node:path';
import { createTcpProxy, type TcpProxy } from '../../../src/testing/index.js';
import { createRemote } from '../remote.js';
import type { HasuraPeer, HasuraPeerOptions } from './index.js';

type Same = 'adminSecret' | 'databaseUrl' | 'sql' | 'reload' | 'token' | 'kill' | 'start' | 'close';
type Postgres = 'restartPostgres' | 'stopPostgres' | 'startPostgres';

/** A Hasura in a process of its own, behind a proxy. */
export interface HasuraProject extends Pick<HasuraPeer, Same | Postgres> {
  /** Through the proxy, for HTTP; the adapter makes the address for WebSockets of it. */
  readonly url: string;
  /** Through the proxy, for WebSockets. */
  readonly wsUrl: string;
  readonly proxy: TcpProxy;
  sockets(): Promise<number>;
  accepted(): Promise<number>;
  subscriptions(): Promise<number>;
  permit(...args: Parameters<HasuraPeer['permit']>): Promise<void>;
  cut(code?: number, reason?: string): Promise<void>;
}

/** Starts one. It takes about two seconds, so share it between the tests of a file. Options that are JSON. */
export async function startHasuraProject(options: Omit<HasuraPeerOptions, 'postgres'>): Promise<HasuraProject> {
  const remote = createRemote();
  const { call } = remote;
  const child = fork(join(import.meta.dirname, 'process.ts'), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await remote.take(child);
  const about = (await call('about')()) as Pick<HasuraPeer, 'url' | 'adminSecret' | 'databaseUrl'>;
  const proxy = await createTcpProxy({ port: Number(new URL(about.url).port) });
  return {
    ...about,
    url: `http://127.0.0.1:${proxy.port}/v1/graphql`,
    wsUrl: `ws://127.0.0.1:${proxy.port}/v1/graphql`,
    proxy,
    sockets: call('sockets'),
    accepted: call('accepted'),
    subscriptions: call('subscriptions'),
    sql: call('sql'),
    reload: call('reload'),
    permit: call('permit'),
    token: call('token'),
    cut: call('cut'),
    kill: call('kill'),
    start: call('start'),
    restartPostgres: call('restartPostgres'),
    stopPostgres: call('stopPostgres'),
    startPostgres: call('startPostgres'),
    async close() {
      await proxy.close();
      await call('close')();
      await remote.leave();
    },
  };
}
