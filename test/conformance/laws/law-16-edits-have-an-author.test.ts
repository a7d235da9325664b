import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import type { AuthToken, OutgoingChange, RealtimeTransport, TransportHost } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  fakeTimers,
  live,
  open,
  pass,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

const jwt = (sub: string, more: object = {}): string =>
  ['{"alg":"none"}', JSON.stringify({ sub, ...more }), '']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
const [ann, bob] = [jwt('ann'), jwt('bob')];

/** A backend that asks for the token with each request, and what was pushed with which. `ways`: how the transport is let in. */
function asking({ visible = () => true }: { visible?: (token: string | undefined, id: string) => boolean } = {}) {
  const pushed: [token: string | undefined, id: string][] = [];
  const wire = { hold: undefined as Promise<void> | undefined, refuses: undefined as string | undefined };
  const wrap = (transport: RealtimeTransport): RealtimeTransport => {
    let host: TransportHost | undefined;
    return {
      ...transport,
      attach(given) {
        host = given;
        transport.attach?.(given);
      },
      async connect(how) {
        await host?.authToken();
        await transport.connect(how);
      },
      async pull(request) {
        const token = await host?.authToken();
        const page = await transport.pull(request);
        return { ...page, changes: page.changes.filter(({ recordId }) => visible(token, recordId)) };
      },
      async push(changes: readonly OutgoingChange[], how) {
        const token = await host?.authToken();
        await wire.hold;
        for (const { recordId } of changes) pushed.push([token, recordId]);
        return transport.push(changes, how);
      },
      get keys() {
        return undefined;
      },
    };
  };
  return { pushed, wrap, wire };
}

/** The ways in which an app says who is signed in: a client with `first`, and how another one signs in. */
const ways: Readonly<
  Record<string, () => { config: object; signIn(sync: Awaited<ReturnType<typeof open>>['sync'], who: string): void }>
> = {
  'a token': () => ({ config: { authToken: ann }, signIn: (sync, who) => sync.setAuthToken(jwt(who)) }),
  'another token function': () => ({
    config: { authToken: () => ann },
    signIn: (sync, who) => sync.setAuthToken(async () => jwt(who)),
  }),
  'the same token function': () => {
    let who = 'ann';
    return {
      config: { authToken: async () => jwt(who) },
      signIn(_, next) {
        who = next;
      },
    };
  },
  'user beside a token that is no JWT': () => ({
    config: { authToken: 'opaque ann', user: 'ann' },
    signIn: (sync, who) => sync.setAuthToken(`opaque ${who}`, { user: who }),
  }),
  'user as a function': () => {
    let who = 'ann';
    return {
      config: { authToken: async () => `opaque ${who}`, user: () => who },
      signIn(_, next) {
        who = next;
      },
    };
  },
  'a fixed user, beside a JWT of another one': () => ({
    config: { authToken: ann, user: 'ann' },
    signIn: (sync, who) => sync.setAuthToken(jwt(who)),
  }),
};

describe('law 16: edits have an author', () => {
  test.each(Object.keys(ways))('40 unsent edits wait while another user is signed in (by %s)', async (way) => {
    const { config, signIn } = ways[way]?.() ?? expect.unreachable();
    const { pushed, wrap } = asking();
    const client = await open({ config: { ...config, store: { type: 'sqlite', path: temporaryPath() } }, wrap });
    await live(client);
    const { sync, todos } = client;
    await sync.pause();
    for (let n = 0; n < 40; n += 1) await todos.save({ n }, `ann ${n}`);
    signIn(sync, 'bob');
    sync.resume();
    await until(() => sync.outbox.held().length > 0);
    await live(client);
    await todos.save({ n: 0 }, 'bob 0');
    await until(() => sync.status.pending === 0);
    await settle();
    expect(pushed.map(([, id]) => id)).toEqual(['bob 0']);
    expect(sync.outbox.held()).toHaveLength(40);
    expect(new Set(sync.outbox.held().map(({ author }) => author))).toEqual(new Set(['ann']));
    // Nor does another one see them.
    expect(Object.keys(await rowsOf(client))).toEqual(['bob 0']);
    expect(await sync.outbox.retry(sync.outbox.held()[0]?.opId ?? '')).toBe(false);
    expect(await sync.outbox.discard(sync.outbox.held()[0]?.opId ?? '')).toBe(true);

    signIn(sync, 'ann');
    await sync.syncNow().catch(() => undefined);
    await until(() => sync.status.phase === 'live' && sync.outbox.held().length === 0);
    await until(() => sync.status.pending === 0);
    expect(pushed.slice(1).map(([token]) => token)).toEqual(Array(39).fill(pushed[1]?.[0]));
    expect(pushed[1]?.[0]).toContain(way.includes('opaque') || way.startsWith('user') ? 'ann' : ann);
    expect(Object.keys(backendRows(client))).toHaveLength(40);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an edit whose push is under way is not repeated as another user, and once more as its own', async () => {
    let letGo = (): void => undefined;
    const { pushed, wrap, wire } = asking();
    const client = await open({ config: { authToken: ann }, wrap });
    await live(client);
    wire.hold = new Promise((resolve) => {
      letGo = resolve;
    });
    await client.todos.save({ n: 1 }, 'a');
    await settle();
    client.sync.setAuthToken(bob);
    wire.hold = undefined;
    await live(client);
    await settle();
    expect(pushed).toEqual([]);
    letGo();
    await settle();
    // It reached the backend late, as what it was.
    expect(pushed).toEqual([[ann, 'a']]);
    expect(client.sync.outbox.held()).toMatchObject([{ recordId: 'a', author: 'ann' }]);
    client.sync.setAuthToken(ann);
    await until(() => client.sync.status.phase === 'live' && client.sync.status.pending === 0);
    expect(pushed).toEqual([
      [ann, 'a'],
      [ann, 'a'],
    ]);
    expect(client.sync.outbox.failed()).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('after a restart as another user they still wait, and after one as their own they go', async () => {
    const store = { type: 'sqlite', path: temporaryPath() } as const;
    const backend = backendWith({ row: { n: 1 } });
    const { pushed, wrap } = asking();
    const first = await open({ backend, config: { authToken: ann, store }, wrap });
    await live(first);
    await first.sync.pause();
    await first.todos.save({ n: 2 }, 'row');
    await first.todos.save({ n: 1 }, 'new');
    await first.sync.close();

    const second = await open({ backend, config: { authToken: async () => bob, store }, wrap });
    await live(second);
    expect(await rowsOf(second)).toEqual({ row: { n: 1, id: 'row' } });
    expect(second.sync.outbox.held().map(({ recordId, author }) => [recordId, author])).toEqual([
      ['row', 'ann'],
      ['new', 'ann'],
    ]);
    await second.todos.save({ n: 7 }, 'row');
    await until(() => second.sync.status.pending === 0);
    await second.sync.close();
    expect(pushed).toEqual([[bob, 'row']]);

    const third = await open({ backend, config: { authToken: async () => bob, store }, wrap });
    expect(third.sync.outbox.held()).toHaveLength(2);
    await third.sync.close();

    const fourth = await open({ backend, config: { authToken: ann, store }, wrap });
    expect(fourth.sync.outbox.held(), 'known before anything is asked').toEqual([]);
    await until(() => fourth.sync.status.phase === 'live' && fourth.sync.status.pending === 0);
    expect(pushed.slice(1).map(([token]) => token)).not.toContain(bob);
    expect(backendRows(fourth).new).toEqual({ id: 'new', n: 1 });
    expect(await rowsOf(fourth)).toEqual(backendRows(fourth));
  });

  test('edits of a store from before they had an author are the first user`s', async () => {
    const store = { type: 'sqlite', path: temporaryPath() } as const;
    const { pushed, wrap } = asking();
    const first = await open({ config: { authToken: 'opaque', store }, wrap });
    await live(first);
    await first.sync.pause();
    await first.todos.save({ n: 1 }, 'old');
    expect(first.sync.outbox.pending()[0]).not.toHaveProperty('author');
    await first.sync.close();
    const second = await open({ backend: first.backend, config: { authToken: ann, store }, wrap });
    await until(() => second.sync.status.phase === 'live' && second.sync.status.pending === 0);
    expect(pushed).toEqual([[ann, 'old']]);
  });

  test.each(['keep', 'send'] as const)('edits of before anybody signed in: %s', async (editsBeforeSignIn) => {
    let token: string | undefined;
    const { pushed, wrap } = asking();
    const client = await open({ config: { authToken: async () => token, editsBeforeSignIn }, wrap });
    await live(client);
    await client.sync.pause();
    await client.todos.save({ n: 1 }, 'a');
    expect(client.sync.outbox.pending()).toMatchObject([{ author: null }]);
    token = ann;
    client.sync.resume();
    await until(() => client.sync.status.phase === 'live' && client.sync.status.pending === 0);
    await settle();
    if (editsBeforeSignIn === 'keep') {
      expect([pushed, await rowsOf(client)]).toEqual([[], {}]);
      const [held] = client.sync.outbox.held();
      expect(held).toMatchObject({ author: null, recordId: 'a' });
      expect(await client.sync.outbox.retry(held?.opId ?? '')).toBe(true);
      await until(() => client.sync.status.pending === 0);
    }
    expect(pushed).toEqual([[ann, 'a']]);
    expect(client.sync.outbox.held()).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('what another user may see is read from the beginning, and what only the one before may see goes', async () => {
    const backend = backendWith({ 'ann 1': { n: 1 }, 'bob 1': { n: 1 }, 'bob 2': { n: 2 } });
    let token = ann;
    const { wrap } = asking({ visible: (given, id) => id.startsWith(given === ann ? 'ann' : 'bob') });
    const client = await open({ backend, config: { authToken: () => token }, wrap });
    await live(client);
    expect(Object.keys(await rowsOf(client))).toEqual(['ann 1']);
    token = bob;
    client.sync.setAuthToken(() => token);
    await until(() => client.sync.status.phase === 'live');
    await live(client);
    expect(Object.keys(await rowsOf(client)).sort()).toEqual(['bob 1', 'bob 2']);
    client.sync.setAuthToken(ann);
    await live(client);
    expect(Object.keys(await rowsOf(client))).toEqual(['ann 1']);
  });

  test.each(['a token', 'an SDK'])(
    '%s that is away for a moment: nothing is read, deleted or rejected; it goes on by itself',
    async (way) => {
      fakeTimers();
      let who: string | null = 'ann';
      let asked = 0;
      const backend = backendWith({ a: { n: 1 }, b: { n: 1 } });
      const { pushed, wrap } = asking({ visible: (token) => token === ann });
      const sdk = (transport: RealtimeTransport): RealtimeTransport => {
        let host: TransportHost | undefined;
        const check = async <T>(answer: Promise<T>): Promise<T> => {
          host?.user?.(who);
          asked += 1;
          const given = await answer;
          host?.user?.(who);
          return given;
        };
        return {
          ...transport,
          attach(given) {
            host = given;
            transport.attach?.(given);
          },
          connect: (how) => check(transport.connect(how)),
          pull: (request) =>
            check(transport.pull(request)).then((page) => ({ ...page, changes: who ? page.changes : [] })),
          push: (changes, how) => {
            for (const { recordId } of changes) pushed.push([who ? ann : undefined, recordId]);
            return check(transport.push(changes, how));
          },
        };
      };
      const authToken: AuthToken = async () => (who ? jwt(who) : undefined);
      const client = await open({
        backend,
        config: { ...(way === 'a token' && { authToken }), websocketReconnectDelay: 1000 },
        wrap: way === 'a token' ? wrap : sdk,
      });
      await pass(1000);
      expect(client.sync.status.phase).toBe('live');
      const deletes = record(client.sync, 'remoteDelete', 'operationFailed');
      who = null;
      const before = asked;
      client.wire.cut();
      await client.sync.syncNow().catch(() => undefined);
      await pass(10_000);
      expect(client.sync.status.phase).toBe('needs-auth');
      await client.todos.save({ n: 1 }, 'mine');
      await pass(60_000);
      expect(Object.keys(await rowsOf(client)).sort()).toEqual(['a', 'b', 'mine']);
      expect([deletes, pushed, asked]).toEqual([[], [], before]);
      who = 'ann';
      await pass(30_000);
      expect(client.sync.status).toEqual({ phase: 'live', pending: 0 });
      expect(pushed).toEqual([[ann, 'mine']]);
      expect(client.sync.outbox.failed()).toEqual([]);
    },
  );

  test('a session that is away at the next start is noticed too', async () => {
    const store = { type: 'sqlite', path: temporaryPath() } as const;
    const backend = backendWith({ a: { n: 1 } });
    const { wrap } = asking({ visible: (token) => token === ann });
    const first = await open({ backend, config: { authToken: () => ann, store }, wrap });
    await live(first);
    await first.sync.close();
    const second = await open({ backend, config: { authToken: () => undefined, store }, wrap });
    await until(() => second.sync.status.phase === 'needs-auth');
    await second.todos.save({ n: 1 }, 'mine');
    await settle();
    expect(Object.keys(await rowsOf(second)).sort()).toEqual(['a', 'mine']);
    expect(second.sync.outbox.pending()).toMatchObject([{ author: 'ann' }]);
  });

  test('an edit that is refused before anybody signed in waits, and reading goes on', async () => {
    let token: string | undefined;
    const { pushed, wrap } = asking();
    const client = await open({
      config: { authToken: async () => token, editsBeforeSignIn: 'send' },
      wrap,
      wire: (wire) => {
        wire.decide = () =>
          token ? undefined : { type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'No policy lets you.') };
      },
    });
    await live(client);
    const errors = record(client.sync, 'error', 'operationFailed');
    await client.todos.save({ n: 1 }, 'mine');
    await until(() => client.sync.status.phase === 'needs-auth');
    expect(errors).toMatchObject([{ event: { error: { code: 'AUTH_REQUIRED' } } }]);
    client.backend.write('todos', 'other', { n: 1 });
    await settle();
    expect(Object.keys(await rowsOf(client)).sort()).toEqual(['mine', 'other']);
    expect(pushed.length).toBeLessThan(3);
    token = ann;
    client.sync.setAuthToken(async () => token);
    await until(() => client.sync.status.phase === 'live' && client.sync.status.pending === 0);
    expect(client.sync.outbox.failed()).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('where nobody can sign in, a refusal is one', async () => {
    const client = await open({
      wire: (wire) => {
        wire.decide = () => ({ type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'It is not for you.') });
      },
    });
    await live(client);
    await client.todos.save({ n: 1 }, 'mine');
    await until(() => client.sync.outbox.failed().length === 1);
    await live(client);
  });

  test.each([true, false])(
    'a token function that names another user each time makes no storm (live link: %s)',
    async (enableRealtimeSync) => {
      fakeTimers();
      let asked = 0;
      const authToken = (): string => {
        asked += 1;
        return jwt(`user ${asked}`);
      };
      const { wrap } = asking();
      await open({
        config: { authToken, enableRealtimeSync, websocketReconnectDelay: 1000, syncInterval: 10_000 },
        wrap,
      });
      await pass(60_000);
      expect(asked).toBeLessThan(60);
    },
  );

  describe('signing out', () => {
    /** Ann, with a row of the backend's and one edit that is not sent. */
    async function signedIn(config: object = {}) {
      const store = { type: 'sqlite', path: temporaryPath() } as const;
      const { pushed, wrap } = asking({ visible: (token) => token === ann });
      const session = { token: ann as string | undefined };
      const settings = { authToken: async () => session.token, store, ...config };
      const client = await open({ backend: backendWith({ row: { n: 1 } }), config: settings, wrap });
      await live(client);
      return { ...client, client, pushed, wrap, session, store };
    }

    test.each(['keep', 'discard'] as const)('with unsent edits: %s', async (unsent) => {
      const { client, sync, todos, pushed, wrap, session, store, backend } = await signedIn();
      await sync.pause();
      await todos.save({ n: 2 }, 'row');
      await todos.save({ n: 1 }, 'mine');
      const [kept, discarded] = unsent === 'keep' ? [2, 0] : [0, 2];
      expect(await sync.signOut({ unsent })).toEqual({ kept, discarded });
      expect(await rowsOf(client)).toEqual({});
      expect(sync.status.pending).toBe(0);
      expect(sync.outbox.held()).toHaveLength(kept);
      session.token = undefined;
      sync.resume();
      await live(client);
      expect(await rowsOf(client)).toEqual({});
      await sync.close();

      // Nothing of ann's but her edits is on the disk.
      const next = await open({ backend, config: { authToken: () => session.token, store }, wrap });
      expect([await rowsOf(next), next.sync.outbox.held().length]).toEqual([{}, kept]);
      session.token = bob;
      await next.sync.syncNow().catch(() => undefined);
      await live(next);
      expect([await rowsOf(next), pushed]).toEqual([{}, []]);
      session.token = ann;
      await next.sync.syncNow().catch(() => undefined);
      await until(() => next.sync.outbox.held().length === 0 && next.sync.status.pending === 0);
      await live(next);
      expect(pushed.map(([token]) => token)).toEqual(Array(kept).fill(ann));
      expect(backend.get('todos', 'row')?.data).toEqual({ id: 'row', n: unsent === 'keep' ? 2 : 1 });
      expect(await rowsOf(next)).toEqual(backendRows(next));
    });

    test('send: first they go, and where they cannot nothing has changed', async () => {
      const { client, sync, todos, pushed, session } = await signedIn();
      await sync.pause();
      await todos.save({ n: 1 }, 'mine');
      await expect(sync.signOut({ unsent: 'send' })).rejects.toMatchObject({
        code: 'CONNECTION_LOST',
        message: expect.stringContaining('still signed in') as string,
      });
      expect(Object.keys(await rowsOf(client)).sort()).toEqual(['mine', 'row']);
      sync.resume();
      expect(await sync.signOut({ unsent: 'send' })).toEqual({ kept: 0, discarded: 0 });
      expect(pushed).toEqual([[ann, 'mine']]);
      expect(await rowsOf(client)).toEqual({});
      session.token = undefined;
      await sync.syncNow().catch(() => undefined);
      await live(client);
    });

    test('a session that the app ends later is not taken up again meanwhile', async () => {
      const { client, sync, session } = await signedIn();
      await sync.signOut();
      await until(() => sync.status.phase === 'needs-auth');
      await settle();
      expect(await rowsOf(client)).toEqual({});
      session.token = jwt('ann', { iat: 2 });
      sync.setAuthToken(async () => session.token);
      await live(client);
    });

    test('edits of nobody knows whom cannot be kept for their author', async () => {
      const { client, sync, todos } = await signedIn({ authToken: 'opaque' });
      await sync.pause();
      await todos.save({ n: 1 }, 'mine');
      await expect(sync.signOut()).rejects.toMatchObject({ code: 'INVALID_STATE' });
      await expect(sync.signOut({ unsent: 'forget' as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect((await rowsOf(client)).mine).toEqual({ id: 'mine', n: 1 });
      expect(await sync.signOut({ unsent: 'discard' })).toEqual({ kept: 0, discarded: 1 });
    });

    test('an edit of after it is nobody`s, and watchers see the rows go', async () => {
      const { client, sync, todos, session } = await signedIn();
      const seen: number[] = [];
      const stop = todos.orderBy('id').watch((rows) => void seen.push(rows.length));
      await until(() => seen.at(-1) === 1);
      await sync.signOut();
      await until(() => seen.at(-1) === 0);
      session.token = undefined;
      await todos.save({ n: 1 }, 'free');
      expect(sync.outbox.pending()).toMatchObject([{ author: null, recordId: 'free' }]);
      expect(Object.keys(await rowsOf(client))).toEqual(['free']);
      stop();
    });
  });
});
