import type { Row } from '../../src/base/change.js';
import { SyncLayerError } from '../../src/base/errors.js';
import { deepEqual } from '../../src/base/json.js';
import { ConflictResolvers, type SyncLayerConfig } from '../../src/index.js';
import type { LocalStore } from '../../src/store/store.js';
import type { ConformanceBackend, ConformanceOptions, TcpProxy } from '../../src/testing/index.js';
import { type FaultyClient, lost, openFaultyClient, type Trouble } from './faulty-client.js';
import type { Plan, Step, Which } from './plan.js';
import { createDisk, createLedger, createStory, ELSEWHERE } from './rules.js';

/** A backend of the conformance suite; where its wire has bytes, they can be counted. */
export interface Backend extends ConformanceBackend {
  cutAfter?(...args: Parameters<TcpProxy['cutAfter']>): unknown;
  /** Where there are several ways to it: closes one, or opens it. */
  door?(door: number, open: boolean): Promise<void>;
}

/** What the clients are kept equal to. The options of a transport's conformance suite are one. */
export type Target<B extends Backend = Backend> = Pick<
  ConformanceOptions<B>,
  'name' | 'capabilities' | 'backend' | 'create' | 'auth' | 'collections' | 'config'
> & {
  /** How many ways there are to the backend. */
  readonly doors?: number;
  /** Versions are what writers make of them, and go back. */
  readonly versionsGoBack?: true;
  /** What clients may report all the same: rows are written as nobody should. */
  readonly mayReport?: readonly string[];
  /** What no app may be told of. */
  readonly never?: RegExp;
  /** What else must hold once all is at rest; resolves with what does not. */
  readonly inTheEnd?: (backend: B, plan: Plan, surroundings: Pick<Surroundings, 'pass'>) => Promise<readonly string[]>;
};

/** Where a run takes place: with fake or real time, in Node or in a page. */
export interface Surroundings {
  /** Lets so many ms pass. */
  pass(ms: number): Promise<void>;
  /** How long the clients may take until all are equal, ms. */
  readonly patience: number;
  /** Where a client keeps its data: called at each start of it, and gives the same data again. */
  store(client: number): () => LocalStore;
  /** How long sockets take to be gone after a close, ms. Timers are gone at once, which only fake time can show. */
  readonly farewell: number;
  /** The timers and sockets that are open. */
  handles(): readonly string[];
}

/** What a run was made of. */
export interface Tally {
  edits: number;
  events: number;
  acknowledged: number;
  conflicts: number;
  reconnects: number;
  /** Records of which more than equality could be said. */
  proved: number;
}

interface Client {
  readonly index: number;
  readonly disk: ReturnType<typeof createDisk>;
  readonly trouble: Trouble;
  story: ReturnType<typeof createStory>;
  app: FaultyClient;
}

const COUNTER = 'counter';
/** How long the rest waits between two looks, ms. */
const LOOK = 20;

const ignore = (): void => undefined;
const withoutId = ({ id: _, ...fields }: Row): Row => fields;

/** Does what the plan says, mends everything, and throws what is then not as it must be. */
export async function run<B extends Backend>(
  target: Target<B>,
  plan: Plan,
  { pass, patience, farewell, store, handles }: Surroundings,
): Promise<Tally> {
  const broken = new Set<string>();
  const complain = (what: string): void => void broken.add(what);
  const tally: Tally = { edits: 0, events: 0, acknowledged: 0, conflicts: 0, reconnects: 0, proved: 0 };
  const before = handles();
  const backend = await target.backend();
  const [collection] = target.collections ?? ['todos'];
  const { deletes, idempotent } = target.capabilities;
  const ledger = createLedger(complain, deletes !== 'tombstones' && !idempotent);
  let number = 0;
  let increments = 0;
  let hanging = false;
  const counting = plan.steps.some((step) => step.do === 'count');

  const config: Omit<SyncLayerConfig, 'transport' | 'collections' | 'store'> = {
    websocketReconnectDelay: 10,
    maxReconnectDelay: 100,
    connectTimeout: 2000,
    syncInterval: 1000,
    ...target.config,
    bufferLimit: plan.bufferLimit,
    pageSize: plan.pageSize,
    ...(counting
      ? { conflictStrategy: 'custom', customConflictResolver: ConflictResolvers.sumNumbers(['count']) }
      : { conflictStrategy: plan.conflictStrategy }),
  };

  async function start(client: Omit<Client, 'app' | 'story'>): Promise<Client> {
    const story = createStory((what) => complain(`client ${client.index}: ${what}`));
    const app = await openFaultyClient({
      client: client.index,
      collection,
      transport: await target.create(backend),
      trouble: client.trouble,
      config: {
        ...config,
        store: client.disk.store(),
        ...(target.auth && { authToken: async () => (await target.auth?.valid(backend)) ?? '' }),
      },
      story,
      ledger,
      count: (what) => {
        tally[what] += 1;
      },
    });
    app.sync.events.on('error', ({ error }) => {
      if (target.never?.test(error.message)) complain(`client ${client.index} was told: ${error.message}`);
    });
    return Object.assign(client, { app, story });
  }

  async function open(index: number): Promise<Client> {
    const complainOf = (what: string): void => complain(`client ${index}: ${what}`);
    const disk = createDisk(store(index), target.versionsGoBack ? ignore : complainOf);
    return start({
      index,
      disk,
      trouble: { delivery: plan.delivery[index] ?? 'whole', loseAnswers: false, broken: new Map() },
    });
  }

  const idOf = (which: Which, who: number): string => (which === 'own' ? `own-${who}` : which);
  const isOwn = (id: string): boolean => id.startsWith('own-');

  /** One edit: what the app sees at once, and what the ledger must know of it. */
  function edit(client: Client, id: string, row: Row | null, work: () => Promise<unknown>): void {
    const before = client.story.row(id);
    const done = work();
    client.story.edited(id, row && { ...row, id });
    tally.edits += 1;
    // The delete of a row that is not there is none.
    const changes = row !== null || before !== null || isOwn(id);
    const promised = changes ? ledger.edit(client.index, id, (row?.count as number | undefined) ?? null) : ignore;
    // A disk that refuses before a crash is part of the plan.
    void done.then(promised, ignore);
  }

  async function elsewhere(id: string, row: Row | null): Promise<void> {
    if (row) await backend.write(collection, id, row as never);
    else if ((await backend.read(collection)).has(id)) await backend.delete(collection, id);
    else return;
    ledger.edit(ELSEWHERE, id, (row?.count as number | undefined) ?? null);
  }

  async function hang(on: boolean): Promise<void> {
    if (hanging === on) return;
    hanging = on;
    await backend.hang(on);
  }

  async function take(step: Step, clients: readonly Client[]): Promise<void> {
    const client = clients['who' in step ? step.who : 0] as Client;
    const { trouble, app, story, disk } = client;
    const todos = app.sync.collection(collection);
    const id = 'which' in step ? idOf(step.which, client.index) : COUNTER;
    switch (step.do) {
      case 'save': {
        const row = { text: step.text, done: step.done, count: ++number };
        edit(client, id, row, () => todos.save(row, id));
        break;
      }
      case 'update': {
        const current = app.shown().get(id);
        if (!current) break;
        const changes = { text: step.text, count: ++number };
        edit(client, id, { ...current, ...changes }, () => todos.update(id, changes));
        break;
      }
      case 'delete':
        edit(client, id, null, () => todos.delete(id));
        break;
      case 'count': {
        const row = app.shown().get(COUNTER);
        if (!row) break;
        const changes = { count: (row.count as number) + 1 };
        edit(client, COUNTER, { ...row, ...changes }, () => todos.update(COUNTER, changes));
        increments += 1;
        break;
      }
      case 'write elsewhere':
        if (step.which !== 'own') await elsewhere(id, { text: step.text, done: false, count: ++number });
        break;
      case 'delete elsewhere':
        if (step.which !== 'own') await elsewhere(id, null);
        break;
      case 'time':
        await pass(step.ms);
        break;
      case 'end':
        app.faults.end(lost('The line'));
        break;
      case 'gap':
        app.faults.gap();
        break;
      case 'live':
        app.faults.live();
        break;
      case 'pause':
        await app.sync.pause();
        break;
      case 'resume':
        app.sync.resume();
        break;
      case 'deliver':
        app.release();
        trouble.delivery = step.how;
        break;
      case 'lose answers':
        trouble.loseAnswers = step.on;
        break;
      case 'break':
        trouble.broken.set(step.what, step.times);
        break;
      case 'restart':
        await app.sync.close();
        story.end();
        await start(client);
        break;
      case 'crash': {
        // What happens from here to the end is forgotten.
        disk.fails = true;
        const since = ledger.time;
        await pass(step.ms);
        await app.sync.close().catch((error: unknown) => {
          if (!(error instanceof SyncLayerError && error.code === 'STORE_FAILED')) throw error;
        });
        story.end();
        ledger.crashed(client.index, !target.capabilities.idempotent, since);
        disk.fails = false;
        await start(client);
        break;
      }
      case 'cut':
        await backend.cut();
        break;
      case 'restart backend':
        await backend.restart?.();
        break;
      case 'hang':
        await hang(step.on);
        break;
      case 'door':
        await backend.door?.(step.door, step.open);
        break;
      case 'cut after':
        void backend.cutAfter?.(step.amount, { direction: step.direction, reset: step.reset });
        break;
    }
  }

  async function shownBy({ app }: Client): Promise<Map<string, Row>> {
    const rows = await app.sync.collection(collection).getAll();
    return new Map(rows.map((row) => [row.id as string, row as Row]));
  }

  /** What is not yet at rest. */
  async function unrest(clients: readonly Client[]): Promise<string | undefined> {
    const rows = await backend.read(collection);
    for (const client of clients) {
      const { status } = client.app.sync;
      if (status.phase !== 'live' || status.pending > 0)
        return `client ${client.index} is ${status.phase}, and ${status.pending} wait: ${JSON.stringify(client.app.sync.inspect())}`;
      const shown = await shownBy(client);
      const unlike = [...new Set([...shown.keys(), ...rows.keys()])].find((id) => {
        const [here, there] = [shown.get(id), rows.get(id)];
        return !here || !there || !deepEqual(withoutId(here), withoutId(there));
      });
      if (unlike !== undefined)
        return `client ${client.index} shows ${JSON.stringify(shown.get(unlike))}, and the backend holds ${JSON.stringify(rows.get(unlike))}`;
    }
    return undefined;
  }

  async function rest(clients: readonly Client[]): Promise<string | undefined> {
    let left: string | undefined = 'nobody has looked';
    for (const end = Date.now() + patience; left !== undefined && Date.now() < end; ) {
      await pass(LOOK);
      left = await unrest(clients);
    }
    return left;
  }

  /** Ends all trouble, and lets everybody come to rest. */
  async function heal(clients: readonly Client[]): Promise<void> {
    await hang(false);
    for (let door = 0; door < (target.doors ?? 0); door++) await backend.door?.(door, true);
    for (const { trouble, app } of clients) {
      Object.assign(trouble, { delivery: 'whole', loseAnswers: false });
      trouble.broken.clear();
      app.release();
      app.sync.resume();
      // A silent loss is found by the next pull.
      app.faults.gap();
    }
    const early = await rest(clients);
    // Where deletes leave no trace, the answer to a repeated push may be older than one: the next pull finds that.
    if (early !== undefined && target.capabilities.deletes === 'tombstones') complain(early);
    for (const { app } of clients) {
      // A cut that was still to come may strike here; what fails is done again.
      let done = false;
      void app.sync
        .syncNow()
        .catch(ignore)
        .finally(() => {
          done = true;
        });
      await pass(0);
      while (!done) await pass(LOOK);
    }
    const left = await rest(clients);
    if (left !== undefined) complain(left);
  }

  const clients: Client[] = [];
  try {
    if (counting) await backend.write(collection, COUNTER, { text: 'n', done: false, count: 0 });
    for (const id of ['a', 'b']) await elsewhere(id, { text: 'x', done: false, count: ++number });
    for (let index = 0; index < plan.clients; index++) clients.push(await open(index));
    await pass(0);
    for (const step of plan.steps) await take(step, clients);
    await heal(clients);

    for (const what of (await target.inTheEnd?.(backend, plan, { pass })) ?? []) complain(what);
    const rows = await backend.read(collection);
    ledger.check(rows, isOwn);
    tally.proved = ledger.proved;
    if (counting && rows.get(COUNTER)?.count !== increments)
      complain(`${increments} increments were made, and the counter says ${rows.get(COUNTER)?.count}`);
    for (const client of clients) {
      const { outbox, metrics } = client.app.sync;
      client.story.compare(await shownBy(client));
      for (const { recordId, error } of outbox.failed())
        complain(`an edit of ${recordId} was refused: ${error?.message}`);
      for (const code of ['VALIDATION_FAILED', 'PROTOCOL_VIOLATION'].filter(
        (each) => !target.mayReport?.includes(each),
      ))
        if (metrics().errors[code as 'VALIDATION_FAILED']) complain(`client ${client.index} reported ${code}`);
    }
  } finally {
    for (const { app, story } of clients) {
      // So that each is closed in the middle of something.
      app.faults.end(lost('The line'));
      await app.sync.close();
      story.end();
    }
    // Nobody is told of it.
    if (clients.length > 0) await elsewhere('a', { text: 'after the end', done: true, count: ++number }).catch(ignore);
    await backend.close();
  }
  const left = (): string[] => moreThan(handles(), before);
  for (const end = Date.now() + farewell; left().length > 0 && Date.now() < end; ) await pass(LOOK);
  for (const kind of left()) complain(`a ${kind} is left`);
  if (broken.size > 0) throw new Error([...broken].join('\n'));
  return tally;
}

/** What `now` has beyond `then`, each kind counted. */
function moreThan(now: readonly string[], then: readonly string[]): string[] {
  const rest = [...then];
  return now.filter((kind) => {
    const at = rest.indexOf(kind);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}
