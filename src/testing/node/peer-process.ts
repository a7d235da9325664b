import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { SyncLayerError } from '../../base/errors.js';

export interface PeerProcessOptions {
  /** The program: `process.execPath`, `docker`. */
  readonly command: string;
  /** Its arguments. A function gets the port: 0 at the first start (the process chooses one), later the one it said. */
  readonly args?: readonly string[] | ((port: number) => readonly string[]);
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Found in what it prints once it is ready. Its first group is the port: `/listening on \S+:(\d+)/`. */
  readonly ready: RegExp;
  /** How long a start may take, ms. Default 20 000. */
  readonly timeout?: number;
}

/** A backend in a process of its own. */
export interface PeerProcess {
  /** What the first group of `ready` held; 0 without a group. It stays the same over `restart`. */
  readonly port: number;
  /** Undefined while no process runs. */
  readonly pid: number | undefined;
  /** The last 4 000 characters that it printed, stdout and stderr together, for the message of a test that failed. */
  readonly output: string;
  /** Ends the process: as a crash does (SIGKILL, the default), or so that it can clean up (SIGTERM). Resolves when it is gone. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Kills it with SIGKILL if it still runs, and starts it again, on the same port. Resolves when it is ready. */
  restart(): Promise<void>;
  /** After it resolves there is no process, no pipe and no timer left. */
  close(): Promise<void>;
}

/** Enough for an error with its stack, in characters. */
const TAIL = 4000;

/** How long after its end something may come out of its pipes, ms. */
const LAST_WORDS = 500;

interface Running {
  readonly child: ChildProcess;
  readonly gone: Promise<unknown>;
}

/**
 * Starts a backend as a process of its own, to see what clients do when it dies. Node only. Resolves when it is ready.
 *
 * @throws SyncLayerError CONNECT_FAILED when it cannot be started or ends before it is ready, CONNECT_TIMEOUT when it is not
 * ready in time, both with what it printed; UNSUPPORTED where there is no `node:child_process`.
 * @example
 * const server = await createPeerProcess({
 *   command: process.execPath,
 *   args: (port) => ['server.js', '--db', 'data.db', '--port', String(port)],
 *   ready: /listening on port (\d+)/,
 * });
 * const sync = await createSyncLayer({ websocketUrl: `ws://127.0.0.1:${server.port}/ws`, collections: ['todos'] });
 * await server.kill(); // a crash
 * await server.restart(); // the same port, and the same data if it keeps them in a file
 * await server.close();
 */
export async function createPeerProcess(options: PeerProcessOptions): Promise<PeerProcess> {
  // Not an import: bundlers for browsers fail on a `node:` specifier.
  const processes = globalThis.process?.getBuiltinModule?.('node:child_process');
  if (!processes)
    throw new SyncLayerError('UNSUPPORTED', 'createPeerProcess needs Node 22.18 or newer, for its node:child_process.');
  const { command, args = [], env, ready, timeout = 20_000 } = options;
  let port = 0;
  let output = '';
  let running: Running | undefined;

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    running?.child.kill(signal);
    await running?.gone;
  }
  // Whoever ends without a close must not leave it behind.
  const killNow = (): void => void running?.child.kill('SIGKILL');

  async function start(): Promise<void> {
    output = '';
    const child = processes.spawn(command, typeof args === 'function' ? args(port) : args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const pipes: readonly Readable[] = [child.stdout, child.stderr];
    const gone = new Promise<void>((resolve) => {
      const closePipes = (): void => {
        for (const pipe of pipes) pipe.destroy();
      };
      let timer: ReturnType<typeof setTimeout>;
      // What it said last may come after the exit; a grandchild may hold the pipes open for ever.
      child.once('exit', () => {
        timer = setTimeout(closePipes, LAST_WORDS);
      });
      child.once('error', closePipes);
      child.once('close', () => {
        clearTimeout(timer);
        if (running?.child === child) running = undefined;
        resolve();
      });
    });
    running = { child, gone };
    const fault = await new Promise<SyncLayerError | undefined>((resolve) => {
      const failed = (code: 'CONNECT_FAILED' | 'CONNECT_TIMEOUT', what: string): void => {
        const said = output.trim() || 'nothing';
        resolve(new SyncLayerError(code, `The peer process ${what}. Start it by hand to see why. It printed: ${said}`));
      };
      const timer = setTimeout(() => failed('CONNECT_TIMEOUT', `did not print ${ready} within ${timeout} ms`), timeout);
      void gone.then(() => clearTimeout(timer));
      child.once('error', ({ message }) => failed('CONNECT_FAILED', `could not be started (${message})`));
      child.once('close', (code, signal) =>
        failed('CONNECT_FAILED', `ended with ${signal ?? `code ${code}`} too early`),
      );
      let head = '';
      let found = false;
      for (const pipe of pipes) {
        pipe.setEncoding('utf8');
        // Read on after it is ready: a process whose pipe nobody reads would block.
        pipe.on('data', (text: string) => {
          output = (output + text).slice(-TAIL);
          if (found) return;
          head += text;
          // The end of the line must be there, or a number may be cut in two.
          const match = ready.exec(head.slice(0, head.lastIndexOf('\n') + 1));
          if (!match) return;
          found = true;
          port = Number(match[1] ?? port);
          clearTimeout(timer);
          resolve(undefined);
        });
      }
    });
    if (!fault) return;
    await kill();
    throw fault;
  }

  async function close(): Promise<void> {
    process.off('exit', killNow);
    await kill();
  }

  process.on('exit', killNow);
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    get port() {
      return port;
    },
    get pid() {
      return running?.child.pid;
    },
    get output() {
      return output;
    },
    kill,
    async restart() {
      await kill();
      await start();
    },
    close,
  };
}
