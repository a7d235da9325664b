import type { SyncLayerError } from '../../src/adapter-kit/kit.js';
import { problem } from './errors.js';

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: SyncLayerError) => void;
  readonly size: number;
  readonly since: number;
  readonly signal: AbortSignal;
}

const givenUp = (): SyncLayerError => problem('CLOSED', 'The request was given up.');

/**
 * Answers that are awaited, each by the id that it will name. One is given up when it has not come for `timeout` ms and
 * no other has come meanwhile: a busy server answers a long queue one by one, and is not silent. `alive` is called with the signal of
 * each that is answered: a call may wait for many.
 */
export function createRequests<Answer>(what: string, timeout: number, alive?: (signal: AbortSignal) => void) {
  const waiting = new Map<string, Waiting<Answer>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let heardAt = 0;

  /** How long this one still has, in ms. */
  const left = ({ since }: Waiting<Answer>): number => Math.max(since, heardAt) + timeout - performance.now();

  function watch(): void {
    clearTimeout(timer);
    // The first in the map is the oldest.
    const [oldest] = waiting.values();
    if (oldest) timer = setTimeout(expire, Math.max(0, left(oldest)));
  }

  function expire(): void {
    const error = problem('CONNECTION_LOST', `The server has not answered ${what} for ${timeout} ms.`);
    for (const waiter of [...waiting.values()]) if (left(waiter) < 1) waiter.reject(error);
    watch();
  }

  return {
    /** The answer to the frame of `size` bytes that is about to be sent. */
    expect(id: string, signal: AbortSignal, size = 0): Promise<Answer> {
      return new Promise((resolve, reject) => {
        // Before it takes the place of another: a push that was given up may be sent again under the same id by now.
        if (signal.aborted) {
          reject(givenUp());
          return;
        }
        waiting.get(id)?.reject(givenUp());
        const settle = (action: () => void): void => {
          signal.removeEventListener('abort', onAbort);
          waiting.delete(id);
          watch();
          action();
        };
        const onAbort = (): void => settle(() => reject(givenUp()));
        waiting.set(id, {
          resolve: (answer) => settle(() => resolve(answer)),
          reject: (error) => settle(() => reject(error)),
          size,
          since: performance.now(),
          signal,
        });
        signal.addEventListener('abort', onAbort);
        if (waiting.size === 1) watch();
      });
    },
    /** False if nobody waits for it. */
    settle(id: string | undefined, answer: Answer): boolean {
      const waiter = id === undefined ? undefined : waiting.get(id);
      if (!waiter) return false;
      heardAt = performance.now();
      alive?.(waiter.signal);
      waiter.resolve(answer);
      return true;
    },
    /** Gives all of them up. */
    fail(error: SyncLayerError): void {
      for (const { reject } of [...waiting.values()]) reject(error);
    },
    /** The largest frame whose answer is awaited, in bytes. */
    largest: (): number => Math.max(0, ...[...waiting.values()].map(({ size }) => size)),
  };
}
