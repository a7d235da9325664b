import type { ChildProcess } from 'node:child_process';

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** A peer in a process of its own: its methods are called by messages, and each is answered under the id of its call. */
export function createRemote() {
  const waiting = new Map<number, Waiting>();
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  let last = 0;

  const expect = <Result>(id: number): Promise<Result> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });

  return {
    /** Takes a process that was just started. Resolves with what it says first, under the id 0: that it serves. */
    take<Result>(started: ChildProcess): Promise<Result> {
      child = started;
      const ready = expect<Result>(0);
      // Not once() of node:events, which fails with an `error` that comes first.
      gone = new Promise((resolve) => {
        started.once('exit', () => {
          if (child === started) child = undefined;
          for (const { reject } of waiting.values()) reject(new Error('The peer has ended.'));
          waiting.clear();
          resolve();
        });
      });
      started.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
        const call = waiting.get(id);
        waiting.delete(id);
        if (error === undefined) call?.resolve(result as never);
        else call?.reject(new Error(error));
      });
      return ready;
    },

    call:
      (method: string) =>
      (...args: readonly unknown[]): Promise<never> => {
        if (!child) return Promise.reject(new Error('The peer does not run.'));
        last += 1;
        const id = last;
        const answer = expect<never>(id);
        // While it is being killed nothing can be sent.
        child.send({ id, method, args }, (error) => {
          if (error) waiting.get(id)?.reject(error);
        });
        return answer;
      },

    /** At once, for when our own process ends. */
    cut: (): void => void child?.kill('SIGKILL'),

    /** Ends the process as a crash does. Resolves when it is gone. */
    async kill(): Promise<void> {
      child?.kill('SIGKILL');
      await gone;
    },

    /** Lets it end by itself, once it has closed all. Resolves when it is gone. */
    async leave(): Promise<void> {
      child?.disconnect();
      await gone;
    },
  };
}
