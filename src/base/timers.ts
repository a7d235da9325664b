/** The longest setTimeout, in ms, about 24.8 days: a longer one fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Named timers, at most one of each name, so that closing can prove that none is left. */
export function createTimers<Name extends string>() {
  const timers = new Map<Name, ReturnType<typeof setTimeout>>();
  let closed = false;

  function cancel(name: Name): void {
    clearTimeout(timers.get(name));
    timers.delete(name);
  }

  return {
    /** Runs `task` in `delay` ms, however many, instead of what was waiting under this name. */
    schedule(name: Name, delay: number, task: () => void): void {
      cancel(name);
      if (closed) return;
      const run = (): void => {
        timers.delete(name);
        if (delay > LONGEST_TIMER) this.schedule(name, delay - LONGEST_TIMER, task);
        else task();
      };
      timers.set(name, setTimeout(run, Math.min(delay, LONGEST_TIMER)));
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
