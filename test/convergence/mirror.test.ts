import fc from 'fast-check';
import { deepEqual } from '../../src/base/json.js';
import { type Mirror, mirrorTransport } from '../../src/compose/index.js';
import { type MemoryWire, memoryBackend, memoryTransport } from '../../src/testing/index.js';
import { memoryConformance } from '../conformance/transports/memory-conformance.js';
import { convergence } from './converge.js';
import { fakeTime, type Kind, kinds } from './fake-time.js';
import { lost } from './faulty-client.js';
import { type Plan, plans } from './plan.js';
import { type Backend, run, type Surroundings, type Tally } from './run.js';

/*
 * The secondary goes away and comes back (door 0), and loses its answers (door 1). Its own failures are told in `report()` alone.
 */

const { surroundings, play } = fakeTime();
const collection = 'todos';

interface Mirrored extends Backend {
  transport(): Mirror;
  /** What differs between the two, of the records that pass `of`. */
  unlike(of?: (id: string) => boolean): Promise<string[]>;
  /** Written past the clients, so none of them mirrors it. */
  readonly elsewhere: ReadonlySet<string>;
  /** Those of clients that have not been closed. */
  readonly open: ReadonlySet<Mirror>;
}

function mirrored(kind: Kind, second: Kind): Mirrored {
  /** Each answer takes its time, so that others come in between. */
  const delays = new Set<ReturnType<typeof setTimeout>>();
  const delay = (): Promise<void> =>
    new Promise((resolve) => {
      delays.add(setTimeout(resolve, Math.random() * 20));
    });
  const primary = memoryConformance(kind, (transport, wire) => {
    const { before } = wire;
    wire.before = async (step, detail) => {
      await before(step, detail);
      if (step === 'pull' || step === 'fetch' || step === 'push') await delay();
    };
    return transport;
  });
  const backend = memoryBackend();
  const wires = new Set<MemoryWire>();
  const elsewhere = new Set<string>();
  const open = new Set<Mirror>();
  const away = { gone: false, answers: true };
  return {
    ...primary,
    elsewhere,
    open,
    transport() {
      const secondary = memoryTransport({ ...second, backend });
      const { wire } = secondary;
      wires.add(wire);
      wire.loseAnswers = !away.answers;
      wire.before = async (step) => {
        if (away.gone && step !== 'subscribe') throw lost('The secondary');
        await delay();
      };
      const both = mirrorTransport({ primary: primary.transport(), secondary, limit: 2 });
      open.add(both);
      const { close } = both;
      return Object.assign(both, {
        close() {
          open.delete(both);
          return close();
        },
      });
    },
    async write(name, id, row, options) {
      elsewhere.add(id);
      await primary.write(name, id, row, options);
    },
    async delete(name, id) {
      elsewhere.add(id);
      await primary.delete(name, id);
    },
    async door(door, isOpen) {
      if (door === 0) away.gone = !isOpen;
      else away.answers = isOpen;
      for (const wire of wires) wire.loseAnswers = !away.answers;
    },
    async close() {
      for (const timer of delays) clearTimeout(timer);
      await primary.close();
    },
    async unlike(of = () => true) {
      const [here, there] = [await primary.read(collection), backend.rows(collection)];
      return [...new Set([...here.keys(), ...there.keys()])]
        .filter((id) => of(id) && !deepEqual(here.get(id), there.get(id)))
        .map((id) => `${id}: ${JSON.stringify(here.get(id))} and ${JSON.stringify(there.get(id))}`);
    },
  };
}

/** The secondary is tried again after a minute at most. */
async function within(minutes: number, { pass }: Pick<Surroundings, 'pass'>, done: () => boolean): Promise<boolean> {
  for (let second = 0; second < minutes * 60 && !done(); second++) await pass(1000);
  return done();
}

async function inTheEnd(backend: Mirrored, plan: Plan, time: Pick<Surroundings, 'pass'>): Promise<string[]> {
  const mirrors = [...backend.open];
  const settled = (): boolean => mirrors.every((each) => each.report().queued + each.report().behind.length === 0);
  if (!(await within(5, time, settled)))
    return [`a mirror did not come to rest: ${JSON.stringify(mirrors.map((each) => each.report()))}`];
  // What a mirror had not written when its app ended is forgotten.
  const forgotten = plan.steps.some((step) => step.do === 'restart' || step.do === 'crash');
  const marked = forgotten ? [] : await backend.unlike((id) => !backend.elsewhere.has(id));
  let level = false;
  void mirrors[0]?.level([collection]).then(() => {
    level = true;
  });
  if (!(await within(5, time, () => level))) return ['the mirror did not become level'];
  const refused = mirrors.flatMap((each) => each.report().refused);
  return [
    ...marked.map((what) => `the marks missed ${what}`),
    ...(await backend.unlike()).map((what) => `not level: ${what}`),
    ...refused.map(({ recordId, reason }) => `the secondary refused ${recordId}: ${reason}`),
  ];
}

const playPlan = ([kind, second, plan]: readonly [Kind, Kind, Plan]): Promise<Tally> => {
  const target = {
    name: 'mirror',
    doors: 2,
    never: /secondary/i,
    capabilities: memoryTransport(kind).capabilities,
    backend: async () => mirrored(kind, second),
    create: (backend: Mirrored) => backend.transport(),
    inTheEnd,
  };
  return play(plan, () => run(target, plan, surroundings));
};

convergence({
  name: 'whatever becomes of a mirror, its apps notice nothing, and in the end both backends hold the same',
  file: 'test/convergence/mirror.test.ts',
  plans: fc.tuple(kinds, kinds, plans({ maxSteps: 60, pauses: [0, 0, 5, 50, 2000], doors: 2 })),
  runs: 40,
  run: playPlan,
  shrink: true,
});
