import { asyncIterator } from '../base/async-iterator.js';
import { SyncLayerError } from '../base/errors.js';
import { asThrown } from './bug.js';
import { delegate } from './delegate.js';
import type { RealtimeTransport } from './transport.js';
import { within } from './within.js';

/** How long a link may take to be closed, in ms. */
const CLOSE_LIMIT = 10_000;

/**
 * A transport of which every promise settles: with the answer, when its signal aborts, or when the transport has said nothing for
 * `answerTimeout` ms. What arrives (`TransportHost.traffic`, `alive`) is a sign of life, whatever it belongs to. Its own limits, which know more,
 * are much shorter; this one is for a promise that it forgot.
 */
export function limited(transport: RealtimeTransport, answerTimeout: number): RealtimeTransport {
  let signs = 0;

  function late(what: string, ms: number): SyncLayerError {
    const message = `${transport.name}.${what} did not answer within ${ms} ms; it is tried again.`;
    return new SyncLayerError('CONNECTION_LOST', message, { adapter: transport.name });
  }

  async function checked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asThrown(transport.name, error);
    }
  }

  function answered<T>(what: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    let seen = signs;
    const heard = (): boolean => {
      const before = seen;
      seen = signs;
      return seen > before;
    };
    const limit = { ms: answerTimeout, late: () => late(what, answerTimeout), signal, heard };
    return checked(() => within(work(), limit));
  }

  const closed = (what: string, work: Promise<void> | undefined): Promise<void> =>
    within(work ?? Promise.resolve(), { ms: CLOSE_LIMIT, late: () => late(what, CLOSE_LIMIT) });

  return delegate(() => transport, {
    attach: (host) =>
      transport.attach?.({
        ...host,
        traffic(direction, size) {
          if (direction === 'in') signs += 1;
          host.traffic(direction, size);
        },
        alive() {
          signs += 1;
        },
      }),
    connect: (options) => checked(() => transport.connect(options)),
    subscribe(request, sink) {
      try {
        return transport.subscribe(request, sink);
      } catch (error) {
        throw asThrown(transport.name, error);
      }
    },
    pull: (request) => answered('pull()', () => transport.pull(request), request.signal),
    push: (changes, options) => answered('push()', () => transport.push(changes, options), options.signal),
    get fetch() {
      if (!transport.fetch) return undefined;
      return (...args: Parameters<NonNullable<RealtimeTransport['fetch']>>) =>
        answered('fetch()', async () => transport.fetch?.(...args) ?? [], args[2].signal);
    },
    get keys() {
      if (!transport.keys) return undefined;
      return async function* keys(...args: Parameters<NonNullable<RealtimeTransport['keys']>>) {
        const pages = transport.keys?.(...args)[asyncIterator]();
        const { signal } = args[1];
        try {
          for (;;) {
            const page = await answered('keys()', async () => pages?.next(), signal);
            if (!page || page.done) return;
            yield page.value;
          }
        } finally {
          // Nobody waits for it: one that hangs would not even end.
          void Promise.resolve(pages?.return?.()).catch(() => undefined);
        }
      };
    },
    disconnect: () => closed('disconnect()', transport.disconnect?.()),
    close: () => closed('close()', transport.close()),
  } satisfies Partial<RealtimeTransport>);
}
