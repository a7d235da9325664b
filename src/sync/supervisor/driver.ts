import type { Effect, Event, Rules, State, Step } from './machine.js';

export interface DriverOptions {
  readonly initial: State;
  readonly step: (state: State, event: Event, rules: Rules) => Step;
  readonly rules: () => Rules;
  /** Runs an effect. `before` is the state that the event met. */
  readonly perform: (effect: Effect, before: State, event: Event) => void;
  /** After each event and its effects. */
  readonly done: (before: State) => void;
}

/**
 * Holds the state, and runs the effects of one event to the end before it takes the next: an app's listener that calls `pause()`
 * while it hears of a connection finds that connection complete.
 */
export function createDriver({ initial, step, rules, perform, done }: DriverOptions) {
  let state = initial;
  const queue: Event[] = [];

  return {
    get state(): State {
      return state;
    },
    dispatch(event: Event): void {
      if (queue.push(event) > 1) return;
      try {
        for (const next of queue) {
          const before = state;
          const { state: after, effects } = step(before, next, rules());
          state = after;
          for (const effect of effects) perform(effect, before, next);
          done(before);
        }
      } finally {
        queue.length = 0;
      }
    },
  };
}
