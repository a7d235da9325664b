import { SyncLayerError } from '../../../base/errors.js';
import { ConflictResolvers } from '../../../sync/conflict/resolvers.js';
import type { OutgoingChange } from '../../../transport/transport.js';
import { check, equal } from '../check.js';
import { gate, pushes, type Scenario, seesDeletes } from '../scenario.js';

const lost = (): never => {
  throw new SyncLayerError('CONNECTION_LOST', 'The test lost this answer.');
};

/** Local edits on their way to the backend. */
const all: readonly Scenario[] = [
  {
    name: 'save, update and delete reach the backend, and come back as no event',
    law: 6,
    async run({ client: openClient, same, nextRow, backend, names, put, wait }) {
      const client = await openClient();
      const shown: string[] = [];
      client.first.watch(
        (rows) =>
          void shown.push(
            rows
              .map(({ id, text }) => `${id} ${text}`)
              .sort()
              .join(', '),
          ),
      );
      await client.first.save(nextRow('one'), 'a');
      await client.first.save(nextRow('one'), 'b');
      await client.live();
      await client.first.update('a', { text: 'two' });
      await client.live();
      await client.first.delete('b');
      await client.live();
      equal(
        [...(await backend.read(names.first)).values()].map(({ id, text }) => `${id} ${text}`),
        ['a two'],
        'The backend.',
      );
      // A change of somebody else's, after which every echo has passed.
      await put('end');
      await wait('the last row', async () => (await client.rows()).has('end'));
      await same(client);
      equal(
        client.told.filter(({ recordId }) => recordId !== 'end'),
        [],
        'What the app was told of its own edits.',
      );
      const steps = shown.filter((list, index) => list !== '' && list !== shown[index - 1]);
      equal(steps, ['a one', 'a one, b one', 'a two, b one', 'a two', 'a two, end text of end'], 'What a watcher saw.');
    },
  },
  {
    name: 'edits made offline arrive once each, the last of each record',
    law: 7,
    async run({ client: openClient, put, same, nextRow, backend, names }) {
      await put('there');
      const client = await openClient();
      await client.sync.pause();
      for (let index = 0; index < 50; index++) await client.first.save(nextRow('first'), `mine ${index}`);
      for (let index = 0; index < 50; index++) await client.first.update(`mine ${index}`, { text: 'last' });
      await client.first.delete('mine 7');
      await client.first.update('there', { text: 'edited' });
      client.sync.resume();
      await client.live();
      await same(client);
      const rows = await backend.read(names.first);
      equal([rows.size, rows.has('mine 7'), rows.get('there')?.text], [50, false, 'edited'], 'The backend.');
      check(
        [...rows.values()].every(({ text }) => text !== 'first'),
        'An edit was lost.',
      );
    },
  },
  {
    name: 'a push that was taken, but whose answer was lost, counts once',
    law: 7,
    async run({ client: openClient, put, remove, same, nextRow, backend, names }) {
      await put('changed');
      await put('deleted');
      const client = await openClient();
      let losses = 3;
      client.faults.after = (step) => (step === 'push' && losses-- > 0 ? lost() : undefined);
      await client.first.save(nextRow('mine'), 'new');
      await client.first.update('changed', { text: 'mine' });
      await client.first.delete('deleted');
      await client.live();
      await same(client);
      const rows = await backend.read(names.first);
      equal([...rows].map(([id, { text }]) => `${id} ${text}`).sort(), ['changed mine', 'new mine'], 'The backend.');
      equal(client.sync.outbox.failed(), [], 'Edits that were given up.');
      await remove('new');
      await same(client);
    },
  },
  {
    name: 'a row that was pushed, whose answer was lost, and that another deleted since is no ghost',
    law: 5,
    leftOut: seesDeletes,
    async run({ client: openClient, put, remove, same, nextRow, backend, names, wait }) {
      await put('changed');
      const client = await openClient({ config: { auditInterval: 1000 } });
      let loses = true;
      client.faults.after = (step) => (step === 'push' && loses ? lost() : undefined);
      client.faults.change = () => [];
      await client.first.save(nextRow('mine'), 'new');
      await client.first.update('changed', { text: 'mine' });
      await wait('the edits arrive', async () => {
        const rows = await backend.read(names.first);
        return rows.has('new') && rows.get('changed')?.text === 'mine';
      });
      await client.sync.pause();
      await remove('new');
      await remove('changed');
      loses = false;
      client.sync.resume();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a push that never left is sent again',
    law: 7,
    async run({ client: openClient, same, nextRow, backend, names }) {
      const client = await openClient();
      let losses = 2;
      client.faults.before = (step) => (step === 'push' && losses-- > 0 ? lost() : undefined);
      await client.first.save(nextRow(), 'a');
      await client.live();
      await same(client);
      check((await backend.read(names.first)).has('a'), 'The edit is not in the backend.');
    },
  },
  {
    name: 'an edit during the push of the same record is sent after it',
    law: 7,
    async run({ client: openClient, same, nextRow, backend, names, wait }) {
      const client = await openClient();
      const hold = gate();
      client.faults.after = (step) => (step === 'push' ? hold.opened : undefined);
      await client.first.save(nextRow('first'), 'a');
      await wait('the push', () => client.faults.calls.push > 0);
      await client.first.update('a', { text: 'second' });
      hold.open();
      await client.live();
      equal((await backend.read(names.first)).get('a')?.text, 'second', 'The row in the backend.');
      await same(client);
    },
  },
  {
    name: 'a change by somebody else while an edit is on its way is not taken for its echo',
    law: 6,
    async run({ client: openClient, put, same, backend, names, wait }) {
      await put('a');
      const client = await openClient();
      const hold = gate();
      client.faults.before = (step) => (step === 'push' ? hold.opened : undefined);
      await client.first.update('a', { done: true });
      await wait('the push', () => client.faults.calls.push > 0);
      await put('a', { text: 'theirs' });
      await wait('the event', () => client.faults.seen.length > 0);
      hold.open();
      await client.live();
      await same(client);
      const row = (await backend.read(names.first)).get('a');
      equal([row?.text, row?.done], ['theirs', true], 'Both changes in the backend.');
    },
  },
  {
    name: 'a summed counter counts an edit once, although its answer was lost',
    law: 7,
    async run({ client: openClient, put, same, backend, names }) {
      const { count } = await put('a');
      const client = await openClient({
        config: { conflictStrategy: 'custom', customConflictResolver: ConflictResolvers.sumNumbers(['count']) },
      });
      let losses = 2;
      client.faults.after = (step) => (step === 'push' && losses-- > 0 ? lost() : undefined);
      await client.first.update('a', { count: count + 10 });
      await client.live();
      await same(client);
      equal((await backend.read(names.first)).get('a')?.count, count + 10, 'The counter in the backend.');
    },
  },
  {
    name: 'edits of different fields by two clients are both kept',
    law: 8,
    async run({ client: openClient, put, same, wait, backend, names }) {
      await put('a');
      const [one, two] = [await openClient(), await openClient()];
      await one.sync.pause();
      await one.first.update('a', { text: 'by one' });
      await two.first.update('a', { done: true });
      await two.live();
      one.sync.resume();
      await one.live();
      await wait('both edits in the backend', async () => {
        const row = (await backend.read(names.first)).get('a');
        return row?.text === 'by one' && row.done === true;
      });
      await same(one, two);
    },
  },
  {
    name: 'the later edit wins, whichever of two is committed first',
    law: 8,
    leftOut: ({ capabilities }) => (capabilities.editTimes ? undefined : 'the backend keeps no times of edits'),
    async run({ client: openClient, put, same, wait, backend, names }) {
      await put('a');
      await put('b');
      const [one, two] = [await openClient(), await openClient()];
      await Promise.all([one.sync.pause(), two.sync.pause()]);
      const made = [
        [one, 'a', 'earlier'],
        [two, 'a', 'later'],
        [two, 'b', 'earlier'],
        [one, 'b', 'later'],
      ] as const;
      for (const [client, id, text] of made) {
        await client.first.update(id, { text });
        // Backends may keep whole milliseconds.
        const since = Date.now();
        await wait('the next millisecond', () => Date.now() > since + 1);
      }
      one.sync.resume();
      await one.live();
      two.sync.resume();
      await two.live();
      await same(one, two);
      const rows = await backend.read(names.first);
      equal([rows.get('a')?.text, rows.get('b')?.text], ['later', 'later'], 'The edits in the backend.');
    },
  },
  {
    name: 'a resolver gets local, remote and the base, and its answer is what all end with',
    law: 8,
    async run({ client: openClient, put, same, backend, names }) {
      await put('a', { text: 'base' });
      const seen: unknown[] = [];
      const client = await openClient({
        config: {
          conflictStrategy: 'custom',
          customConflictResolver: ({ base, local, remote }) => {
            seen.push([base?.text, local?.text, remote?.text]);
            return local && remote && { ...remote, text: `${local.text} and ${remote.text}` };
          },
        },
      });
      await client.sync.pause();
      await client.first.update('a', { text: 'local' });
      await put('a', { text: 'remote' });
      client.sync.resume();
      await client.live();
      await same(client);
      equal(seen[0], ['base', 'local', 'remote'], 'What the resolver was given.');
      equal((await backend.read(names.first)).get('a')?.text, 'local and remote', 'What came of it.');
    },
  },
  {
    name: 'twenty edits of one record by two clients: none is overwritten unseen',
    law: 8,
    async run({ client: openClient, put, same, backend, names }) {
      await put('a', { text: '' });
      const config = {
        conflictStrategy: 'custom' as const,
        // Texts are sets of letters: what either side added is kept.
        customConflictResolver: ({ local, remote }: { local: unknown; remote: unknown }) => {
          const [mine, theirs] = [local, remote] as { text: string }[];
          return mine && theirs ? { ...theirs, text: [...new Set(mine.text + theirs.text)].sort().join('') } : null;
        },
      };
      const clients = [await openClient({ config }), await openClient({ config })];
      const letters = 'abcdefghijklmnopqrst';
      await Promise.all(
        clients.map(async ({ first }, who) => {
          for (let index = who; index < letters.length; index += 2) {
            const row = await first.get('a');
            await first.update('a', { text: `${row?.text}${letters[index]}` });
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        }),
      );
      for (const client of clients) await client.live();
      await same(...clients);
      const text = (await backend.read(names.first)).get('a')?.text as string;
      equal([...text].sort().join(''), letters, 'The letters in the row.');
    },
  },
  {
    name: 'an edit that is refused for good is kept aside, and good ones beside it arrive',
    law: 7,
    leftOut: ({ refused }) => (refused ? undefined : 'the suite was given no row that the backend refuses'),
    async run({ client: openClient, same, nextRow, backend, names, options }) {
      const client = await openClient();
      const sent: string[] = [];
      client.faults.before = (step, detail) => {
        if (step === 'push') sent.push(...(detail as readonly OutgoingChange[]).map(({ recordId }) => recordId));
      };
      await client.sync.pause();
      await client.first.save(nextRow(), 'good 1');
      if (options.refused) await client.first.save(options.refused, 'bad');
      await client.first.save(nextRow(), 'good 2');
      client.sync.resume();
      await client.live();
      equal([...(await backend.read(names.first)).keys()].sort(), ['good 1', 'good 2'], 'The backend.');
      equal(
        client.sync.outbox.failed().map(({ recordId }) => recordId),
        ['bad'],
        'What was kept aside.',
      );
      await client.sync.syncNow();
      await client.sync.syncNow();
      equal(sent.filter((id) => id === 'bad').length, 1, 'How often the refused edit was sent.');
      await client.sync.outbox.discard(client.sync.outbox.failed()[0]?.opId ?? '');
      await same(client);
    },
  },
  {
    name: 'a delete elsewhere while the row was being edited ends the same everywhere',
    law: 8,
    leftOut: seesDeletes,
    async run({ client: openClient, put, remove, same }) {
      await put('a');
      const [one, two] = [await openClient(), await openClient()];
      await one.sync.pause();
      await one.first.update('a', { text: 'mine' });
      await remove('a');
      one.sync.resume();
      await one.live();
      await two.live();
      await same(one, two);
    },
  },
];

export const edits: readonly Scenario[] = all.map((scenario) => ({
  ...scenario,
  leftOut: (options) => pushes(options) ?? scenario.leftOut?.(options),
}));
