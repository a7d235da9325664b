import { fork } from 'node:child_process';
import { join } from 'node:path';
import { createTcpProxy, type TcpProxy } from '../../../src/testing/index.js';
import { createRemote } from '../remote.js';
import type { SupabasePeer, SupabasePeerOptions } from '../supabase/index.js';

type Remote = Omit<SupabasePeer, 'url' | 'sockets' | 'cutRealtime' | 'startRealtime' | 'reloadSchema'> & {
  reloadSchema(): Promise<void>;
  cutRealtime(code?: number): Promise<void>;
  startRealtime(): Promise<void>;
  sockets(): Promise<number>;
};

/** A Supabase project in a process of its own, behind a proxy. */
export interface Project extends Remote {
  /** Through the proxy. */
  readonly url: string;
  readonly proxy: TcpProxy;
}

/** The trigger that the adapter's page tells to make. */
export const touch = `
  create function touch() returns trigger language plpgsql as $$
  begin
    -- A test may pretend that a transaction began earlier.
    new.updated_at = greatest(
      clock_timestamp() - coalesce(nullif(current_setting('test.age', true), ''), '0')::interval,
      old.updated_at + interval '1 microsecond'
    );
    return new;
  end $$;`;

/** A table with it; `soft`: rows are only marked as deleted. */
export const table = (name: string, soft: boolean): string => `
  create table ${name} (
    id text primary key,
    text text check (text is distinct from 'refused'),
    done boolean not null default false,
    count bigint,
    updated_at timestamptz not null default now()${soft ? ', deleted_at timestamptz' : ''}
  );
  create index on ${name} (updated_at, id);
  create trigger touch before insert or update on ${name} for each row execute function touch();
  alter publication supabase_realtime add table ${name};
`;

/** Starts a project. It takes about two seconds, so share it between the tests of a file. */
export async function startProject(options: SupabasePeerOptions): Promise<Project> {
  const remote = createRemote();
  const { call } = remote;
  const child = fork(join(import.meta.dirname, 'peer-process.ts'), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await remote.take(child);
  const about = (await call('about')()) as Pick<SupabasePeer, 'url' | 'anonKey' | 'serviceKey' | 'databaseUrl'>;
  const proxy = await createTcpProxy({ port: Number(new URL(about.url).port) });
  const url = `http://127.0.0.1:${proxy.port}`;
  return {
    ...about,
    url,
    proxy,
    sockets: call('sockets'),
    sql: call('sql'),
    token: call('token'),
    cutRealtime: call('cutRealtime'),
    killRealtime: call('killRealtime'),
    startRealtime: call('startRealtime'),
    repeatSystemOk: call('repeatSystemOk'),
    delivered: call('delivered'),
    holdSchema: call('holdSchema'),
    reloadSchema: call('reloadSchema'),
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

/** `fetch` without connections that stay open for later: they would look like something left behind. */
export const briefFetch: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), connection: 'close' } });
