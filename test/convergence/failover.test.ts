import fc from 'fast-check';
import { failoverTransport } from '../../src/compose/index.js';
import { type MemoryWire, memoryTransport } from '../../src/testing/index.js';
import type { RealtimeTransport } from '../../src/transport/transport.js';
import { memoryConformance } from '../conformance/transports/memory-conformance.js';
import { convergence } from './converge.js';
import { fakeTime, type Kind, kinds } from './fake-time.js';
import { lost } from './faulty-client.js';
import { type Plan, plans } from './plan.js';
import { type Backend, run, type Tally } from './run.js';

/*
 * Two doors go up and down, in front of the same data.
 */

const file = 'test/convergence/failover.test.ts';
const { surroundings, play } = fakeTime();

const DOORS = 2;
interface TwoDoors extends Backend {
  transport(door: number): RealtimeTransport;
}

function twoDoors(kind: Kind): TwoDoors {
  const closed = new Set<number>();
  const wires = new Map<number, Set<MemoryWire>>();
  let next = 0;
  const backend = memoryConformance(kind, (transport, wire) => {
    const door = next;
    wires.set(door, (wires.get(door) ?? new Set()).add(wire));
    const { before } = wire;
    wire.before = (step, detail) => {
      if (closed.has(door) && step !== 'subscribe') throw lost(`The door ${door}`);
      return before(step, detail);
    };
    return transport;
  });
  return {
    ...backend,
    transport(door) {
      next = door;
      return backend.transport();
    },
    async door(door, open) {
      if (open) closed.delete(door);
      else closed.add(door);
      if (!open) for (const wire of wires.get(door) ?? []) wire.cut(lost(`The door ${door}`));
    },
  };
}

/** With a `source` both are one backend. Left out, a switch is a change of the backend, though the rows are the same. */
const runWith =
  (source: string | undefined) =>
  ([kind, plan]: readonly [Kind, Plan]): Promise<Tally> => {
    const target = {
      name: 'failover',
      doors: DOORS,
      capabilities: memoryTransport(kind).capabilities,
      backend: async () => twoDoors(kind),
      create: (backend: TwoDoors) =>
        failoverTransport(
          ['A', 'B'].map((name, door) => Object.assign(backend.transport(door), { source: name })),
          { ...(source !== undefined && { source }), connectTimeout: 500, failAfter: 200, dwell: 100 },
        ),
    };
    return play(plan, () => run(target, plan, surroundings));
  };

const pauses = [0, 0, 5, 50, 500];

convergence({
  name: 'through doors that open and close, all clients hold in the end what the backend holds',
  file,
  plans: fc.tuple(kinds, plans({ maxSteps: 60, pauses, doors: DOORS })),
  runs: 30,
  run: runWith('one'),
  shrink: true,
});

convergence({
  name: 'between replicas that hold the same, all clients hold it in the end',
  file,
  plans: fc.tuple(kinds, plans({ maxSteps: 60, pauses, doors: DOORS })),
  runs: 30,
  run: runWith(undefined),
  shrink: true,
});

convergence({
  name: 'every increment counts once, whatever door it goes through',
  file,
  plans: fc.tuple(
    kinds.map((kind): Kind => ({ ...kind, idempotent: true })),
    plans({ maxSteps: 60, pauses, counting: true, doors: DOORS }),
  ),
  runs: 15,
  run: runWith('one'),
  shrink: true,
});
