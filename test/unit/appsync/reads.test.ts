import { expect, test } from 'vitest';
import { readOptions } from '../../../adapters/appsync/options.js';
import { advance, begin, createAuthorizer, type Place, placeOf } from '../../../adapters/appsync/reads.js';
import { createTokenSource } from '../../../src/transport/token.js';

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };

test('the credentials of a guest, where a user was signed in, ask nothing', async () => {
  let user: string | null | undefined = 'ann';
  const tokens = createTokenSource(undefined);
  const options = readOptions({
    url: 'https://abcdefghijklmnopqrstuvwxyz.appsync-api.eu-central-1.amazonaws.com/graphql',
    auth: { type: 'iam', credentials: async () => ({ ...keys, user }) },
    collections: {},
  });
  const { headers } = createAuthorizer(options, () => ({
    authToken: tokens.get,
    user: tokens.told,
    log() {},
    traffic() {},
    report() {},
  }));
  expect(await headers('{}', 'http')).toHaveProperty('authorization');
  user = null;
  await expect(headers('{}', 'http')).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  user = undefined;
  expect(await headers('{}', 'http'), 'of nobody knows whom').toHaveProperty('authorization');
});

const json = (place: Place): Place => JSON.parse(JSON.stringify(place));

test('with conflict detection the next reading begins where this one began, by the clock of the server', () => {
  const first = advance({ begun: 0 }, { token: 'two', startedAt: 1000, newest: 0 }, 50);
  expect(json(first)).toMatchObject({ token: 'two', startedAt: 1000, snapshot: true });
  const last = advance(first, { token: undefined, startedAt: 2000, newest: 0 }, 90);
  expect(json(last)).toEqual({ since: 1000, snapshot: true, done: true });
  const delta = advance({ since: 1000, from: 900, begun: 0 }, { token: undefined, startedAt: 3000, newest: 0 }, 10);
  expect(json(delta)).toEqual({ since: 3000, done: true });
});

test('a scan has no order: its next one begins before whatever could change behind it', () => {
  const page = (newest: number, token?: string) => ({ newest, token, startedAt: undefined });
  const first = advance({ since: 500, from: 400, begun: 10_000 }, page(900, 'two'), 10_100);
  const last = advance(first, page(700), 10_250);
  // It took 250 ms: a row that changed at its beginning has a time of 650 or later.
  expect(json(last)).toEqual({ since: 650, done: true });
  expect(advance({ since: 500, from: 400, begun: 0 }, page(0), 10).since).toBe(500);
  expect(advance({ since: 500, from: 400, begun: 0 }, page(600), 10_000).since).toBe(500);
  expect(json(advance({ begun: 0 }, page(0), 10))).toEqual({ since: 0, snapshot: true, done: true });
});

test('a reading that was interrupted goes on, and what changed meanwhile is read after it', () => {
  const interrupted = json({ since: 500, from: 400, begun: 0, token: 'two', startedAt: 1000, newest: 0 });
  const resumed = begin(placeOf(interrupted as never));
  expect(resumed).toMatchObject({ token: 'two', again: true, startedAt: 1000 });
  const ended = advance(resumed, { token: undefined, startedAt: 9000, newest: 0 }, 50);
  expect(json(ended)).toEqual({ since: 1000, done: false });
  expect(begin({ since: 5, done: true, snapshot: true })).toEqual({ since: 5 });
});

test('a strange cursor is the beginning', () => {
  for (const cursor of [null, 5, 'x', [], {}, { since: 'yesterday' }, { at: 'x', id: 'y' }])
    expect(placeOf(cursor as never)).toEqual({});
});
