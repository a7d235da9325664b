import type { TransportStep } from '../../faults.js';
import type { Bench, Client } from '../bench.js';
import { check } from '../check.js';
import { pushes, type Scenario } from '../scenario.js';

type Asked = Extract<TransportStep, 'pull' | 'push' | 'keys'>;

/** Short for a test, and long enough for a backend on a busy machine: what it cuts off is asked for again. */
const ANSWER_TIMEOUT = 1000;

const leftOut = (step: Asked): NonNullable<Scenario['leftOut']> =>
  step === 'push'
    ? pushes
    : ({ capabilities }) =>
        step === 'keys' && capabilities.deletes !== 'none' ? 'its keys are compared by audits only' : undefined;

/** Makes the client ask for it. False: this transport has none. */
async function ask(step: Asked, client: Client, { nextRow }: Bench): Promise<boolean> {
  if (step === 'push') await client.first.save(nextRow(), 'mine');
  else client.faults.gap('the test asks for a look');
  return step !== 'keys' || client.faults.calls.keys > 0;
}

const never = (): Promise<never> => new Promise(() => undefined);

const isNamed = (step: Asked, { errors }: Client): boolean =>
  errors.some(
    ({ code, message }) => code === 'CONNECTION_LOST' && message.includes(`.${step}() did not answer within`),
  );

const hung = (step: Asked): Scenario => ({
  name: `a ${step}() that never answers is named, and asked again`,
  law: 17,
  leftOut: leftOut(step),
  async run(bench) {
    await bench.put('a');
    const client = await bench.client({ config: { answerTimeout: ANSWER_TIMEOUT } });
    let hangs = 1;
    client.faults.before = (current) => (current === step && hangs-- > 0 ? never() : undefined);
    await bench.put('b');
    if (!(await ask(step, client, bench))) return;
    await bench.wait(`an error that names ${step}()`, () => isNamed(step, client));
    await client.live();
    await bench.same(client);
    if (step === 'push') check((await client.rows()).has('mine'), 'The edit is gone.');
  },
});

const closedBeside = (step: Asked): Scenario => ({
  name: `close settles, and all that waits, while ${step}() never answers`,
  law: 17,
  leftOut: leftOut(step),
  async run(bench) {
    await bench.put('a');
    const client = await bench.client();
    let reached = false;
    client.faults.before = (current) => {
      if (current !== step) return;
      reached = true;
      return never();
    };
    if (!(await ask(step, client, bench))) return;
    await bench.wait(`${step}()`, () => reached);
    let settled = false;
    void client.sync
      .syncNow()
      .catch(() => undefined)
      .finally(() => {
        settled = true;
      });
    await client.close();
    await bench.wait('the end of syncNow()', () => settled);
    await bench.nothingMore(client, () => bench.put('b'));
  },
});

const ROUNDS = 9;

/** Nothing waits for ever, and nothing waits longer than it must. */
export const limits: readonly Scenario[] = [
  ...(['pull', 'push', 'keys'] as const).flatMap((step) => [hung(step), closedBeside(step)]),
  {
    name: 'close settles on a line that is dead',
    law: 17,
    async run({ client: openClient, put, backend, nothingMore, wait }) {
      await put('a');
      const client = await openClient();
      await backend.hang(true);
      let settled = false;
      void client.sync
        .syncNow()
        .catch(() => undefined)
        .finally(() => {
          settled = true;
        });
      await client.close();
      await wait('the end of syncNow()', () => settled);
      await backend.hang(false);
      await nothingMore(client, () => put('b'));
    },
  },
  {
    name: 'a round that fails is one failure, however many collections it had',
    law: 10,
    async run({ client: openClient, names, put, same, wait }) {
      await put('a');
      // Two failures for each round would make this a wait of minutes.
      const client = await openClient({ config: { websocketReconnectDelay: 1, maxReconnectDelay: 3_600_000 } });
      let rounds = 0;
      client.faults.before = (step, detail) => {
        if (step !== 'pull' || rounds > ROUNDS) return;
        if ((detail as { readonly collection: string }).collection === names.first) rounds += 1;
        throw new Error('The test made this step fail.');
      };
      client.faults.gap('the test asks for a look');
      await wait(
        'all rounds have failed',
        () => rounds > ROUNDS,
        () => ({ rounds }),
      );
      await put('b');
      await client.live();
      await same(client);
    },
  },
];
