import { check, equal } from '../check.js';
import { pushes, type Scenario } from '../scenario.js';

type LeftOut = NonNullable<Scenario['leftOut']>;
const tokens: LeftOut = ({ auth }) => (auth ? undefined : 'the suite was given no tokens');
const expiring: LeftOut = ({ auth }) => (auth?.expire ? undefined : 'the suite was given no way to let a token expire');
const rights: LeftOut = ({ permissions }) => (permissions ? undefined : 'the suite was given no permissions');

/** Tokens and rights. */
export const access: readonly Scenario[] = [
  {
    name: 'a refused token asks for another one, without an endless loop, and loses nothing',
    law: 11,
    leftOut: tokens,
    async run({ open, put, same, options, backend, wait, nextRow, capabilities }) {
      await put('a');
      const client = await open({ authToken: options.auth?.invalid ?? '' });
      if (capabilities.push) await client.first.save(nextRow(), 'mine');
      await wait(
        'needs-auth',
        () => client.sync.status.phase === 'needs-auth',
        () => client.sync.inspect(),
      );
      check(
        client.faults.calls.connect <= 3,
        `It connected ${client.faults.calls.connect} times with a refused token.`,
      );
      const messages = client.errors.map(({ message }) => message).join();
      check(!messages.includes(options.auth?.invalid ?? ' '), 'An error tells the token.');
      client.sync.setAuthToken(await options.auth?.valid(backend));
      await client.live();
      await same(client);
      if (capabilities.push) check((await client.rows()).has('mine'), 'The edit is gone.');
    },
  },
  {
    name: 'a token function is asked again at each connection',
    law: 11,
    leftOut: tokens,
    async run({ client: openClient, put, same, options, backend, wait }) {
      let asked = 0;
      const client = await openClient({
        authToken: async () => {
          asked += 1;
          return options.auth?.valid(backend);
        },
      });
      const before = asked;
      await backend.cut();
      await wait('the next connection', () => asked > before);
      await put('after');
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a token that is refused at a reconnect is asked for once more',
    law: 11,
    leftOut: tokens,
    async run({ client: openClient, put, same, options, backend, wait }) {
      const given: (string | undefined)[] = [];
      let bad = 0;
      const client = await openClient({
        authToken: async () => {
          const token = bad-- > 0 ? options.auth?.invalid : await options.auth?.valid(backend);
          given.push(token);
          return token;
        },
      });
      bad = 1;
      await backend.cut();
      await wait('the refused token was given', () => given.includes(options.auth?.invalid));
      await put('after');
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a token that expires while connected is renewed',
    law: 11,
    leftOut: expiring,
    async run({ client: openClient, put, same, options, backend, nextRow, capabilities }) {
      const client = await openClient();
      await options.auth?.expire?.(backend);
      await put('after');
      if (capabilities.push) await client.first.save(nextRow(), 'mine');
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a token that expires and is not renewed ends in needs-auth, and edits wait',
    law: 11,
    leftOut: (options) => expiring(options) ?? pushes(options),
    async run({ client: openClient, put, same, options, backend, wait, nextRow }) {
      let renew = true;
      let token: string | undefined;
      const client = await openClient({
        authToken: async () => {
          if (renew || token === undefined) token = await options.auth?.valid(backend);
          return token;
        },
      });
      renew = false;
      await options.auth?.expire?.(backend);
      await client.first.save(nextRow(), 'mine');
      await wait(
        'needs-auth',
        () => client.sync.status.phase === 'needs-auth',
        () => client.sync.inspect(),
      );
      await put('meanwhile');
      equal(client.sync.status.pending, 1, 'Edits that wait.');
      renew = true;
      client.sync.setAuthToken(async () => options.auth?.valid(backend));
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a token function that gives a refused token for a while, then a good one, needs nobody',
    law: 11,
    leftOut: tokens,
    async run({ client: openClient, put, same, options, backend, wait }) {
      let stale = false;
      const client = await openClient({
        authToken: async () => (stale ? options.auth?.invalid : options.auth?.valid(backend)),
      });
      stale = true;
      await backend.cut();
      await wait(
        'needs-auth',
        () => client.sync.status.phase === 'needs-auth',
        () => client.sync.inspect(),
      );
      await put('meanwhile');
      stale = false;
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a session that is away for a moment deletes and rejects nothing',
    law: 16,
    leftOut: tokens,
    async run({ client: openClient, put, same, options, backend, wait, nextRow, capabilities }) {
      await put('a');
      let away = false;
      const client = await openClient({ authToken: async () => (away ? undefined : options.auth?.valid(backend)) });
      away = true;
      await backend.cut();
      await wait(
        'needs-auth',
        () => client.sync.status.phase === 'needs-auth',
        () => client.sync.inspect(),
      );
      if (capabilities.push) await client.first.save(nextRow(), 'mine');
      await client.sync.syncNow().catch(() => undefined);
      check((await client.rows()).has('a'), 'A row is gone that a user without a session may not see.');
      equal(client.sync.outbox.failed(), [], 'Edits that were rejected without a session.');
      away = false;
      await client.live();
      await same(client);
      if (capabilities.push) check((await client.rows()).has('mine'), 'The edit is gone.');
    },
  },
  {
    name: 'an edit of one user is not sent as another one',
    law: 16,
    leftOut: pushes,
    async run({ client: openClient, same, options, backend, wait, nextRow, names }) {
      let user = 'ann';
      const client = await openClient({ config: { user: () => user } });
      await client.sync.pause();
      await client.first.save(nextRow(), 'ann-1');
      user = 'bob';
      const token = options.auth;
      client.sync.setAuthToken(token && (async () => token.valid(backend)), { user: () => user });
      client.sync.resume();
      await client.live();
      await client.first.save(nextRow(), 'bob-1');
      await client.live();
      await same(client);
      check(!(await backend.read(names.first)).has('ann-1'), "One user's edit was sent as another one's.");
      equal(
        client.sync.outbox.held().map(({ author, recordId }) => [author, recordId]),
        [['ann', 'ann-1']],
        'Edits that wait for their author.',
      );
      user = 'ann';
      client.sync.setAuthToken(token && (async () => token.valid(backend)), { user: () => user });
      await wait('the edit goes once its author is back', async () => (await backend.read(names.first)).has('ann-1'));
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a row that may no longer be seen comes back as it was, and its edit is kept',
    law: 15,
    leftOut: (options) =>
      (options.permissions?.hideRow ? undefined : 'the suite was given no way to hide a single row') ?? pushes(options),
    async run({ client: openClient, put, same, options, backend, names, wait, capabilities }) {
      await put('a');
      await put('b');
      // The server's row would win over the edit, were it deleted.
      const client = await openClient({ config: { auditInterval: 1000, conflictStrategy: 'serverWins' } });
      const hide = (hidden: boolean) => options.permissions?.hideRow?.(backend, names.first, 'a', hidden);
      await client.sync.pause();
      await hide(true);
      await client.first.update('a', { text: 'mine' });
      client.sync.resume();
      await wait('the row leaves the view', async () => !(await client.rows()).has('a'));
      check((await client.rows()).has('b'), 'Another row left, too.');
      await client.live();
      await hide(false);
      await same(client);
      const kept = client.sync.outbox.failed().map(({ recordId }) => recordId);
      const sent = (await backend.read(names.first)).get('a')?.text === 'mine';
      // Where deletes leave no trace, a row out of sight looks like a deleted one, and the strategy has decided.
      if (capabilities.deletes === 'tombstones')
        check(sent || kept.includes('a'), 'The edit is neither sent nor kept.');
    },
  },
  {
    name: 'a right taken away while subscribed is no delete, and given back all is caught up',
    law: 5,
    leftOut: rights,
    async run({ client: openClient, put, same, options, backend, names, wait }) {
      await put('a');
      const client = await openClient();
      await options.permissions?.revoke(backend, names.first);
      await put('hidden');
      await client.sync.syncNow().catch(() => undefined);
      await wait('an error', () => client.errors.length > 0);
      check((await client.rows()).has('a'), 'A refusal was taken for a delete.');
      check(!(await client.rows()).has('hidden'), 'A row came although the right was gone.');
      await options.permissions?.grant(backend, names.first);
      // Whoever gave the right back makes the app connect again.
      await client.sync.pause();
      client.sync.resume();
      await client.live();
      await same(client);
    },
  },
];
