import { Amplify } from 'aws-amplify';
import { decodeJWT } from 'aws-amplify/auth';
import { expect, test } from 'vitest';
import { fromAmplify } from '../../../adapters/appsync/amplify.js';
import { until } from '../until.js';
import { openClient, openPeer } from './harness.js';

const row = { text: 'x', done: false, count: 1 };

test("Amplify's configuration and session are enough: its token is asked for, and refreshed by Amplify", async () => {
  const peer = await openPeer();
  let given = 0;
  const tokenProvider = {
    async getTokens() {
      given += 1;
      return { accessToken: decodeJWT(await peer.token('me', 4)) };
    },
  };
  const GraphQL = { endpoint: peer.endpoint, region: 'eu-central-1', defaultAuthMode: 'oidc' } as const;
  Amplify.configure({ API: { GraphQL } }, { Auth: { tokenProvider } });
  const { url, auth, authToken } = fromAmplify(Amplify.getConfig());
  const client = await openClient(peer, ['todos'], { transport: { url, auth, authToken } });
  await client.live();
  await client.sync.collection('todos').save(row, 'mine');
  peer.write('Todo', 'theirs', row);
  await until('both', async () => (await client.rows()).size === 2 && peer.read('Todo').length === 2, client.state);
  const before = given;
  let links = 0;
  client.sync.events.on('realtimeConnected', () => void links++);
  await until('another link, with another token', () => links > 0 && given > before, client.state);
  expect(client.codes()).not.toContain('AUTH_REQUIRED');
});

test('without a session it is needs-auth, not an endless loop', async () => {
  const peer = await openPeer();
  const GraphQL = { endpoint: peer.endpoint, defaultAuthMode: 'userPool' } as const;
  Amplify.configure({ API: { GraphQL } }, { Auth: { tokenProvider: { getTokens: async () => null } } });
  const { url, auth, authToken } = fromAmplify(Amplify.getConfig());
  const client = await openClient(peer, ['todos'], { transport: { url, auth, authToken } });
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth', client.state);
  expect(peer.requests).toEqual({});
});

test('IAM: each request is signed with the keys of the moment', async () => {
  const peer = await openPeer();
  const seen: Headers[] = [];
  let asked = 0;
  const client = await openClient(peer, ['todos'], {
    transport: {
      region: 'eu-central-1',
      auth: {
        type: 'iam',
        credentials: async () => {
          asked += 1;
          return { accessKeyId: `AK${asked}`, secretAccessKey: 'secret', sessionToken: 'session' };
        },
      },
      fetch: (input, init) => {
        seen.push(new Headers(init?.headers));
        return fetch(input, init);
      },
    },
    config: { enableRealtimeSync: false, syncInterval: 100 },
  });
  // This API knows no signatures: it refuses them.
  await until('a refusal', () => client.codes().includes('AUTH_REQUIRED'), client.state);
  expect(seen[0]?.get('authorization')).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AK\d+\/\d{8}\/eu-central-1\/appsync\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=[\da-f]{64}$/,
  );
  expect(seen[0]?.get('x-amz-security-token')).toBe('session');
  for (const { message } of client.errors) expect(message).not.toContain('secret');
});
