import type { AddressInfo, Server, Socket } from 'node:net';
import { SyncLayerError } from '../base/errors.js';
import { createFrameScanner } from './ws-frames.js';

/** `up`: from the client to the server. */
export type TcpDirection = 'up' | 'down';

/** What a proxy does to the bytes that pass. Times in ms, sizes in bytes. */
export interface TcpConditions {
  /** How long each byte is on its way. Default 0. */
  readonly delay: number;
  /** Bytes a second, each way and connection. Default: no limit. */
  readonly bytesPerSecond: number;
  /**
   * A network that has died without a word: connections stay open and new ones are taken, but nothing passes, not even
   * the end of a connection. Once it is false again all that waited goes on, as with TCP. Default false.
   */
  readonly blackHole: boolean;
}

export interface TcpProxyOptions extends Partial<TcpConditions> {
  /** Where the real server listens. */
  readonly port: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
}

/** A TCP proxy on 127.0.0.1 that breaks connections on command. */
export interface TcpProxy {
  /** Where clients connect to. It stays the same over `refuse` and `accept`. */
  readonly port: number;
  /** Open connections of clients. */
  readonly connections: number;
  /** Connections taken since the start. */
  readonly accepted: number;
  /** Bytes passed since the start. */
  readonly bytes: Readonly<Record<TcpDirection, number>>;
  /** Changes the conditions of all connections, present and future; what is not named stays. */
  set(conditions: Partial<TcpConditions>): void;
  /** Another server, for connections to come. */
  retarget(port: number): void;
  /** Ends every connection: with FIN, as a process that exits does, or with RST (`reset`), as a crash or a firewall does. */
  cut(options?: { readonly reset?: boolean }): void;
  /**
   * Ends one connection after so many more bytes in one direction, in the middle of a message if it falls out so; or after
   * so many more whole WebSocket frames (`{ frames: 3 }`; pings and the like count, the HTTP upgrade does not). With several
   * connections they are counted together. Resolves when it has happened. Default direction: `up`.
   */
  cutAfter(
    amount: number | { readonly frames: number },
    options?: { readonly direction?: TcpDirection; readonly reset?: boolean },
  ): Promise<void>;
  /** From now on nobody listens: new connections are refused. Those that are open stay. */
  refuse(): Promise<void>;
  /** Listens again, after `refuse`. */
  accept(): Promise<void>;
  /** Ends everything. After it resolves no socket and no timer is left. */
  close(): Promise<void>;
}

/** Read ahead of a slow side, in bytes. */
const MAX_QUEUED = 1_048_576;

interface Budget {
  readonly direction: TcpDirection;
  readonly unit: 'bytes' | 'frames';
  readonly reset: boolean;
  readonly done: () => void;
  left: number;
}

/** One direction of a connection. */
interface Pipe {
  /** Looks again whether something may pass. */
  flow(): void;
  stop(): void;
}

/** A client's connection and its counterpart to the server. */
interface Pair {
  flow(): void;
  end(reset: boolean): void;
  readonly gone: Promise<unknown>;
}

/**
 * Starts a proxy in front of a server, to see what a client does when the network fails. Node only.
 *
 * @throws SyncLayerError UNSUPPORTED where there is no `node:net`.
 * @example
 * const proxy = await createTcpProxy({ port: 8080 });
 * const sync = await createSyncLayer({ websocketUrl: `ws://127.0.0.1:${proxy.port}/ws`, collections: ['todos'] });
 * proxy.cut({ reset: true }); // every connection breaks
 * proxy.set({ blackHole: true }); // half-open: no data, no error
 * await proxy.close();
 */
export async function createTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  // Not an import: bundlers for browsers fail on a `node:` specifier.
  const net = globalThis.process?.getBuiltinModule?.('node:net');
  if (!net) throw new SyncLayerError('UNSUPPORTED', 'createTcpProxy needs Node 22.18 or newer, for its node:net.');
  const { host = '127.0.0.1', delay = 0, bytesPerSecond = Number.POSITIVE_INFINITY, blackHole = false } = options;
  let conditions: TcpConditions = { delay, bytesPerSecond, blackHole };
  let target = options.port;
  let accepted = 0;
  const bytes = { up: 0, down: 0 };
  const budgets = new Set<Budget>();
  const pairs = new Set<Pair>();

  /** How many of these bytes may pass, and whether a `cutAfter` cut then. `ends`: where in them WebSocket frames end. */
  function spend(
    direction: TcpDirection,
    length: number,
    ends: readonly number[],
  ): { readonly pass: number; readonly cut?: Budget } {
    const mine = [...budgets].filter((budget) => budget.direction === direction);
    /** At which byte a budget is used up. */
    const reach = ({ unit, left }: Budget): number =>
      unit === 'bytes' ? left : (ends[left - 1] ?? Number.POSITIVE_INFINITY);
    const next = mine.sort((a, b) => reach(a) - reach(b))[0];
    const pass = Math.min(length, next ? reach(next) : length);
    const cut = next && reach(next) === pass ? next : undefined;
    const frames = ends.filter((end) => end <= pass).length;
    for (const budget of mine) budget.left -= budget.unit === 'bytes' ? pass : frames;
    bytes[direction] += pass;
    if (!cut) return { pass };
    budgets.delete(cut);
    return { pass, cut };
  }

  function createPipe(from: Socket, to: Socket, direction: TcpDirection, end: (reset: boolean) => void): Pipe {
    const queue: { readonly chunk: Buffer; readonly due: number; readonly ends: readonly number[] }[] = [];
    const scan = createFrameScanner();
    let queued = 0;
    let ended = false;
    let freeAt = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function flow(): void {
      clearTimeout(timer);
      for (let next = queue[0]; next; next = queue[0]) {
        if (conditions.blackHole || to.destroyed || to.writableNeedDrain) return;
        const wait = Math.max(next.due, freeAt) - performance.now();
        if (wait > 0) {
          timer = setTimeout(flow, Math.ceil(wait));
          return;
        }
        queue.shift();
        const { chunk, due, ends } = next;
        // A slow line carries many small pieces, not a large one after a long wait.
        const most = Math.min(chunk.length, Math.ceil(conditions.bytesPerSecond / 50));
        const { pass, cut } = spend(direction, most, ends);
        if (pass < chunk.length) {
          const later = ends.filter((end) => end > pass).map((end) => end - pass);
          queue.unshift({ chunk: chunk.subarray(pass), due, ends: later });
        }
        queued -= pass;
        freeAt = performance.now() + (1000 * pass) / conditions.bytesPerSecond;
        if (!cut) to.write(chunk.subarray(0, pass));
        else {
          to.write(chunk.subarray(0, pass), () => {
            end(cut.reset);
            cut.done();
          });
          // Nothing more may pass until then.
          queue.length = 0;
          from.pause();
          return;
        }
      }
      if (conditions.blackHole) return;
      if (ended) to.end();
      else if (from.isPaused()) from.resume();
    }

    from.on('data', (chunk: Buffer) => {
      queue.push({ chunk, due: performance.now() + conditions.delay, ends: scan(chunk) });
      queued += chunk.length;
      if (queued >= MAX_QUEUED) from.pause();
      flow();
    });
    from.on('end', () => {
      ended = true;
      flow();
    });
    to.on('drain', flow);
    return { flow, stop: () => clearTimeout(timer) };
  }

  function onClient(client: Socket): void {
    accepted += 1;
    const server = new net.Socket({ allowHalfOpen: true });
    const sockets = [client, server];
    let over = false;
    const end = (reset: boolean): void => {
      if (over) return;
      over = true;
      up.stop();
      down.stop();
      for (const socket of sockets) {
        // One that is being ended cannot be reset: libuv refuses (EINVAL), and the socket would stay for ever.
        if (reset && !socket.writableEnded) socket.resetAndDestroy();
        else socket.destroy();
      }
    };
    const up = createPipe(client, server, 'up', end);
    const down = createPipe(server, client, 'down', end);
    const flow = (): void => {
      if (conditions.blackHole) return;
      // Even the start of a connection is lost in a black hole.
      if (server.pending && !server.connecting && !server.destroyed) server.connect({ port: target, host });
      if (sockets.some(({ destroyed }) => destroyed)) end(true);
      up.flow();
      down.flow();
    };
    for (const socket of sockets) {
      socket.setNoDelay(true);
      // A close follows.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (socket.errored) flow();
      });
    }
    const gone = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    const pair: Pair = { flow, end, gone };
    pairs.add(pair);
    void gone.then(() => pairs.delete(pair));
    flow();
  }

  let listener: Server | undefined;
  let port = 0;
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const starting = net.createServer({ allowHalfOpen: true }, onClient);
      starting.once('error', reject);
      starting.listen(port, '127.0.0.1', () => {
        listener = starting;
        ({ port } = starting.address() as AddressInfo);
        resolve();
      });
    });
  const refuse = async (): Promise<void> => {
    // Its callback would wait for all connections; the port is closed in the next turn.
    listener?.close();
    listener = undefined;
    await new Promise((resolve) => setImmediate(resolve));
  };
  const cut: TcpProxy['cut'] = ({ reset = false } = {}) => {
    for (const { end } of [...pairs]) end(reset);
  };
  await listen();

  return {
    get port() {
      return port;
    },
    get connections() {
      return pairs.size;
    },
    get accepted() {
      return accepted;
    },
    bytes,
    set(changes) {
      conditions = { ...conditions, ...changes };
      for (const { flow } of [...pairs]) flow();
    },
    retarget(next) {
      target = next;
    },
    cut,
    cutAfter: (amount, { direction = 'up', reset = false } = {}) =>
      new Promise((done) => {
        const [unit, count] =
          typeof amount === 'number' ? (['bytes', amount] as const) : (['frames', amount.frames] as const);
        budgets.add({ direction, unit, reset, left: Math.max(1, count), done });
      }),
    refuse,
    async accept() {
      if (!listener) await listen();
    },
    async close() {
      await refuse();
      cut();
      await Promise.all([...pairs].map(({ gone }) => gone));
    },
  };
}
