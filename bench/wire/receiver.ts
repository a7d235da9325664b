import { createSyncLayer, type RealtimeTransport } from '../../src/index.js';

/** Rows of each backend's table: `row-0` and so on, with a `text`, a `done` and a `count`. */
export const ROWS = 1000;

/** A change of one row, as the server sends it. */
export interface Frame {
  /** Nothing but that. */
  parse(): unknown;
  /** Hands it to whoever listens, as if it had come over the network. */
  arrive(): void;
}

/** An app that listens to a backend. */
export interface Receiver {
  /** `count` is what the app sees of it. */
  frame(count: number): Frame;
  /** Resolves when the app has been told of this count. */
  told(count: number): Promise<void>;
  close(): Promise<unknown>;
}

/** A backend with a SyncLayer app and, where it has an SDK, an app that uses nothing else. */
export interface Stage {
  readonly ours: Receiver;
  readonly bare?: Receiver;
  /** Fewer frames will do. */
  readonly slow?: true;
  close(): Promise<unknown>;
}

/** Which row a count is of. */
export const idOf = (count: number): string => `row-${count % ROWS}`;

/** A WebSocket that notes its frames, and the last one made. */
export function tap(Base: typeof WebSocket = WebSocket) {
  const made: WebSocket[] = [];
  const frames: string[] = [];
  class Tapped extends Base {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      made.push(this);
      this.addEventListener('message', ({ data }) => void frames.push(String(data)));
    }
  }
  return { Tapped, frames, socket: (): WebSocket => made.at(-1) as WebSocket };
}

/** A text frame that comes over a socket. */
export function textFrame(socket: WebSocket, data: string): Frame {
  const event = new MessageEvent('message', { data });
  return { parse: () => JSON.parse(data) as unknown, arrive: () => void socket.dispatchEvent(event) };
}

export function waiter() {
  let wanted: unknown;
  let resolve = (): void => undefined;
  return {
    saw: (count: unknown): void => void (count === wanted && resolve()),
    told: (count: number): Promise<void> =>
      new Promise((done) => {
        wanted = count;
        resolve = done;
      }),
  };
}

/** A SyncLayer with a live query over all rows. */
export async function watched(transport: RealtimeTransport, saw: (count: unknown) => void) {
  const sync = await createSyncLayer({ transport, collections: ['todos'] });
  sync
    .collection<{ count: number }>('todos')
    .orderBy('count', 'desc')
    .limit(50)
    .watch(([row]) => saw(row?.count));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  return sync;
}

/** How often a change is made until it is heard of, in ms. */
const AGAIN = 500;

/** What the server sends of a change: the first of its frames that is such a one. `cause`: makes one. */
export async function template<Sent>(
  frames: readonly Sent[],
  cause: () => unknown,
  is: (frame: Sent) => boolean,
): Promise<Sent> {
  for (let late = 0; ; ) {
    const found = frames.find(is);
    if (found !== undefined) return found;
    // Not every SDK says when it listens.
    if (performance.now() > late) {
      await cause();
      late = performance.now() + AGAIN;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
