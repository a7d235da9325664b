import { asyncIterator } from '../base/async-iterator.js';

/**
 * An async iterable of a value that changes. A consumer that is slower than the changes gets the newest value, never a
 * backlog. Each loop has a subscription of its own, from its first step until it ends: by `break`, `return` or `throw`,
 * or when `closed` aborts, after the value that was waiting.
 *
 * @example
 * for await (const rows of latest((push) => createLiveQuery(source, spec, push), source.closed)) render(rows);
 */
export const latest = <T>(
  subscribe: (push: (value: T) => void) => () => void,
  closed: AbortSignal | undefined,
): AsyncIterable<T, undefined> => ({
  [asyncIterator]() {
    let stop: (() => void) | undefined;
    let done = false;
    let waiting: [T] | undefined;
    const takers: ((result: IteratorResult<T, undefined>) => void)[] = [];
    // Not an async generator: its `return` would wait for the next value, and the subscription with it.
    const settle = () => {
      while (takers.length && (waiting || done)) {
        takers.shift()?.(waiting ? { done: false, value: waiting[0] } : { done: true, value: undefined });
        waiting = undefined;
      }
    };
    const end = () => {
      done = true;
      stop?.();
      closed?.removeEventListener('abort', end);
      settle();
    };
    return {
      next() {
        if (!stop && !done) {
          stop = subscribe((value) => {
            waiting = [value];
            settle();
          });
          closed?.addEventListener('abort', end);
          if (closed?.aborted) end();
        }
        return new Promise((resolve) => {
          takers.push(resolve);
          settle();
        });
      },
      async return() {
        waiting = undefined;
        end();
        return { done: true, value: undefined };
      },
    };
  },
});
