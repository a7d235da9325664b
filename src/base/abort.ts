import { LONGEST_TIMER } from './timers.js';

/**
 * What work needs of AbortController beyond `abort()` and `aborted`. React Native up to 0.86 has no reasons, no
 * `throwIfAborted`, no `AbortSignal.any` and no `AbortSignal.timeout` (abort-controller 3), so that nothing that runs in an app
 * may use them: `npm run lint` checks it.
 */
const reasons = new WeakMap<AbortSignal, unknown>();

/**
 * Aborts, with a reason that `reasonOf` gives on every platform.
 *
 * @example
 * abort(controller, new SyncLayerError('CLOSED', 'Reading "todos" was stopped.'));
 */
export function abort(controller: AbortController, reason: unknown): void {
  if (!controller.signal.aborted) reasons.set(controller.signal, reason);
  controller.abort(reason);
}

/** As the platform's own reasons: what failed with one is put into words by whoever knows what it was. */
const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

/** Why a signal was aborted; an AbortError where nobody has said it. */
export const reasonOf = (signal: AbortSignal): unknown =>
  reasons.get(signal) ?? signal.reason ?? named('AbortError', 'It was given up.');

/** Throws the reason of a signal that is aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw reasonOf(signal);
}

/** `work`, or the signal's reason as soon as it aborts: a transport that ignores the signal holds nobody up. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(reasonOf(signal) as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** The signals that a joined one follows. */
const followed = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/** Whether a signal is this one, or was joined from it. */
export const follows = (signal: AbortSignal, one: AbortSignal): boolean =>
  signal === one || (followed.get(signal) ?? []).some((each) => follows(each, one));

/** A controller that aborts as soon as one of these signals does. `release` lets go of them: they may live much longer. */
function join(signals: readonly AbortSignal[]) {
  const controller = new AbortController();
  followed.set(controller.signal, signals);
  const stop = (): void => {
    const first = signals.find(({ aborted }) => aborted);
    if (first) abort(controller, reasonOf(first));
  };
  for (const signal of signals) signal.addEventListener('abort', stop);
  stop();
  return {
    controller,
    release(): void {
      for (const signal of signals) signal.removeEventListener('abort', stop);
    },
  };
}

/** Whether something failed since the limit of `joined` was missed. */
export const isTimeout = (error: unknown): boolean => (error as { name?: unknown } | null)?.name === 'TimeoutError';

/**
 * What `work` resolves with. Its signal aborts as soon as one of `signals` does, and after `ms` milliseconds of silence, if they are
 * given: they begin anew each time that `work` calls `heard`, with `more` on top. The reason is then what `late` returns. What ignores its signal is left
 * behind with the same reason.
 *
 * @example
 * const text = await joined([signal], (signal) => fetch(url, { signal }).then((response) => response.text()), 15_000);
 */
export async function joined<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal, heard: (more?: number) => void) => Promise<T>,
  ms?: number,
  late = (): unknown => named('TimeoutError', `No answer within ${ms} ms.`),
): Promise<T> {
  const { controller, release } = join(signals);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const heard = (more = 0): void => {
    clearTimeout(timer);
    if (ms !== undefined && !ended)
      timer = setTimeout(() => abort(controller, late()), Math.min(ms + more, LONGEST_TIMER));
  };
  heard();
  try {
    return await abortable(work(controller.signal, heard), controller.signal);
  } finally {
    ended = true;
    clearTimeout(timer);
    release();
  }
}

/**
 * The life of a transport: whatever it does ends when it is closed.
 *
 * @example
 * const life = createLifetime();
 * const transport = {
 *   pull: (request) => life.during(request.signal, (signal) => read({ ...request, signal })),
 *   close: async () => life.end(),
 * };
 */
export function createLifetime() {
  const controller = new AbortController();
  const { signal } = controller;
  return {
    signal,
    get over(): boolean {
      return signal.aborted;
    },
    during: <T>(other: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
      joined([other, signal], work),
    /** The same for what comes in pages. */
    async *each<T>(other: AbortSignal, pages: (signal: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
      const both = join([other, signal]);
      try {
        yield* pages(both.controller.signal);
      } finally {
        both.release();
      }
    },
    end: (): void => controller.abort(),
  };
}
