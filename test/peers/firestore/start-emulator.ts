import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { findEmulator, whyNoEmulator } from './find-emulator.js';
import { createHand, type Document, type Hand } from './hand.js';

/** Google's emulator on 127.0.0.1, as a process of its own. Projects need not be made: each name is an empty one. */
export interface Emulator {
  readonly host: string;
  readonly port: number;
  /** The Java process; undefined while none runs. */
  readonly pid: number | undefined;
  /** A second hand on the data of a project, with every right. */
  project(projectId: string): Hand;
  /** Ends it as a crash does. It keeps everything in memory, so all projects are empty afterwards. */
  kill(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Kills and starts it with the data and the rules of this project, which a real server would not lose. */
  restart(projectId: string): Promise<void>;
  /** After it resolves no process is left. */
  close(): Promise<void>;
}

/** Said by this very process. An older emulator on a taken port would answer a request. */
const READY = 'Dev App Server is now running';

/** The emulator says "port 0" of a port that it chose itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port was found.');
  return address.port;
}

/** Resolves once it is ready; rejects with its last words if it ends before. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk: unknown): void => {
      said = (said + String(chunk)).slice(-4000);
      if (said.includes(READY)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The emulator ended with ${code} before it was ready:\n${said}`)));
  });
}

/**
 * Starts an emulator, in about three seconds; share it, and give each test a project of its own. It lives as long as this
 * process at most: a guard kills it even after a SIGKILL.
 *
 * @throws an Error that says what to install, where there is no emulator.
 *
 * @example
 * const emulator = await startEmulator();
 * await emulator.project('one').write('todos/a', { text: 'Milk' });
 * await emulator.close();
 */
export async function startEmulator(): Promise<Emulator> {
  const missing = whyNoEmulator();
  if (missing !== undefined) throw new Error(`The Firestore emulator cannot be started: ${missing}.`);
  const host = '127.0.0.1';
  const port = await freePort();
  const guard = spawn(process.execPath, [fileURLToPath(new URL('guard.ts', import.meta.url))], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  const tell = (pid: number): void => void guard.stdin.write(`${pid}\n`);
  let running: { readonly child: ChildProcess; readonly gone: Promise<unknown> } | undefined;

  async function start(): Promise<void> {
    const jar = findEmulator() ?? '';
    const main = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
    // 20 000 documents want more than Java's default on a small machine.
    const java = ['-Xmx1g', '-Duser.language=en', '-cp', jar, main, '--host', host, '--port', String(port)];
    const child = spawn('java', java, { stdio: ['ignore', 'pipe', 'pipe'] });
    tell(child.pid ?? 0);
    const gone = once(child, 'close');
    running = { child, gone };
    await ready(child);
  }

  async function kill(): Promise<void> {
    const was = running;
    running = undefined;
    was?.child.kill('SIGKILL');
    await was?.gone;
    tell(0);
  }

  const project = (projectId: string): Hand => createHand(`http://${host}:${port}`, projectId);

  async function close(): Promise<void> {
    await kill();
    const ended = once(guard, 'close');
    guard.ref();
    guard.stdin.end();
    await ended;
  }

  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    port,
    get pid() {
      return running?.child.pid;
    },
    project,
    kill,
    start,
    async restart(projectId) {
      const hand = project(projectId);
      const kept: Document[] = await hand.all();
      await kill();
      await start();
      await hand.restore(kept);
    },
    close,
  };
}
