import { follows, join } from '../base/abort.js';
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
  const calls = new Set<{ readonly signal: AbortSignal; alive: boolean }>();

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

  /** `end` gives up what is still under way. */
  function begin(what: string, given: AbortSignal) {
    const { controller, release } = join([given]);
    const { signal } = controller;
    const call = { signal, alive: false };
    calls.add(call);
    const heard = (): boolean => {
      const { alive } = call;
      call.alive = false;
      return alive;
    };
    const limit = { ms: answerTimeout, late: () => late(what, answerTimeout), signal, heard };
    return {
      signal,
      answer: <T>(work: () => Promise<T>): Promise<T> => checked(() => within(work(), limit)),
      end(): void {
        calls.delete(call);
        release();
        controller.abort();
      },
    };
  }

  async function answered<T>(what: string, given: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, answer, end } = begin(what, given);
    try {
      return await answer(() => work(signal));
    } finally {
      end();
    }
  }

  const closed = (what: string, work: Promise<void> | undefined): Promise<void> =>
    within(work ?? Promise.resolve(), { ms: CLOSE_LIMIT, late: () => late(what, CLOSE_LIMIT) });

  return delegate(() => transport, {
    attach: (host) =>
      transport.attach?.({
        ...host,
        alive(signal) {
          const own = signal ? [...calls].filter((call) => follows(signal, call.signal)) : [];
          // A signal that is of no call may have been joined by the transport's own means.
          for (const call of own.length > 0 ? own : calls) call.alive = true;
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
    pull: (request) => answered('pull()', request.signal, (signal) => transport.pull({ ...request, signal })),
    push: (changes, options) => answered('push()', options.signal, (signal) => transport.push(changes, { signal })),
    get fetch() {
      if (!transport.fetch) return undefined;
      return (collection: string, ids: readonly string[], options: { readonly signal: AbortSignal }) =>
        answered(
          'fetch()',
          options.signal,
          async (signal) => transport.fetch?.(collection, ids, { ...options, signal }) ?? [],
        );
    },
    get keys() {
      if (!transport.keys) return undefined;
      return async function* keys(...[collection, options]: Parameters<NonNullable<RealtimeTransport['keys']>>) {
        const { signal, answer, end } = begin('keys()', options.signal);
        const pages = transport.keys?.(collection, { ...options, signal })[asyncIterator]();
        try {
          for (;;) {
            const page = await answer(async () => pages?.next());
            if (!page || page.done) return;
            yield page.value;
          }
        } finally {
          end();
          // Nobody waits for it: one that hangs would not even end.
          void Promise.resolve(pages?.return?.()).catch(() => undefined);
        }
      };
    },
    disconnect: () => closed('disconnect()', transport.disconnect?.()),
    close: () => closed('close()', transport.close()),
  } satisfies Partial<RealtimeTransport>);
}
