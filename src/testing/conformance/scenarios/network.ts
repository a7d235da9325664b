import type { TransportStep } from '../../faults.js';
import { check, equal } from '../check.js';
import { type Scenario, seesDeletes } from '../scenario.js';

const cutAt = (step: TransportStep, moment: 'before' | 'after'): Scenario => ({
  name: `the connection is cut ${moment} ${step}`,
  law: 1,
  async run({ open, put, same, backend, nextRow, capabilities, wait }) {
    await put('a');
    let cuts = 2;
    const client = await open({}, (faults) => {
      faults[moment] = async (current) => {
        if (current === step && cuts-- > 0) await backend.cut();
      };
    });
    if (capabilities.push) await client.first.save(nextRow(), 'mine');
    await wait(`the cut ${moment} ${step}`, () => cuts < 2);
    await put('meanwhile');
    await client.live();
    await same(client);
    if (capabilities.push) check((await client.rows()).has('mine'), 'The edit is gone.');
  },
});

/** The network and the server fail for real. */
export const network: readonly Scenario[] = [
  ...(['connect', 'subscribe', 'pull'] as const).flatMap((step) => [cutAt(step, 'before'), cutAt(step, 'after')]),
  ...(['before', 'after'] as const).map((moment) => ({
    ...cutAt('push', moment),
    leftOut: ({ capabilities }: { readonly capabilities: { readonly push: boolean } }) =>
      capabilities.push ? undefined : 'the backend is read-only',
  })),
  {
    name: 'cut again and again, rows arrive once each',
    law: 1,
    leftOut: seesDeletes,
    async run({ client: openClient, put, remove, same, backend, wait, nextRow, capabilities }) {
      const client = await openClient();
      for (let round = 0; round < 8; round++) {
        await put(`row ${round}`);
        if (capabilities.push) await client.first.save(nextRow(), `mine ${round}`);
        const cut = backend.cut();
        await put(`during ${round}`);
        if (round > 0) await remove(`row ${round - 1}`);
        await cut;
        if (round % 2 === 0) await client.live();
      }
      await client.live();
      await same(client);
      await wait('all edits sent', () => client.sync.status.pending === 0);
    },
  },
  {
    name: 'a half-open connection is noticed, and what was missed arrives',
    law: 10,
    async run({ client: openClient, put, same, backend, wait, nextRow, capabilities }) {
      const client = await openClient();
      await backend.hang(true);
      await put('meanwhile');
      await wait('the client sees that the line is dead', () => client.sync.status.phase !== 'live');
      if (capabilities.push) await client.first.save(nextRow(), 'mine');
      await backend.hang(false);
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a restarted server loses nothing',
    law: 10,
    leftOut: seesDeletes,
    async run({ client: openClient, put, remove, same, backend, nextRow, capabilities }) {
      await put('a');
      await put('b');
      const client = await openClient();
      if (capabilities.push) await client.first.save(nextRow(), 'before');
      await (backend.restart?.() ?? backend.cut());
      await put('after');
      await put('a');
      await remove('b');
      if (capabilities.push) await client.first.save(nextRow(), 'mine');
      await client.live();
      await same(client);
    },
  },
  {
    name: 'rows that an error hides are not deleted',
    law: 5,
    async run({ client: openClient, putMany, same, backend }) {
      const ids = ['a', 'b', 'c'];
      await putMany(ids);
      const client = await openClient();
      client.faults.before = (step) => {
        if (step === 'pull' || step === 'keys') throw new Error('The test made this step fail.');
      };
      await backend.cut();
      await client.sync.syncNow().catch(() => undefined);
      equal([...(await client.rows()).keys()].sort(), ids, 'The rows on the device.');
      client.faults.before = () => undefined;
      await client.live();
      await same(client);
      equal(
        client.told.filter(({ type }) => type === 'delete'),
        [],
        'Deletes that the app was told of.',
      );
    },
  },
];
