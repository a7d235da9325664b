import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/errors.js';
import { createTokenSource } from '../../../src/transport/auth.js';
import { tokenExpiry } from '../../../src/transport/jwt.js';

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
