import type { TransportStep } from '../../faults.js';
import { gate, type Scenario } from '../scenario.js';

const closedDuring = (step: TransportStep, moment: 'before' | 'after'): Scenario => ({
  name: `close ${moment === 'before' ? 'at the beginning' : 'at the end'} of ${step} is final`,
  law: 9,
  leftOut: ({ capabilities }) => (step === 'push' && !capabilities.push ? 'the backend is read-only' : undefined),
  async run({ open, put, wait, nextRow, capabilities, nothingMore }) {
    await put('a');
    const hold = gate();
    let reached = false;
    const client = await open({}, (faults) => {
      faults[moment] = (current) => {
        if (current !== step) return;
        reached = true;
        return hold.opened;
      };
    });
    if (capabilities.push) await client.first.save(nextRow(), 'mine');
    await wait(`the ${moment === 'before' ? 'beginning' : 'end'} of ${step}`, () => reached);
    const closing = client.close();
    // Another client is still writing.
    await put('b');
    hold.open();
    await closing;
    await nothingMore(client, () => put('c'));
  },
});

/** Close, at every moment. That no timer and no socket is left is looked at after each scenario of the suite. */
export const closing: readonly Scenario[] = [
  ...(['connect', 'subscribe', 'pull', 'push'] as const).flatMap((step) => [
    closedDuring(step, 'before'),
    closedDuring(step, 'after'),
  ]),
  {
    name: 'close while live is final',
    law: 9,
    async run({ client: openClient, put, nothingMore }) {
      const client = await openClient();
      await put('a');
      await client.close();
      await nothingMore(client, () => put('b'));
    },
  },
  {
    name: 'close while the connection is lost is final',
    law: 9,
    async run({ client: openClient, put, backend, nothingMore, wait }) {
      const client = await openClient({ config: { websocketReconnectDelay: 5000, maxReconnectDelay: 5000 } });
      await backend.cut();
      await wait('the loss', () => client.sync.status.phase !== 'live');
      await client.close();
      await nothingMore(client, () => put('b'));
    },
  },
];
