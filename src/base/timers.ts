/** Named timers, at most one of each name, so that closing can prove that none is left. */
export function createTimers<Name extends string>() {
  const timers = new Map<Name, ReturnType<typeof setTimeout>>();
  let closed = false;

  function cancel(name: Name): void {
    clearTimeout(timers.get(name));
    timers.delete(name);
  }

  return {
    /** Runs `task` in `delay` ms, instead of what was waiting under this name. */
    schedule(name: Name, delay: number, task: () => void): void {
      cancel(name);
      if (closed) return;
      const run = (): void => {
        timers.delete(name);
        task();
      };
      timers.set(name, setTimeout(run, delay));
    },
    cancel,
    has: (name: Name): boolean => timers.has(name),
    close(): void {
      closed = true;
      for (const name of [...timers.keys()]) cancel(name);
    },
  };
}

export type Timers<Name extends string> = Pick<ReturnType<typeof createTimers<Name>>, 'schedule' | 'cancel' | 'has'>;
