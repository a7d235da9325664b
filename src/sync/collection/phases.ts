/** How far a collection is: `live` means that all is here and new changes come by themselves. */
export type SessionPhase = 'idle' | 'subscribing' | 'catching-up' | 'live' | 'failed';

/** The phase of a collection. `changed` is called with each that is another one. */
export function createPhases(changed: (phase: SessionPhase) => void) {
  let current: SessionPhase = 'idle';
  let resting: Exclude<SessionPhase, 'catching-up'> = 'idle';

  function set(next: SessionPhase): void {
    if (current === next) return;
    current = next;
    changed(next);
  }

  return {
    get current(): SessionPhase {
      return current;
    },
    /** The phase outside of a catch-up: a pull alone makes nothing live, only the backend's word does. */
    get resting(): typeof resting {
      return resting;
    },
    set,
    /** The backend's word: it is live once the catch-up is done that this begins. */
    becomesLive(): void {
      resting = 'live';
    },
    rest(next: typeof resting): void {
      resting = next;
      set(next);
    },
  };
}

export type Phases = ReturnType<typeof createPhases>;
