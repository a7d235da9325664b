import { follows, joined } from '../base/abort.js';
import { asyncIterator } from '../base/async-iterator.js';
import { SyncLayerError } from '../base/errors.js';
import { asThrown } from './bug.js';
import { delegate } from './delegate.js';
import type { RealtimeTransport } from './transport.js';
import { within } from './within.js';

/** How long a link may take to be closed, in ms. */
const CLOSE_LIMIT = 10_000;

/**
 * A transport of which every promise settles: with the answer, when its signal aborts, or when nothing has come of the answer for
 * `answerTimeout` ms. Only `TransportHost.alive` is a sign of life: a heartbeat says that the link is up, and not that somebody works
 * at what was asked. The transport's own limits, which know more, are much shorter; this one is for a promise that it forgot.
 */
export function limited(transport: RealtimeTransport, answerTimeout: number): RealtimeTransport {
  /** What is asked for at the moment. */
  const calls = new Set<{ readonly signal: AbortSignal; readonly heard: () => void }>();

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

  const answered = <T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const call = { signal, heard: (): void => undefined };
    const begin = (_: AbortSignal, heard: () => void): Promise<T> => {
      calls.add(Object.assign(call, { heard }));
      return work();
    };
    const ended = (): boolean => calls.delete(call);
    return checked(() => joined([signal], begin, answerTimeout, () => late(what, answerTimeout)).finally(ended));
  };

  const closed = (what: string, work: Promise<void> | undefined): Promise<void> =>
    within(work ?? Promise.resolve(), { ms: CLOSE_LIMIT, late: () => late(what, CLOSE_LIMIT) });

  return delegate(() => transport, {
    attach: (host) =>
      transport.attach?.({
        ...host,
        alive(signal) {
          const own = signal ? [...calls].filter((call) => follows(signal, call.signal)) : [];
          // A signal that is of no call may have been joined by the transport's own means.
          for (const { heard } of own.length > 0 ? own : calls) heard();
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
    pull: (request) => answered('pull()', request.signal, () => transport.pull(request)),
    push: (changes, options) => answered('push()', options.signal, () => transport.push(changes, options)),
    get fetch() {
      const fetch = transport.fetch?.bind(transport);
      return (
        fetch && ((...args: Parameters<typeof fetch>) => answered('fetch()', args[2].signal, () => fetch(...args)))
      );
    },
    get count() {
      const count = transport.count?.bind(transport);
      return (
        count && ((...args: Parameters<typeof count>) => answered('count()', args[1].signal, () => count(...args)))
      );
    },
    get keys() {
      const list = transport.keys?.bind(transport);
      if (!list) return undefined;
      return async function* keys(...args: Parameters<typeof list>) {
        const pages = list(...args)[asyncIterator]();
        try {
          for (;;) {
            const page = await answered('keys()', args[1].signal, () => pages.next());
            if (page.done) return;
            yield page.value;
          }
        } finally {
          // Nobody waits for it: one that hangs would not even end.
          void Promise.resolve(pages.return?.()).catch(() => undefined);
        }
      };
    },
    disconnect: () => closed('disconnect()', transport.disconnect?.()),
    close: () => closed('close()', transport.close()),
  } satisfies Partial<RealtimeTransport>);
}
