import fc from 'fast-check';

/** What becomes of the live events of a client. */
export const delivery = ['whole', 'lost', 'twice', 'late', 'reordered', 'partial'] as const;
export type Delivery = (typeof delivery)[number];

/** A record: `own` is one that only this client edits. */
export type Which = 'a' | 'b' | 'c' | 'own';

export type Step =
  | { readonly do: 'save'; readonly who: number; readonly which: Which; readonly text: string; readonly done: boolean }
  | { readonly do: 'update'; readonly who: number; readonly which: Which; readonly text: string }
  | { readonly do: 'delete'; readonly who: number; readonly which: Which }
  | { readonly do: 'write elsewhere'; readonly which: Which; readonly text: string }
  | { readonly do: 'delete elsewhere'; readonly which: Which }
  /** One more, of a counter that all share. */
  | { readonly do: 'count'; readonly who: number }
  | { readonly do: 'time'; readonly ms: number }
  | { readonly do: 'end' | 'gap' | 'live' | 'pause' | 'resume' | 'restart'; readonly who: number }
  /** The disk takes nothing more for so long, then the app is started again. */
  | { readonly do: 'crash'; readonly who: number; readonly ms: number }
  | { readonly do: 'deliver'; readonly who: number; readonly how: Delivery }
  | { readonly do: 'lose answers'; readonly who: number; readonly on: boolean }
  | { readonly do: 'break'; readonly who: number; readonly what: Breakable; readonly times: number }
  | { readonly do: 'cut' | 'restart backend' }
  | { readonly do: 'hang'; readonly on: boolean }
  /** One of several ways to the backend is closed, or opened. */
  | { readonly do: 'door'; readonly door: number; readonly open: boolean }
  | {
      readonly do: 'cut after';
      readonly amount: number | { readonly frames: number };
      readonly direction: 'up' | 'down';
      readonly reset: boolean;
    };

export type Breakable = 'connect' | 'pull' | 'push' | 'fetch' | 'keys';

/** All that a run depends on. It is JSON, so that it can be handed to a page. */
export interface Plan {
  readonly clients: number;
  readonly conflictStrategy: 'lastWriteWins' | 'serverWins' | 'clientWins';
  readonly bufferLimit: number;
  /** What becomes of each client's live events at first. */
  readonly delivery: readonly Delivery[];
  readonly pageSize: number;
  /** What decides in the run where a platform would throw dice: how long to wait before the next attempt. */
  readonly dice: number;
  readonly steps: readonly Step[];
}

export interface PlanOptions {
  readonly minSteps?: number;
  readonly maxSteps: number;
  /** How long nothing is done between two steps, ms. */
  readonly pauses: readonly number[];
  /** Nothing but increments of the counter, and trouble that may not cost one. */
  readonly counting?: true;
  /** How many ways there are to the backend, which are closed and opened. Default: one, which is not. */
  readonly doors?: number;
}

const CLIENTS = 3;
const who = fc.nat({ max: CLIENTS - 1 });
const which = fc.constantFrom<Which>('a', 'b', 'c', 'own');
// Few, so that the same row is made twice now and then.
const text = fc.constantFrom('x', 'y', 'z');
const on = fc.boolean();

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> };

function step<D extends Step['do']>(
  weight: number,
  what: readonly D[],
  rest: { [K in Exclude<keyof (Step & { do: D }), 'do'>]: fc.Arbitrary<(Step & { do: D })[K]> },
): Weighted {
  return { weight, arbitrary: fc.record({ do: fc.constantFrom(...what), ...rest }) as unknown as fc.Arbitrary<Step> };
}

const edits = [
  step(8, ['save'], { who, which, text, done: on }),
  step(10, ['update'], { who, which, text }),
  step(4, ['delete'], { who, which }),
  step(3, ['write elsewhere'], { which, text }),
  step(1, ['delete elsewhere'], { which }),
  step(1, ['crash'], { who, ms: fc.constantFrom(0, 5, 50) }),
];

const trouble = [
  step(2, ['end', 'gap', 'live'], { who }),
  step(3, ['deliver'], { who, how: fc.constantFrom(...delivery) }),
  step(2, ['lose answers'], { who, on }),
  step(3, ['break'], {
    who,
    what: fc.constantFrom('connect', 'pull', 'push', 'fetch', 'keys'),
    times: fc.integer({ min: 1, max: 4 }),
  }),
  step(1, ['pause'], { who }),
  step(2, ['resume'], { who }),
  step(1, ['restart'], { who }),
  step(1, ['cut'], {}),
  step(1, ['restart backend'], {}),
  step(1, ['hang'], { on }),
  step(2, ['cut after'], {
    amount: fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.record({ frames: fc.integer({ min: 1, max: 6 }) })),
    direction: fc.constantFrom('up', 'down'),
    reset: on,
  }),
];

/** A random plan. Shrinking takes steps out of it. */
export function plans({ minSteps = 10, maxSteps, pauses, counting, doors = 0 }: PlanOptions): fc.Arbitrary<Plan> {
  const time = step(8, ['time'], { ms: fc.constantFrom(...pauses) });
  const ways = doors > 0 ? [step(5, ['door'], { door: fc.nat({ max: doors - 1 }), open: on })] : [];
  const work = counting ? [step(20, ['count'], { who })] : edits;
  const steps = [...work, time, ...trouble, ...ways];
  return fc.record({
    clients: fc.constant(CLIENTS),
    conflictStrategy: fc.constantFrom('lastWriteWins', 'serverWins', 'clientWins'),
    bufferLimit: fc.constantFrom(10_000, 1, 3),
    delivery: fc.array(fc.constantFrom(...delivery), { minLength: CLIENTS, maxLength: CLIENTS }),
    pageSize: fc.constantFrom(500, 1, 2),
    dice: fc.nat(),
    steps: fc.array(fc.oneof(...steps), { minLength: minSteps, maxLength: maxSteps, size: 'max' }),
  });
}
