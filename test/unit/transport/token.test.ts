import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import type { User } from '../../../src/transport/identity.js';
import { tokenExpiry } from '../../../src/transport/jwt.js';
import { type ConfiguredUser, createTokenSource } from '../../../src/transport/token.js';
import type { AuthToken } from '../../../src/transport/transport.js';

const jwt = (claims: unknown): string =>
  ['{"alg":"none"}', JSON.stringify(claims), ''].map((part) => Buffer.from(part).toString('base64url')).join('.');

describe('tokenExpiry', () => {
  test('is the end of a JWT, in ms', () => {
    expect(tokenExpiry(jwt({ exp: 1_700_000_000 }))).toBe(1_700_000_000_000);
    // Characters that base64 and base64url write differently.
    expect(tokenExpiry(jwt({ name: '???>>>~~~ äöü', exp: 5 }))).toBe(5000);
  });

  test.each([
    ['no exp', jwt({ sub: 'me' })],
    ['an exp that is no number', jwt({ exp: '5' })],
    ['null claims', jwt(null)],
    ['no JWT', 'abc'],
    ['something with dots', 'a.b.c'],
    ['nothing', ''],
  ])('of %s is unknown', (_, token) => {
    expect(tokenExpiry(token)).toBeUndefined();
  });
});

const refusal = new SyncLayerError('AUTH_REQUIRED', 'It was refused.');

describe('a token source', () => {
  test('gives the app`s token, else the transport`s own, else none', async () => {
    expect(await createTokenSource('app').get('own')).toBe('app');
    expect(await createTokenSource(undefined).get('own')).toBe('own');
    expect(await createTokenSource(undefined).get()).toBeUndefined();
    expect(await createTokenSource(async () => 'fresh').get()).toBe('fresh');
  });

  test('does not give out a token that was refused, nor says it', async () => {
    const tokens = createTokenSource('secret');
    await tokens.get();
    tokens.refuse(refusal);
    await expect(tokens.get()).rejects.toMatchObject({
      code: 'AUTH_REQUIRED',
      message: expect.not.stringContaining('secret') as string,
    });
    await expect(tokens.get(), 'however often').rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  });

  test('that gives none says what to do when one is wanted', async () => {
    const tokens = createTokenSource(undefined);
    await tokens.get();
    tokens.refuse(refusal);
    await expect(tokens.get()).rejects.toThrow('none is configured');
  });

  test('asks a function again, and forgets the refusal with a fresh token', async () => {
    let count = 0;
    const tokens = createTokenSource(() => `token ${++count}`);
    await tokens.get();
    tokens.refuse(refusal);
    expect(await tokens.get()).toBe('token 2');
    expect(await tokens.get()).toBe('token 3');
  });

  test('set() forgets the refusal', async () => {
    const tokens = createTokenSource('a');
    await tokens.get();
    tokens.refuse(refusal);
    tokens.set('b');
    expect(await tokens.get()).toBe('b');
  });

  test('a late refusal of an older token says nothing about the one in use', async () => {
    let token = 'old';
    const tokens = createTokenSource(() => token);
    await tokens.get();
    token = 'new';
    await tokens.get();
    await tokens.get();
    const late = tokens.refused('old', refusal);
    expect(late, 'to be tried again').toMatchObject({ code: 'CONNECTION_LOST' });
    expect(late.message).not.toContain('old');
    expect(await tokens.get()).toBe('new');

    expect(tokens.refused('new', refusal)).toBe(refusal);
    await expect(tokens.get()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  });

  test('nor where the one in use has been handed out once, by a source that repeats its tokens', async () => {
    let token = 'old';
    const tokens = createTokenSource(() => token);
    await tokens.get();
    await tokens.get();
    token = 'new';
    await tokens.get();
    expect(tokens.refused('old', refusal)).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(await tokens.get()).toBe('new');
  });

  test('a refusal that named its token does not become one of the token that has come since', async () => {
    let token = 'refused';
    const tokens = createTokenSource(() => token);
    expect(tokens.refused(await tokens.get(), refusal)).toBe(refusal);
    token = 'fresh';
    // Another request asks before the first one has told that it failed.
    await tokens.get();
    tokens.refuse(refusal);
    expect(await tokens.get()).toBe('fresh');
  });

  test('of tokens that are good for one use each none is spared: nobody knows of a good one', async () => {
    let count = 0;
    const tokens = createTokenSource(() => `token ${++count}`);
    const first = await tokens.get();
    await tokens.get();
    expect(tokens.refused(first, refusal)).toBe(refusal);
    tokens.refuse(refusal);
    expect(await tokens.get()).toBe('token 3');
  });

  test('what failed for another reason is no refusal', async () => {
    const tokens = createTokenSource('a');
    const lost = new SyncLayerError('CONNECTION_LOST', 'It broke.');
    expect(tokens.refused(await tokens.get(), lost)).toBe(lost);
    expect(tokens.refused('older', lost)).toBe(lost);
    expect(await tokens.get()).toBe('a');
  });

  test('a function that fails is no refusal', async () => {
    const tokens = createTokenSource(() => {
      throw new Error('offline');
    });
    await expect(tokens.get()).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
  });
});

const jwtOf = (sub: string): string => jwt({ sub });

describe('the user of a token source', () => {
  function watched(initial: AuthToken | undefined, user?: ConfiguredUser) {
    const seen: [User, User][] = [];
    const tokens = createTokenSource(initial, { user, onUser: (next, before) => void seen.push([before, next]) });
    tokens.look();
    return { tokens, seen };
  }

  test('is known at once where the token or the app says it', () => {
    expect(watched(jwtOf('ann')).tokens.user).toBe('ann');
    expect(watched('opaque').tokens.user).toBe(undefined);
    expect(watched(() => jwtOf('ann')).tokens.user).toBe(undefined);
    expect(watched(() => 'opaque', 'ann').tokens.user).toBe('ann');
    expect(watched(undefined, () => 'ann').tokens.user).toBe('ann');
    expect(watched(undefined, () => undefined).tokens.user).toBe(null);
  });

  test('is who used the store last, until it is known', async () => {
    let who = 'bob';
    const { tokens, seen } = watched(() => jwtOf(who));
    tokens.look('ann');
    expect(tokens.user).toBe('ann');
    await expect(tokens.get(), 'nothing goes on as another one').rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect([tokens.user, seen]).toEqual(['bob', [['ann', 'bob']]]);
    expect(await tokens.get()).toBe(jwtOf('bob'));
    who = 'bob';
    expect(seen).toHaveLength(1);
  });

  test('that is away is no refusal of the token before', async () => {
    let token: string | undefined = jwtOf('ann');
    const { tokens, seen } = watched(() => token);
    await tokens.get();
    token = undefined;
    const error = await tokens.get().catch((thrown: SyncLayerError) => thrown);
    expect(error).toMatchObject({ code: 'AUTH_REQUIRED' });
    tokens.refuse(error as SyncLayerError);
    expect(tokens.user).toBe('ann');
    token = jwtOf('ann');
    expect(await tokens.get()).toBe(token);
    expect(seen).toEqual([[undefined, 'ann']]);
  });

  test('a token of a kind that names nobody is away, too, when there is none', async () => {
    let token: string | undefined = 'opaque';
    const { tokens } = watched(() => token);
    await tokens.get();
    token = undefined;
    await expect(tokens.get()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
    tokens.set(undefined);
    expect(await tokens.get(), 'the app said so').toBeUndefined();
  });

  test('a fixed user says nothing about the token of another one', async () => {
    const { tokens } = watched(jwtOf('sub of ann'), 'ann');
    expect(tokens.user).toBe('ann');
    tokens.set(`${jwtOf('sub of ann')}x`);
    expect(tokens.user).toBe('ann');
    tokens.set(jwtOf('sub of bob'));
    expect(tokens.user).toBe('sub of bob');
    tokens.set(jwtOf('sub of bob'), 'bob');
    expect(tokens.user).toBe('bob');
  });

  test('whom an SDK tells counts, and the lack of a token beside it says nothing', async () => {
    const { tokens, seen } = watched(undefined);
    tokens.told('ann');
    expect(await tokens.get()).toBeUndefined();
    expect(() => tokens.told(null)).toThrow('The session is away');
    expect(() => tokens.told('bob')).toThrow('Another user');
    tokens.told('bob');
    expect(seen).toEqual([
      [undefined, 'ann'],
      ['ann', 'bob'],
    ]);
  });

  test('who has signed out is not taken again by the same token, nor by what an SDK goes on telling', async () => {
    let token: string | undefined = jwtOf('ann');
    const { tokens } = watched(() => token);
    await tokens.get();
    tokens.leave();
    expect(tokens.user).toBe(null);
    for (let times = 0; times < 3; times += 1) {
      const error = await tokens.get().catch((thrown: SyncLayerError) => thrown);
      expect(error).toMatchObject({ code: 'AUTH_REQUIRED' });
      // As core does with each failure of a transport.
      tokens.refuse(error as SyncLayerError);
    }
    token = undefined;
    expect(await tokens.get()).toBeUndefined();
    token = jwtOf('ann');
    await expect(tokens.get(), 'signed in again').rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect(await tokens.get()).toBe(token);

    const sdk = watched(undefined).tokens;
    sdk.told('ann');
    sdk.leave();
    expect(() => sdk.told('ann')).toThrow('The session is away');
    sdk.told(null);
    expect(() => sdk.told('ann')).toThrow('Another user');
    sdk.told('ann');
  });

  test('a token that was asked for before the app set another one is not used', async () => {
    let answer = (_: string): void => undefined;
    const { tokens } = watched(() => new Promise<string>((resolve) => (answer = resolve)));
    const got = tokens.get();
    tokens.set('new');
    answer('old');
    expect(await got).toBe('new');
  });
});
