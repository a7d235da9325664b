import { SyncLayerError } from '../../../base/errors.js';
import type { OutgoingChange } from '../../../transport/transport.js';
import { check, equal } from '../check.js';
import { pushes, type Scenario } from '../scenario.js';

const idsOf = (detail: unknown): string[] => (detail as readonly OutgoingChange[]).map(({ recordId }) => recordId);

/** An edit is rejected only for what it is. */
const all: readonly Scenario[] = [
  {
    name: 'a backend that is in trouble for a while gives up no edit, however many there are',
    law: 14,
    async run({ client: openClient, same, nextRow, backend, names }) {
      const client = await openClient({ config: { maxRetries: 0, websocketReconnectDelay: 1 } });
      let failures = 8;
      let requests = 0;
      client.faults.before = (step) => {
        if (step !== 'push') return;
        requests += 1;
        const details = failures % 2 === 0 ? { unclear: true } : {};
        if (failures-- > 0) throw new SyncLayerError('CONNECTION_LOST', 'Overloaded.', { details });
      };
      await client.sync.pause();
      for (let index = 0; index < 30; index++) await client.first.save(nextRow(), `mine ${index}`);
      client.sync.resume();
      await client.live();
      equal((await backend.read(names.first)).size, 30, 'Rows in the backend.');
      equal(client.sync.outbox.failed(), [], 'Edits that were given up.');
      check(requests < 20, `The edits of one outbox were pushed ${requests} times.`);
      await same(client);
    },
  },
  {
    name: 'an edit that waits for another row is held, holds no other up, and goes when that row is there',
    law: 14,
    async run({ client: openClient, same, nextRow, backend, names, wait }) {
      const client = await openClient({ config: { maxRetries: 0 } });
      let parent = false;
      client.faults.decide = ({ recordId }) =>
        recordId === 'child' && !parent
          ? { type: 'waiting', error: new SyncLayerError('CONNECTION_LOST', 'Its parent is not there.') }
          : undefined;
      client.faults.after = (step, detail) => {
        if (step === 'push' && idsOf(detail).includes('parent')) parent = true;
      };
      await client.first.save(nextRow(), 'child');
      await wait('the edit is listed as waiting', () => client.sync.outbox.pending()[0]?.waiting !== undefined);
      await client.first.save(nextRow(), 'other');
      await wait('the other edit in the backend', async () => (await backend.read(names.first)).has('other'));
      equal(client.sync.outbox.failed(), [], 'Edits that were given up.');
      await client.first.save(nextRow(), 'parent');
      await client.live();
      equal([...(await backend.read(names.first)).keys()].sort(), ['child', 'other', 'parent'], 'The backend.');
      await same(client);
    },
  },
  {
    name: 'more than the backend takes in one request goes in parts, and what is too large alone is rejected',
    law: 14,
    async run({ client: openClient, same, nextRow, backend, names }) {
      const client = await openClient();
      client.faults.before = (step, detail) => {
        if (step !== 'push') return;
        const ids = idsOf(detail);
        if (ids.length > 3 || ids.includes('huge')) throw new SyncLayerError('TOO_LARGE', 'Answered with 413.');
      };
      await client.sync.pause();
      await client.first.save(nextRow('huge'), 'huge');
      for (let index = 0; index < 10; index++) await client.first.save(nextRow(), `mine ${index}`);
      client.sync.resume();
      await client.live();
      equal((await backend.read(names.first)).size, 10, 'Rows in the backend.');
      equal(
        client.sync.outbox.failed().map(({ recordId }) => recordId),
        ['huge'],
        'Edits that were kept aside.',
      );
      await client.sync.outbox.discard(client.sync.outbox.failed()[0]?.opId ?? '');
      await same(client);
    },
  },
  {
    name: 'edits whose answers were lost are looked for before they are sent again',
    law: 14,
    async run({ client: openClient, same, nextRow, backend, names }) {
      const client = await openClient();
      let losses = 3;
      let sent = 0;
      let asked = 0;
      client.faults.before = (step, detail) => {
        if (step === 'fetch') asked += 1;
        if (step === 'push') sent += idsOf(detail).length;
      };
      client.faults.after = (step) => {
        if (step === 'push' && losses-- > 0) throw new SyncLayerError('CONNECTION_LOST', 'The test lost this answer.');
      };
      await client.sync.pause();
      for (let index = 0; index < 60; index++) await client.first.save(nextRow('long '.repeat(200)), `mine ${index}`);
      client.sync.resume();
      await client.live();
      equal((await backend.read(names.first)).size, 60, 'Rows in the backend.');
      // A transport that cannot tell what is there has to send them again.
      check(asked === 0 || sent < 120, `60 edits were sent ${sent} times.`);
      await same(client);
    },
  },
];

export const refusals: readonly Scenario[] = all.map((scenario) => ({ ...scenario, leftOut: pushes }));
