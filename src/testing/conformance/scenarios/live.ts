import { SyncLayerError } from '../../../base/errors.js';
import { check, equal } from '../check.js';
import { gate, type Scenario, seesDeletes } from '../scenario.js';

/** What events do on their way, and what a pull must make good. */
export const live: readonly Scenario[] = [
  {
    name: 'rows written between subscribe and live arrive',
    law: 1,
    async run({ open, put, same }) {
      const writes: Promise<unknown>[] = [];
      const client = await open({}, (faults) => {
        faults.after = (step) => {
          if (step !== 'subscribe' || writes.length > 0) return;
          for (let index = 0; index < 20; index++) writes.push(put(`window ${index}`));
        };
      });
      await client.live();
      await Promise.all(writes);
      await same(client);
    },
  },
  {
    name: 'events during the catch-up are kept, and none is told twice',
    law: 1,
    async run({ open, put, remove, same, wait }) {
      await put('a');
      await put('b');
      const hold = gate();
      const client = await open({}, (faults) => {
        faults.after = (step) => (step === 'pull' ? hold.opened : undefined);
      });
      await wait('the first pull', () => client.faults.calls.pull > 0);
      await put('a');
      await put('c');
      await remove('b');
      hold.open();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'rows written while a page is on its way arrive, those behind the last page too',
    law: 1,
    async run({ open, put, same }) {
      const writes: Promise<unknown>[] = [];
      const client = await open({}, (faults) => {
        faults.after = async (step) => {
          if (step !== 'pull' || writes.length >= 4) return;
          const write = put(`behind page ${writes.length}`);
          writes.push(write);
          await write;
        };
      });
      await client.live();
      await Promise.all(writes);
      await same(client);
    },
  },
  {
    name: 'an event that was lost silently is found by the next pull, although a later one came',
    law: 1,
    async run({ client: openClient, put, same, wait }) {
      const client = await openClient();
      client.faults.change = (change) => (change.recordId === 'lost' ? [] : [change]);
      await put('lost');
      await put('later');
      await wait('the later row', async () => (await client.rows()).has('later'));
      check(!(await client.rows()).has('lost'), 'The fault did not work: the row came all the same.');
      client.faults.change = (change) => [change];
      client.faults.gap();
      await same(client);
    },
  },
  {
    name: 'an event that was lost silently is found by the audit',
    law: 5,
    async run({ client: openClient, put, same, wait }) {
      const client = await openClient({ config: { auditInterval: 1000 } });
      client.faults.change = () => [];
      await put('lost');
      await wait('the event', () => client.faults.seen.length > 0);
      await same(client);
    },
  },
  {
    name: 'a delete that was lost silently is found by the audit',
    law: 5,
    leftOut: seesDeletes,
    async run({ client: openClient, put, remove, same }) {
      await put('a');
      const client = await openClient({ config: { auditInterval: 1000 } });
      client.faults.change = () => [];
      await remove('a');
      await same(client);
    },
  },
  {
    name: 'the same event twice is told once',
    law: 3,
    async run({ client: openClient, put, remove, same, wait }) {
      const client = await openClient();
      client.faults.change = (change) => [change, change];
      for (const id of ['a', 'a', 'b']) {
        const { count } = await put(id);
        // A backend that is polled tells of states: of two writes in one moment only the last.
        await wait('the row', async () => (await client.rows()).get(id)?.count === count);
      }
      await remove('b');
      await put('end');
      await wait('the last row', async () => (await client.rows()).has('end'));
      await same(client);
      const kinds = client.told.filter(({ recordId }) => recordId === 'a').map(({ type }) => type);
      equal(kinds, ['insert', 'update'], 'What the app was told of one row.');
    },
  },
  {
    name: 'a late older event after a newer one changes nothing',
    law: 3,
    async run({ client: openClient, put, same, wait }) {
      const client = await openClient();
      await put('a', { text: 'old' });
      await wait('the old event', () => client.faults.seen.length > 0);
      const [old] = client.faults.seen;
      await put('a', { text: 'new' });
      await wait('the new row', async () => (await client.rows()).get('a')?.text === 'new');
      if (old) client.faults.inject(old);
      await put('end');
      await wait('the last row', async () => (await client.rows()).has('end'));
      equal((await client.rows()).get('a')?.text, 'new', 'The row after the late event.');
      await same(client);
    },
  },
  {
    name: 'events out of order end in the newest row',
    law: 3,
    async run({ client: openClient, put, same, wait }) {
      const client = await openClient();
      const held: Parameters<typeof client.faults.change>[0][] = [];
      client.faults.change = (change) => {
        if (change.recordId === 'a' && held.length < 3) {
          held.push(change);
          return held.length < 3 ? [] : [...held].reverse();
        }
        return [change];
      };
      for (let round = 0; round < 3; round++) {
        await put('a');
        await wait('its event', () => held.length > round);
      }
      await same(client);
    },
  },
  {
    name: 'a row deleted and created again is there, live',
    law: 3,
    async run({ client: openClient, put, remove, same, wait }) {
      const client = await openClient();
      await put('a', { text: 'first' });
      await remove('a');
      await put('a', { text: 'second' });
      await wait('the row of the second life', async () => (await client.rows()).get('a')?.text === 'second');
      await same(client);
    },
  },
  {
    name: 'a partial event is completed, never stored as the whole row',
    law: 4,
    async run({ client: openClient, put, same, wait }) {
      await put('a', { text: 'first' });
      const client = await openClient();
      client.faults.change = (change) =>
        change.type === 'update'
          ? [{ ...change, data: { id: change.recordId, done: false }, partial: true }]
          : [change];
      await put('a', { text: 'second' });
      await wait('the event', () => client.faults.seen.length > 0);
      await same(client);
      // Whatever the app was told on the way was whole.
      for (const { data } of client.told) check(typeof data?.text === 'string', 'The app was given a row with a hole.');
    },
  },
  {
    name: 'more events than the buffer holds are pulled again',
    law: 12,
    async run({ open, putMany, same, wait }) {
      // With no row yet, the page that is held is the last one.
      const hold = gate();
      const client = await open({ config: { bufferLimit: 5 } }, (faults) => {
        faults.after = (step) => (step === 'pull' ? hold.opened : undefined);
      });
      await wait('the first pull', () => client.faults.calls.pull > 0);
      await putMany(Array.from({ length: 30 }, (_, index) => `row ${index}`));
      hold.open();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'what is no change at all is reported, and the rest goes on',
    law: 13,
    async run({ client: openClient, put, same, names, wait }) {
      const client = await openClient();
      const { inject } = client.faults;
      inject({ type: 'update', collection: names.first, recordId: 'bad', version: Number.MAX_SAFE_INTEGER } as never);
      await put('good');
      await wait('the good row', async () => (await client.rows()).has('good'));
      await same(client);
      check(client.errors.length > 0, 'Nothing was reported.');
    },
  },
  {
    name: 'a subscription that ends by itself comes back',
    law: 10,
    async run({ client: openClient, put, same }) {
      const client = await openClient();
      client.faults.end(new SyncLayerError('CONNECTION_LOST', 'The line was cut by the test.'));
      await put('meanwhile');
      await client.live();
      await same(client);
    },
  },
];
