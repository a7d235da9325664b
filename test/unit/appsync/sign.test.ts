import { signRequest } from '@aws-amplify/core/internals/aws-client-utils';
import { expect, test } from 'vitest';
import { sign, signedHeaders } from '../../../adapters/appsync/sign.js';
import { unattached } from '../../../src/adapter-kit/unattached.js';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const headers = {
  accept: 'application/json, text/javascript',
  'content-encoding': 'amz-1.0',
  'content-type': 'application/json; charset=UTF-8',
};

test.each([
  ['a connection', '/connect', '{}', credentials],
  ['a query with unicode', '', '{"query":"{ a }","variables":{"text":"Süßes 🙂"}}', credentials],
  ['a session', '', '{}', { ...credentials, sessionToken: 'FwoGZXIvYXdzEBYaD//session==' }],
])("the signature is Amplify's own: %s", async (_, path, body, keys) => {
  const url = new URL(`https://abcdefghijklmnopqrstuvwxyz.appsync-api.eu-central-1.amazonaws.com/graphql${path}`);
  const now = new Date('2026-01-02T03:04:05.678Z');
  const theirs = signRequest(
    { headers: { ...headers }, method: 'POST', url, body },
    { credentials: keys, signingRegion: 'eu-central-1', signingService: 'appsync', signingDate: now },
  );
  expect(await sign(url, body, headers, keys, 'eu-central-1', now)).toEqual(theirs.headers);
});

const url = 'https://abcdefghijklmnopqrstuvwxyz.appsync-api.eu-central-1.amazonaws.com/graphql';

const signed = (
  what: 'http' | 'connect' | 'start',
  place: { url: string; region?: string | undefined } = { url },
  keys = async (): Promise<typeof credentials | undefined> => credentials,
) => signedHeaders({ type: 'iam', credentials: keys }, place, what, '{}', unattached);

test('the region is that of the endpoint, unless it is given; without any, or without keys, nothing is sent', async () => {
  const scope = async (url: string, region?: string) =>
    (await signed('http', { url, region })).authorization?.split('/')[2];
  expect(await scope(url)).toBe('eu-central-1');
  expect(await scope('https://api.example.com/graphql', 'us-east-1')).toBe('us-east-1');
  await expect(scope('https://api.example.com/graphql')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const none = signed('http', { url }, async () => undefined);
  await expect(none).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  const failing = signed('http', { url }, () => Promise.reject(new Error('The test has no keys.')));
  await expect(failing).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
});

test('what goes over the socket is signed as AppSync wants it, a request with what a page may send', async () => {
  const names = async (what: 'http' | 'connect' | 'start') => Object.keys(await signed(what)).sort();
  const socket = ['accept', 'authorization', 'content-encoding', 'content-type', 'host', 'x-amz-date'];
  expect(await names('connect')).toEqual(socket);
  expect(await names('start')).toEqual(socket);
  expect(await names('http')).toEqual(['authorization', 'content-type', 'host', 'x-amz-date']);
});
